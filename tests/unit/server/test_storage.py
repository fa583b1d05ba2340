# SPDX-License-Identifier: GPL-3.0-or-later
"""The database: migrations that agree with the tables, SQLite's settings, transactions."""

import asyncio
import stat
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


async def test_the_migrations_make_the_tables() -> None:
    storage = await Storage.open(MEMORY)
    async with storage.read() as connection:
        assert await connection.run_sync(differences) == []
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
        async with storage.read() as connection:
            pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            found = [(await connection.execute(text(f"PRAGMA {name}"))).scalar() for name in pragmas]
        assert found == ["wal", 2, 1, 5000]
        await storage.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    storage = await Storage.open(f"sqlite:///{tmp_path}/service.db")
    row = {"app_id": 1, "user_id": "a", "call_id": "c"}

    async def fail() -> None:
        async with storage.write() as connection:
            await connection.execute(insert(AppRow).values(app_id=1, secret="", name="", multi_device=True))
            await connection.execute(insert(UserBusyRow), [row, row])

    with pytest.raises(IntegrityError):
        await fail()
    async with storage.read() as connection:
        assert (await connection.execute(select(AppRow.app_id))).all() == []
        assert (await connection.execute(select(UserBusyRow.user_id))).all() == []
    await storage.close()


async def test_two_processes_write_to_one_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/service.db"
    storages = [await Storage.open(url), await Storage.open(url)]

    async def add(storage: Storage, first: int) -> None:
        for app_id in range(first, 40, 2):
            async with storage.write() as connection:
                # Reads before it writes, as every commit does.
                await connection.execute(select(AppRow.app_id))
                values = {"app_id": app_id + 1, "secret": "", "name": "", "multi_device": True}
                await connection.execute(insert(AppRow).values(values))

    await asyncio.gather(*(add(storage, first) for first, storage in enumerate(storages)))
    async with storages[0].read() as connection:
        assert len((await connection.execute(select(AppRow.app_id))).all()) == 40
    for storage in storages:
        await storage.close()
