# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's database, of whatever kind it is."""

import asyncio

from sqlalchemy.engine import make_url

from callagent.server.storage.backend import Backend, Committed, Conflict, DatabaseTaken, T, Work
from callagent.server.storage.migrate import upgrade
from callagent.server.storage.postgresql import PostgreSql
from callagent.server.storage.sqlite import Sqlite

__all__ = ["Conflict", "DatabaseTaken", "Storage"]


class Storage:
    """Transactions on the service's database. Used on the event loop."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @property
    def one_writer(self) -> bool:
        """Whether transactions that write are done one after the other, and by this process alone."""
        return self._backend.one_writer

    @classmethod
    async def open(cls, database_url: str) -> "Storage":
        """Connect, create or migrate the tables.

        `database_url`: `sqlite:///path` or `postgresql://...`. Raises
        sqlalchemy.exc.SQLAlchemyError, OSError.
        """
        return await asyncio.to_thread(cls._open, database_url)

    @classmethod
    def _open(cls, database_url: str) -> "Storage":
        url = make_url(database_url)
        backend: Backend = Sqlite(url) if url.get_backend_name() == "sqlite" else PostgreSql(url)
        try:
            backend.migrate(upgrade)
        except BaseException:
            backend.close()
            raise
        return cls(backend)

    async def register(self, *, shared: bool) -> None:
        """Have the database alone, or `shared` with other nodes that know of each other, until `close`.

        Raises DatabaseTaken when another service is there that it does not go together with.
        """
        await self._backend.register(shared=shared)

    async def read(self, work: Work[T], *, short: bool = False) -> T:
        """What `work` finds in a consistent view; nothing may be written in it.

        `short`: a few rows by their keys. It may be done on the loop; the rest is done on threads.
        """
        return await self._backend.read(work, short=short)

    async def write(self, work: Work[T], committed: Committed | None = None, *, short: bool = False) -> T:
        """One transaction: committed after `work`, rolled back on any exception. Raises Conflict.

        Whoever stops waiting does not stop it. `committed` is called when it is done, whoever
        waits or not; with `one_writer` before anything else is written. It must not raise.
        """
        return await self._backend.write(work, committed, short=short)

    async def close(self) -> None:
        """What was begun is finished."""
        await self._backend.finish()
        await asyncio.to_thread(self._backend.close)
