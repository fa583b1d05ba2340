# SPDX-License-Identifier: GPL-3.0-or-later
"""The database engine. The one file that knows SQLite from PostgreSQL.

Transactions are plain functions of a connection, run on threads: a round of a
dozen statements costs one hand-over, and those that wait together for SQLite's
one writer are committed together.
"""

import asyncio
import os
import queue
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, RootTransaction, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from callagent.server.storage.migrate import upgrade

BUSY_TIMEOUT_MS = 5000
"""How long SQLite waits for a writer of another process (the command line)."""
POOL_SIZE = 10
"""Connections to PostgreSQL, and threads that use them."""
READERS = 2
"""Threads that read SQLite beside its writer."""
MAX_GROUP = 64
"""Transactions of one commit."""
_IMMEDIATE = "callagent_immediate"
_MIGRATION_LOCK, _NODE_LOCK = 0x63616C6C01, 0x63616C6C02
"""Numbers of PostgreSQL's advisory locks."""
_STOOD_IN_THE_WAY = frozenset({"40001", "40P01"})
"""serialization_failure and deadlock_detected (PostgreSQL, appendix A)."""

T = TypeVar("T")


class Conflict(Exception):
    """Somebody else committed first, or stood in the way; nothing was written: load again."""


class DatabaseTaken(Exception):
    """Another service has this database; one sentence."""


class Storage:
    """Transactions on the service's database. Used on the event loop; the work runs on threads."""

    def __init__(self, engine: Engine, writer: "_Writer", readers: ThreadPoolExecutor) -> None:
        self._engine = engine
        self._writer = writer
        self._readers = readers
        self._shared = engine.dialect.name != "sqlite"
        # SQLite's readers have that anyway.
        self._reading = (
            engine.execution_options(isolation_level="REPEATABLE READ") if self._shared else engine
        )
        self._node_lock: Connection | None = None

    @property
    def one_writer(self) -> bool:
        """Whether transactions that write are done one after the other, and by this process alone."""
        return not self._shared

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
        if url.get_backend_name() == "sqlite":
            engine = _sqlite(url)
            writer: _Writer = _GroupWriter(engine)
            # The one connection of a database in memory cannot hold two transactions.
            readers = writer.thread if _in_memory(url) else ThreadPoolExecutor(READERS, "storage-read")
        else:
            engine = _postgresql(url)
            readers = ThreadPoolExecutor(POOL_SIZE, "storage")
            writer = _PooledWriter(engine, readers)
        storage = cls(engine, writer, readers)
        try:
            storage._migrate()
        except BaseException:
            storage._close()
            raise
        return storage

    async def register(self, *, shared: bool) -> None:
        """Have the database alone, or `shared` with other nodes that know of each other, until `close`.

        Raises DatabaseTaken when another service is there that it does not go together
        with. With SQLite nothing is checked: a file has one machine, and its port one service.
        """
        if self._shared and self._node_lock is None:
            self._node_lock = await asyncio.to_thread(self._take_node_lock, shared)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` finds in a consistent view; nothing may be written in it."""
        return await asyncio.wrap_future(self._readers.submit(self._read, work))

    async def write(self, work: Callable[[Connection], T], committed: Callable[[], None] | None = None) -> T:
        """One transaction: committed after `work`, rolled back on any exception. Raises Conflict.

        Whoever stops waiting does not stop it. `committed` is called on the thread that wrote, whoever
        waits or not; with `one_writer` before anything else is written. It must not raise.
        """
        try:
            return await asyncio.wrap_future(self._writer.submit(work, committed))
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) in _STOOD_IN_THE_WAY:
                raise Conflict from error
            raise

    async def close(self) -> None:
        """What was begun is finished."""
        await asyncio.to_thread(self._close)

    def _read(self, work: Callable[[Connection], T]) -> T:
        return _transaction(self._reading, work)

    def _migrate(self) -> None:
        with self._engine.execution_options(**{_IMMEDIATE: True}).begin() as connection:
            if self._shared:
                # Nodes that start together must not all migrate.
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            upgrade(connection)

    def _take_node_lock(self, shared: bool) -> Connection:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        attempt = "pg_try_advisory_lock_shared" if shared else "pg_try_advisory_lock"
        try:
            free = connection.scalar(text(f"SELECT {attempt}({_NODE_LOCK})"))
        except BaseException:
            connection.close()
            raise
        if not free:
            connection.close()
            how = "that has it alone" if shared else "already; several nodes need a Redis to share it by"
            raise DatabaseTaken(f"a service uses this database {how}")
        return connection

    def _close(self) -> None:
        self._writer.close()
        self._readers.shutdown()
        if self._node_lock is not None:
            self._node_lock.invalidate()  # the lock ends with its connection
            self._node_lock.close()
            self._node_lock = None
        self._engine.dispose()


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[Connection], Any]
    committed: Callable[[], None] | None
    done: "Future[Any]"

    def succeed(self, result: Any) -> None:
        if self.committed is not None:
            self.committed()
        self.done.set_result(result)


class _Writer:
    """Runs transactions somewhere else."""

    thread: ThreadPoolExecutor

    def submit(self, work: Callable[[Connection], T], committed: Callable[[], None] | None) -> "Future[T]":
        raise NotImplementedError

    def close(self) -> None:
        """Finish what was submitted."""
        raise NotImplementedError


class _PooledWriter(_Writer):
    """Each transaction on a thread and a connection of its own."""

    def __init__(self, engine: Engine, threads: ThreadPoolExecutor) -> None:
        self._engine, self.thread = engine, threads

    def submit(self, work: Callable[[Connection], T], committed: Callable[[], None] | None) -> "Future[T]":
        return self.thread.submit(self._run, work, committed)

    def _run(self, work: Callable[[Connection], T], committed: Callable[[], None] | None) -> T:
        result = _transaction(self._engine, work)
        if committed is not None:
            committed()
        return result

    def close(self) -> None:
        pass


class _GroupWriter(_Writer):
    """One thread, one connection. What waits meanwhile shares a commit, each in a savepoint of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(**{_IMMEDIATE: True})
        self._connection: Connection | None = None
        """Kept, of the thread: to take one for every commit costs more than a statement."""
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self.thread = ThreadPoolExecutor(1, "storage-write")

    def submit(self, work: Callable[[Connection], T], committed: Callable[[], None] | None) -> "Future[T]":
        job = _Job(work, committed, Future())
        self._jobs.put(job)
        self.thread.submit(self._run)
        return job.done

    def close(self) -> None:
        self.thread.submit(self._close)
        self.thread.shutdown()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _begin(self) -> RootTransaction:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection.begin()

    def _run(self) -> None:
        """All that waits. Called once for each job: it finds none when an earlier call took it along."""
        group: list[_Job] = []
        while len(group) < MAX_GROUP:
            try:
                group.append(self._jobs.get_nowait())
            except queue.Empty:
                break
        # Who stopped waiting before it began does not get it done.
        group = [job for job in group if job.done.set_running_or_notify_cancel()]
        if len(group) == 1:
            self._run_alone(group[0])
        elif group:
            self._run_together(group)

    def _run_alone(self, job: _Job) -> None:
        try:
            with self._begin() as transaction:
                result = job.work(transaction.connection)
        except BaseException as error:
            job.done.set_exception(error)
        else:
            job.succeed(result)

    def _run_together(self, group: list[_Job]) -> None:
        finished: list[tuple[_Job, Any]] = []
        try:
            with self._begin() as transaction:
                connection = transaction.connection
                for job in group:
                    try:
                        with connection.begin_nested():
                            result = job.work(connection)
                    except Exception as error:
                        job.done.set_exception(error)
                    else:
                        finished.append((job, result))
        except BaseException as error:
            for job in group:
                if not job.done.done():
                    job.done.set_exception(error)
        else:
            for job, result in finished:
                job.succeed(result)


def _transaction(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Committed after `work`. Once more when the connection was one of a database that has restarted since.

    Not when that shows at the commit: it may have been done.
    """
    with engine.connect() as connection:
        transaction = connection.begin()
        try:
            result = work(connection)
        except BaseException as error:
            transaction.rollback()
            if not (isinstance(error, DBAPIError) and error.connection_invalidated):
                raise
        else:
            transaction.commit()
            return result
    with engine.begin() as connection:
        return work(connection)


def _sqlite(url: URL) -> Engine:
    _create_private(url)
    # The driver's connections stay with the threads that use them; one in memory is one for all.
    options: dict[str, Any] = {"poolclass": StaticPool} if _in_memory(url) else {"pool_size": READERS + 2}
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        hide_parameters=True,
        connect_args={"check_same_thread": False},
        **options,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgresql(url: URL) -> Engine:
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    # One connection more: the node's lock.
    return create_engine(url, pool_size=POOL_SIZE + 1, hide_parameters=True)


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
