# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLite: one writer, and readers beside it that see what was committed when they began.

Python's share of a statement is larger than SQLite's, and two threads that take turns at the interpreter
wait for each other at every one. So short transactions are done on the event loop, and only their commit,
which waits for the disk, on the writer's thread; those that come meanwhile share the next one.
"""

import asyncio
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, RootTransaction, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from callagent.server.storage.backend import Committed, T, Work, transaction_on

BUSY_TIMEOUT_MS = 5000
"""How long it waits for a writer of another process (the command line)."""
READERS = 2
"""Threads that read what is not short."""
MAX_GROUP = 64
"""Transactions of one commit."""
SHORT_S = 0.01
"""What the loop does of them before it turns to others."""
_IMMEDIATE = "callagent_immediate"


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[Connection], Any]
    committed: Committed | None
    short: bool
    done: "asyncio.Future[Any]"

    def succeed(self, result: Any) -> None:
        if self.committed is not None:
            self.committed()
        if not self.done.done():
            self.done.set_result(result)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class TransactionLost(Exception):
    """SQLite gave the transaction up by itself; nothing was written."""

    def __init__(self) -> None:
        super().__init__("the database gave a transaction up, most likely because the disk is full")


class _Group:
    """The jobs of one commit and how they went: each fails for itself."""

    def __init__(self) -> None:
        self._finished: list[tuple[_Job, Any]] = []
        self._failed: list[tuple[_Job, Exception]] = []

    def run(self, job: _Job, connection: Connection, *, alone: bool) -> None:
        """`alone`: there is no other that must not be undone with it."""
        if not _driver(connection).in_transaction:
            # What came now would be written by itself.
            self._failed.append((job, TransactionLost()))
            return
        try:
            result = job.work(connection) if alone else _in_savepoint(connection, job.work)
        except Exception as error:
            self._failed.append((job, error))
        else:
            self._finished.append((job, result))

    def end(self, transaction: RootTransaction) -> None:
        """Waits for the disk."""
        with transaction:
            if not self._finished:
                transaction.rollback()
            elif not _driver(transaction.connection).in_transaction:
                raise TransactionLost
            else:
                transaction.commit()

    def tell(self, error: Exception | None) -> None:
        """`error`: nothing of it was written."""
        for job, own in self._failed:
            job.fail(own)
        for job, result in self._finished:
            if error is None:
                job.succeed(result)
            else:
                job.fail(error)


class Sqlite:
    """A `Backend`."""

    one_writer = True

    def __init__(self, url: URL) -> None:
        _create_private(url)
        self._in_memory = _in_memory(url)
        self._engine = _engine_of(url)
        self._immediate = self._engine.execution_options(**{_IMMEDIATE: True})
        self._connection: Connection | None = None
        """The writer's, kept: to take one for every commit costs more than a statement."""
        self._own_reader: Connection | None = None
        """The loop's."""
        self._jobs: deque[_Job] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._writer = ThreadPoolExecutor(1, "storage-write")
        self._readers = ThreadPoolExecutor(READERS, "storage-read")

    async def read(self, work: Work[T], *, short: bool) -> T:
        if self._in_memory:
            # Its one connection cannot hold two transactions.
            return await self.write(work, None, short=short)
        if not short:
            return await asyncio.wrap_future(self._readers.submit(transaction_on, self._engine, work))
        if self._own_reader is None:
            self._own_reader = self._engine.connect()
        with self._own_reader.begin():
            return work(self._own_reader)

    async def write(self, work: Work[T], committed: Committed | None, *, short: bool) -> T:
        """Who stops waiting before it began does not get it done."""
        job = _Job(work, committed, short, asyncio.get_running_loop().create_future())
        self._jobs.append(job)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all(), name="storage writer")
        result: T = await job.done
        return result

    async def register(self, *, shared: bool) -> None:
        """Nothing is checked: a file has one machine, and its port one service."""

    def migrate(self, upgrade: Callable[[Connection], None]) -> None:
        transaction_on(self._immediate, upgrade)

    async def finish(self) -> None:
        if self._writing is not None:
            await self._writing

    def close(self) -> None:
        self._writer.shutdown()
        self._readers.shutdown()
        for connection in (self._connection, self._own_reader):
            if connection is not None:
                connection.close()
        self._engine.dispose()

    # --- the writer -----------------------------------------------------------------

    async def _write_all(self) -> None:
        """Until nobody waits."""
        while self._jobs:
            if self._jobs[0].done.cancelled():
                self._jobs.popleft()
            elif self._jobs[0].short and (transaction := self._begin_at_once()) is not None:
                await self._write_short(transaction)
            else:
                await self._write_on_thread()

    async def _write_short(self, transaction: RootTransaction) -> None:
        group = _Group()
        alone = len(self._jobs) == 1
        until = time.monotonic() + SHORT_S
        while self._jobs and self._jobs[0].short and time.monotonic() < until:
            job = self._jobs.popleft()
            if not job.done.cancelled():
                group.run(job, transaction.connection, alone=alone)
        group.tell(await self._on_thread(lambda: group.end(transaction)))

    async def _write_on_thread(self) -> None:
        jobs = [self._jobs.popleft() for _ in range(min(MAX_GROUP, len(self._jobs)))]
        jobs = [job for job in jobs if not job.done.cancelled()]
        group = _Group()

        def write() -> None:
            transaction = self._begin_patiently()
            for job in jobs:
                group.run(job, transaction.connection, alone=len(jobs) == 1)
            group.end(transaction)

        error = await self._on_thread(write)
        group.tell(error)
        if error is not None:
            # Those that were never begun.
            for job in jobs:
                job.fail(error)

    async def _on_thread(self, work: Callable[[], None]) -> Exception | None:
        try:
            await asyncio.wrap_future(self._writer.submit(work))
        except Exception as error:
            return error
        return None

    def _begin_at_once(self) -> RootTransaction | None:
        """None: it cannot be, most likely for a writer of another process."""
        try:
            return self._writers_connection().begin()
        except OperationalError:
            return None

    def _begin_patiently(self) -> RootTransaction:
        connection = self._writers_connection()
        _set_busy_timeout(connection, BUSY_TIMEOUT_MS)
        try:
            return connection.begin()
        finally:
            _set_busy_timeout(connection, 0)

    def _writers_connection(self) -> Connection:
        if self._connection is None:
            self._connection = self._immediate.connect()
            _set_busy_timeout(self._connection, 0)
        return self._connection


def _in_savepoint(connection: Connection, work: Callable[[Connection], Any]) -> Any:
    # Not begin_nested(): that costs as much as two statements more.
    connection.exec_driver_sql("SAVEPOINT job")
    try:
        result = work(connection)
    except BaseException:
        if _driver(connection).in_transaction:
            connection.exec_driver_sql("ROLLBACK TO job")
            connection.exec_driver_sql("RELEASE job")
        raise
    connection.exec_driver_sql("RELEASE job")
    return result


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def _set_busy_timeout(connection: Connection, timeout_ms: int) -> None:
    # Not through SQLAlchemy, which would begin a transaction for it.
    _driver(connection).execute(f"PRAGMA busy_timeout = {timeout_ms}").close()


def _engine_of(url: URL) -> Engine:
    # The driver's connections stay with the threads that use them; one in memory is one for all.
    options: dict[str, Any] = {"poolclass": StaticPool} if _in_memory(url) else {"pool_size": READERS + 2}
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        hide_parameters=True,
        connect_args={"check_same_thread": False},
        **options,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _in_memory(url: URL) -> bool:
    return url.database in (None, "", ":memory:")


def _create_private(url: URL) -> None:
    """The file holds the app secret: only its owner may read it (the WAL takes over its mode)."""
    if not _in_memory(url) and url.database is not None and not url.database.startswith("file:"):
        path = Path(url.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _prepare(connection: Any, _record: object) -> None:
    # The driver's own transaction control is switched off; `_begin` says BEGIN
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


def _begin(connection: Connection) -> None:
    # A writer takes its lock at once: upgrading a read transaction later fails without waiting.
    immediate = connection.get_execution_options().get(_IMMEDIATE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
