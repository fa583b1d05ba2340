# SPDX-License-Identifier: GPL-3.0-or-later
"""The database engine. The one file that knows SQLite from other databases."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from callagent.server.storage.migrate import upgrade

BUSY_TIMEOUT_MS = 5000
"""How long SQLite waits for a writer of another process (the command line)."""
_IMMEDIATE = "callagent_immediate"


class Storage:
    """Transactions on the service's database. Used on the event loop; SQLite itself runs on threads."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(**{_IMMEDIATE: True})
        # SQLite has one writer at a time: waiting here is fair and costs no polling. The one
        # connection of a database in memory cannot hold two transactions at all.
        sqlite = engine.dialect.name == "sqlite"
        self._write_turn = asyncio.Lock() if sqlite else None
        self._read_turn = self._write_turn if sqlite and _in_memory(engine.url) else None

    @classmethod
    async def open(cls, database_url: str) -> "Storage":
        """Connect, create or migrate the tables.

        `database_url` is SQLAlchemy's; `sqlite:///path` means the asynchronous driver.
        Raises sqlalchemy.exc.SQLAlchemyError, OSError.
        """
        url = make_url(database_url)
        if url.drivername == "sqlite":
            url = url.set(drivername="sqlite+aiosqlite")
        if url.get_backend_name() == "sqlite":
            _create_private(url)
        engine = create_async_engine(url)
        if engine.dialect.name == "sqlite":
            event.listen(engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(engine.sync_engine, "begin", _begin_sqlite)
        storage = cls(engine)
        try:
            async with storage.write() as connection:
                await connection.run_sync(upgrade)
        except BaseException:
            await engine.dispose()
            raise
        return storage

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A consistent view; nothing may be written in it."""
        async with _turn(self._read_turn), self._engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed at the end, rolled back on any exception."""
        async with _turn(self._write_turn), self._writer.begin() as connection:
            yield connection

    async def close(self) -> None:
        await self._engine.dispose()


@asynccontextmanager
async def _turn(lock: asyncio.Lock | None) -> AsyncIterator[None]:
    if lock is None:
        yield
    else:
        async with lock:
            yield


def _in_memory(url: URL) -> bool:
    return url.database in (None, "", ":memory:")


def _create_private(url: URL) -> None:
    """The file holds the app secret: only its owner may read it (the WAL takes over its mode)."""
    if not _in_memory(url) and url.database is not None and not url.database.startswith("file:"):
        path = Path(url.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transaction control is switched off; `_begin_sqlite` says BEGIN
    # (docs.sqlalchemy.org, "Serializable isolation / Savepoints / Transactional DDL").
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes its lock at once: upgrading a read transaction later fails without waiting.
    immediate = connection.get_execution_options().get(_IMMEDIATE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
