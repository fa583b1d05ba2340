# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a configuration file, told so that a person can mend it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One mistake: where it is, which key it is about, what is wrong and what is allowed."""

    file: str
    message: str
    position: Position | None = None
    """None where the file could not be read at all."""
    key: str = ""
    """Path of the key such as `answer.rules.0.mode`; empty for the file as a whole."""

    def __str__(self) -> str:
        where = self.file
        if self.position is not None:
            where += f":{self.position.line}:{self.position.column}"
        text = f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"
        # Names and values come from the file; a terminal or journal must be able to take them.
        return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


class ConfigError(Exception):
    """A configuration cannot be used. `problems` holds every mistake, in the order of the file."""

    def __init__(self, problems: Sequence[ConfigProblem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)
