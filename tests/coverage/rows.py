# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of rows.yaml, its fields as rows of their own."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("rows.yaml")
_KEYS = {"hook", "not_built", "to_do", "note", "fields"}
_NO_HOOK = "none: "


class Status(StrEnum):
    BUILT = "built"
    NOT_BUILT = "not built"
    TO_DO = "to do"


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    section: str
    status: Status
    why: str = ""
    """Why it is not built, or what is to do."""
    hook: str = ""
    """What to take out (callagent/protocol/taken_out.py); empty where nothing can be."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    source: str
    rows: tuple[Row, ...]


@cache
def sections() -> tuple[Section, ...]:
    """All of them, in the file's order. Raises ValueError where the file makes no sense."""
    found = yaml.safe_load(FILE.read_text())
    made = tuple(
        Section(each["title"], each["source"], tuple(_rows(each["title"], each["rows"]))) for each in found
    )
    ids = [row.id for section in made for row in section.rows]
    twice = {each for each in ids if ids.count(each) > 1}
    if twice:
        raise ValueError(f"{FILE.name} has two rows {', '.join(sorted(twice))}")
    return made


@cache
def rows() -> dict[str, Row]:
    """By id."""
    return {row.id: row for section in sections() for row in section.rows}


def _rows(title: str, given: dict[str, dict[str, Any]]) -> Iterator[Row]:
    for row_id, said in given.items():
        if unknown := said.keys() - _KEYS:
            raise ValueError(f"{FILE.name}: {row_id} has {', '.join(sorted(unknown))}")
        yield _row(title, row_id, said)
        for name in said.get("fields", []):
            yield Row(f"{row_id}.{name}", title, Status.BUILT, hook=f"{row_id}.{name}")


def _row(title: str, row_id: str, said: dict[str, Any]) -> Row:
    note = said.get("note", "")
    for key, status in (("not_built", Status.NOT_BUILT), ("to_do", Status.TO_DO)):
        if key in said:
            return Row(row_id, title, status, why=said[key], note=note)
    hook: str = said.get("hook", row_id)
    if hook.startswith(_NO_HOOK):
        return Row(row_id, title, Status.BUILT, why=hook.removeprefix(_NO_HOOK), note=note)
    return Row(row_id, title, Status.BUILT, hook=hook, note=note)
