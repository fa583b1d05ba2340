# SPDX-License-Identifier: GPL-3.0-or-later
"""The database: migrations that agree with the tables, SQLite's settings, transactions."""

import asyncio
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import IntegrityError

from callagent.server.storage.engine import Storage
from callagent.server.storage.tables import AppRow, Base, UserBusyRow
from tests.unit.server.rig import MEMORY


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))


def pragmas(connection: Connection) -> list[object]:
    names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    return [connection.execute(text(f"PRAGMA {name}")).scalar() for name in names]


def an_app(app_id: int) -> Callable[[Connection], None]:
    values = {"app_id": app_id, "secret": "", "name": "", "multi_device": True}

    def add(connection: Connection) -> None:
        connection.execute(insert(AppRow).values(values))

    return add


async def app_ids(storage: Storage) -> list[int]:
    return await storage.read(lambda c: list(c.scalars(select(AppRow.app_id).order_by(AppRow.app_id))))


async def test_the_migrations_make_the_tables() -> None:
    storage = await Storage.open(MEMORY)
    assert await storage.read(differences) == []
    await storage.close()


def test_every_table_is_keyed_by_app() -> None:
    """But that of the nodes, which serve all of them."""
    for table in Base.metadata.tables.values():
        if table.name == "nodes":
            continue
        assert next(iter(table.primary_key.columns)).name == "app_id", table.name


async def test_a_file_is_private_durable_and_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "service.db"
    for _ in range(2):
        storage = await Storage.open(f"sqlite:///{path}")
        assert await storage.read(pragmas) == ["wal", 2, 1, 5000]
        await storage.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    storage = await Storage.open(f"sqlite:///{tmp_path}/service.db")
    row = {"app_id": 1, "user_id": "a", "call_id": "c"}

    def fail(connection: Connection) -> None:
        connection.execute(insert(AppRow).values(app_id=1, secret="", name="", multi_device=True))
        connection.execute(insert(UserBusyRow), [row, row])

    with pytest.raises(IntegrityError):
        await storage.write(fail)
    for column in (AppRow.app_id, UserBusyRow.user_id):
        assert await storage.read(lambda c, column=column: c.execute(select(column)).all()) == []  # type: ignore[misc]
    await storage.close()


@pytest.mark.parametrize("short", [False, True])
async def test_those_that_wait_are_committed_together_and_fail_alone(tmp_path: Path, short: bool) -> None:
    storage = await Storage.open(f"sqlite:///{tmp_path}/service.db")
    held = threading.Event()
    first = asyncio.create_task(storage.write(lambda _: held.wait(20)))

    def add(app_id: int) -> Callable[[Connection], int]:
        values = {"app_id": app_id, "secret": "", "name": "", "multi_device": True}
        return lambda connection: connection.execute(insert(AppRow).values(values)).rowcount

    waiting = [asyncio.create_task(storage.write(add(app_id), short=short)) for app_id in (1, 2, 2, 3)]
    forgotten = asyncio.create_task(storage.write(add(4), short=short))
    await asyncio.sleep(0)
    forgotten.cancel()
    with pytest.raises(asyncio.CancelledError):
        await forgotten
    await asyncio.sleep(0)  # the word gets to the thread
    held.set()
    await first
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int, int, IntegrityError, int]
    assert await app_ids(storage) == [1, 2, 3]
    await storage.close()


@pytest.mark.parametrize("short", [False, True])
async def test_two_processes_write_to_one_file(tmp_path: Path, short: bool) -> None:
    url = f"sqlite:///{tmp_path}/service.db"
    storages = [await Storage.open(url), await Storage.open(url)]

    async def add(storage: Storage, first: int) -> None:
        for app_id in range(first, 40, 2):

            def work(connection: Connection, app_id: int = app_id) -> None:
                # Reads before it writes, as every commit does.
                connection.execute(select(AppRow.app_id))
                values = {"app_id": app_id + 1, "secret": "", "name": "", "multi_device": True}
                connection.execute(insert(AppRow).values(values))

            await storage.write(work, short=short)

    await asyncio.gather(*(add(storage, first) for first, storage in enumerate(storages)))
    assert len(await storages[0].read(lambda c: c.execute(select(AppRow.app_id)).all())) == 40
    for storage in storages:
        await storage.close()


async def test_short_ones_wait_for_the_writer_of_another_process(tmp_path: Path) -> None:
    """And the loop goes on meanwhile."""
    url = f"sqlite:///{tmp_path}/service.db"
    storage, other = await Storage.open(url), await Storage.open(url)
    begun, held = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        begun.set()
        held.wait(20)

    holding = asyncio.create_task(other.write(hold))
    await asyncio.to_thread(begun.wait, 20)
    waiting = asyncio.create_task(storage.write(an_app(1), short=True))
    # What was committed before is still there to be read.
    assert await storage.read(lambda c: c.execute(select(AppRow.app_id)).all(), short=True) == []
    assert not waiting.done()
    held.set()
    await asyncio.gather(holding, waiting)
    assert await app_ids(storage) == [1]
    for each in (storage, other):
        await each.close()


@pytest.mark.parametrize("short", [False, True])
async def test_nobody_is_told_of_what_the_database_gave_up(tmp_path: Path, short: bool) -> None:
    """As SQLite does by itself when the disk is full (sqlite.org/lang_transaction.html)."""
    storage = await Storage.open(f"sqlite:///{tmp_path}/service.db")
    begun, held = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        begun.set()
        held.wait(20)

    first = asyncio.create_task(storage.write(hold))
    await asyncio.to_thread(begun.wait, 20)

    def give_up(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")
        raise OSError("the disk is full")

    works = [an_app(1), give_up, an_app(2)]
    waiting = [asyncio.create_task(storage.write(work, short=short)) for work in works]
    await asyncio.sleep(0)
    held.set()
    await first
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(outcome, Exception) for outcome in outcomes] == [True, True, True]
    assert await app_ids(storage) == []
    # It goes on.
    await storage.write(an_app(3), short=short)
    assert await app_ids(storage) == [3]
    await storage.close()


async def test_a_commit_is_told_even_when_nobody_waits_for_it(tmp_path: Path) -> None:
    storage = await Storage.open(f"sqlite:///{tmp_path}/service.db")
    begun, held = threading.Event(), threading.Event()
    told: list[str] = []

    def work(connection: Connection) -> None:
        begun.set()
        held.wait(20)

    given_up = asyncio.create_task(storage.write(work, lambda: told.append("given up")))
    await asyncio.to_thread(begun.wait, 20)

    def look(name: str) -> "asyncio.Task[list[str]]":
        return asyncio.create_task(storage.write(lambda _: list(told), lambda: told.append(name)))

    together = [look("second"), look("third")]
    failing = asyncio.create_task(storage.write(lambda _: 1 / 0, lambda: told.append("failed")))
    await asyncio.sleep(0)
    given_up.cancel()
    held.set()
    with pytest.raises(ZeroDivisionError):
        await failing
    # Before anything else was written.
    assert await asyncio.gather(*together) == [["given up"]] * 2
    assert told == ["given up", "second", "third"]
    await storage.close()
