# SPDX-License-Identifier: GPL-3.0-or-later
"""The database engine. The one file that knows SQLite from PostgreSQL."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from callagent.server.storage.migrate import upgrade

BUSY_TIMEOUT_MS = 5000
"""How long SQLite waits for a writer of another process (the command line)."""
POOL_SIZE, POOL_MORE = 10, 10
"""Connections to PostgreSQL that are kept, and that may be opened beside them."""
_IMMEDIATE = "callagent_immediate"
_MIGRATION_LOCK, _NODE_LOCK = 0x63616C6C01, 0x63616C6C02
"""Numbers of PostgreSQL's advisory locks."""
_STOOD_IN_THE_WAY = frozenset({"40001", "40P01"})
"""serialization_failure and deadlock_detected (PostgreSQL, appendix A)."""


class Conflict(Exception):
    """Somebody else committed first, or stood in the way; nothing was written: load again."""


class DatabaseTaken(Exception):
    """Another service has this database; one sentence."""


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
        # SQLite's readers have that anyway.
        self._reader = engine if sqlite else engine.execution_options(isolation_level="REPEATABLE READ")
        self._node_lock: AsyncConnection | None = None

    @classmethod
    async def open(cls, database_url: str) -> "Storage":
        """Connect, create or migrate the tables.

        `database_url` is SQLAlchemy's; `sqlite:///path` and `postgresql://...` mean the
        asynchronous driver. Raises sqlalchemy.exc.SQLAlchemyError, OSError.
        """
        storage = cls(_engine(make_url(database_url)))
        try:
            async with storage.write() as connection:
                if storage._write_turn is None:
                    # Nodes that start together must not all migrate.
                    await connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
                await connection.run_sync(upgrade)
        except BaseException:
            await storage.close()
            raise
        return storage

    async def register(self, *, shared: bool) -> None:
        """Have the database alone, or `shared` with other nodes that know of each other, until `close`.

        Raises DatabaseTaken when another service is there that it does not go together
        with. With SQLite nothing is checked: a file has one machine, and its port one service.
        """
        if self._write_turn is not None or self._node_lock is not None:
            return
        connection = await self._engine.connect()
        try:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            attempt = "pg_try_advisory_lock_shared" if shared else "pg_try_advisory_lock"
            free = await connection.scalar(text(f"SELECT {attempt}({_NODE_LOCK})"))
        except BaseException:
            await connection.close()
            raise
        if not free:
            await connection.close()
            how = "that has it alone" if shared else "already; several nodes need a Redis to share it by"
            raise DatabaseTaken(f"a service uses this database {how}")
        self._node_lock = connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A consistent view; nothing may be written in it."""
        async with _turn(self._read_turn), self._reader.begin() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed at the end, rolled back on any exception. Raises Conflict."""
        try:
            async with _turn(self._write_turn), self._writer.begin() as connection:
                yield connection
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) in _STOOD_IN_THE_WAY:
                raise Conflict from error
            raise

    async def close(self) -> None:
        if self._node_lock is not None:
            await self._node_lock.invalidate()  # the lock ends with its connection
            await self._node_lock.close()
            self._node_lock = None
        await self._engine.dispose()


def _engine(url: URL) -> AsyncEngine:
    if url.get_backend_name() == "sqlite":
        _create_private(url)
        engine = create_async_engine(url.set(drivername="sqlite+aiosqlite"), hide_parameters=True)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+asyncpg")
    # A database that was restarted is noticed before a request fails by it.
    return create_async_engine(
        url, pool_size=POOL_SIZE, max_overflow=POOL_MORE, pool_pre_ping=True, hide_parameters=True
    )


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
