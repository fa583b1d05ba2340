# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL: several writers, which may be other nodes' as well; each transaction on a thread of its own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from callagent.server.storage.backend import Committed, Conflict, DatabaseTaken, T, Work, transaction_on

POOL_SIZE = 10
"""Connections, and threads that use them."""
_MIGRATION_LOCK, _NODE_LOCK = 0x63616C6C01, 0x63616C6C02
"""Numbers of advisory locks."""
_STOOD_IN_THE_WAY = frozenset({"40001", "40P01"})
"""serialization_failure and deadlock_detected (PostgreSQL, appendix A)."""


class PostgreSql:
    """A `Backend`."""

    one_writer = False

    def __init__(self, url: URL) -> None:
        if url.drivername in ("postgres", "postgresql"):
            url = url.set(drivername="postgresql+psycopg")
        # One connection more: the node's lock.
        self._engine = create_engine(url, pool_size=POOL_SIZE + 1, hide_parameters=True)
        self._reading = self._engine.execution_options(isolation_level="REPEATABLE READ")
        self._threads = ThreadPoolExecutor(POOL_SIZE, "storage")
        self._node_lock: Connection | None = None

    async def read(self, work: Work[T], *, short: bool) -> T:
        return await asyncio.wrap_future(self._threads.submit(_transaction, self._reading, work))

    async def write(self, work: Work[T], committed: Committed | None, *, short: bool) -> T:
        try:
            return await asyncio.wrap_future(self._threads.submit(self._write, work, committed))
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) in _STOOD_IN_THE_WAY:
                raise Conflict from error
            raise

    async def register(self, *, shared: bool) -> None:
        if self._node_lock is None:
            self._node_lock = await asyncio.to_thread(self._take_node_lock, shared)

    def migrate(self, upgrade: Callable[[Connection], None]) -> None:
        with self._engine.begin() as connection:
            # Nodes that start together must not all migrate.
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            upgrade(connection)

    async def finish(self) -> None:
        """The threads do."""

    def close(self) -> None:
        self._threads.shutdown()
        if self._node_lock is not None:
            self._node_lock.invalidate()  # the lock ends with its connection
            self._node_lock.close()
            self._node_lock = None
        self._engine.dispose()

    def _write(self, work: Work[T], committed: Committed | None) -> T:
        result = _transaction(self._engine, work)
        if committed is not None:
            committed()
        return result

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


def _transaction(engine: Engine, work: Work[T]) -> T:
    """Once more when the connection was one of a database that has restarted since.

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
    return transaction_on(engine, work)
