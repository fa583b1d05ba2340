# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service needs of a database, and what may go wrong there.

Transactions are plain functions of a connection: a round of a dozen statements costs one hand-over. A
`short` one reads or writes a few rows by their keys; where handing it to a thread costs more than doing it,
it is done on the event loop.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Engine

T = TypeVar("T")
Work = Callable[[Connection], T]
Committed = Callable[[], None]
"""Told of a commit, whoever still waits for it, before anything else is written. Must not raise."""


class Conflict(Exception):
    """Somebody else committed first, or stood in the way; nothing was written: load again."""


class DatabaseTaken(Exception):
    """Another service has this database; one sentence."""


class Backend(Protocol):
    """One kind of database. Used on the event loop but for `migrate` and `close`, which block."""

    one_writer: bool
    """Whether transactions that write are done one after the other, and by this process alone."""

    async def read(self, work: Work[T], *, short: bool) -> T: ...

    async def write(self, work: Work[T], committed: Committed | None, *, short: bool) -> T: ...

    async def register(self, *, shared: bool) -> None: ...

    def migrate(self, upgrade: Callable[[Connection], None]) -> None:
        """Run this alone, whoever else starts at this moment."""
        ...

    async def finish(self) -> None:
        """What was begun is done; nothing new may come."""
        ...

    def close(self) -> None: ...


def transaction_on(engine: Engine, work: Work[T]) -> T:
    """Committed after `work`, rolled back on any exception."""
    with engine.begin() as connection:
        return work(connection)
