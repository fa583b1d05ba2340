# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found: one line each, with what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """Works, but not as somebody may expect."""
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    state: State
    text: str
    """One sentence for a person."""
    remedy: str = ""
    """What to do, a command where there is one; empty when all is well."""


def ok(text: str) -> Check:
    return Check(State.OK, text)


def warning(text: str, remedy: str) -> Check:
    return Check(State.WARNING, text, remedy)


def problem(text: str, remedy: str) -> Check:
    return Check(State.PROBLEM, text, remedy)


def worst(checks: Iterable[Check]) -> State:
    order = list(State)
    return max((check.state for check in checks), key=order.index, default=State.OK)
