# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the durable timers."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from callagent.server.storage.tables import TimerRow


class TimerKind(StrEnum):
    RING = "ring"
    """Key: call id, a slash, user id."""
    AWAY = "away"
    """Key: session id."""


@dataclass(frozen=True, slots=True)
class TimerKey:
    app_id: int
    kind: TimerKind
    key: str


@dataclass(frozen=True, slots=True)
class Timer:
    key: TimerKey
    due_at: float
    """Unix seconds of the service's clock."""


async def put(connection: AsyncConnection, timers: Iterable[Timer]) -> None:
    """Set or move timers; a moved one is unclaimed."""
    for timer in timers:
        await remove(connection, [timer.key])
        await connection.execute(
            insert(TimerRow).values(
                app_id=timer.key.app_id,
                kind=timer.key.kind.value,
                key=timer.key.key,
                due_at=timer.due_at,
                claimed_until=None,
            )
        )


async def remove(connection: AsyncConnection, keys: Iterable[TimerKey]) -> None:
    for key in keys:
        await connection.execute(delete(TimerRow).where(*_is(key)))


async def remove_if_due(connection: AsyncConnection, timer: Timer) -> None:
    """Unless it was moved meanwhile."""
    await connection.execute(delete(TimerRow).where(*_is(timer.key), TimerRow.due_at == timer.due_at))


async def claim(connection: AsyncConnection, timer: Timer, now: float, until: float) -> bool:
    """The compare-and-set that lets exactly one node fire it."""
    change = (
        update(TimerRow)
        .where(
            *_is(timer.key),
            TimerRow.due_at == timer.due_at,
            or_(TimerRow.claimed_until.is_(None), TimerRow.claimed_until <= now),
        )
        .values(claimed_until=until)
    )
    return (await connection.execute(change)).rowcount == 1


async def unclaim_all(connection: AsyncConnection) -> None:
    await connection.execute(update(TimerRow).values(claimed_until=None))


async def load_all(connection: AsyncConnection) -> list[Timer]:
    return await _select(connection)


async def overdue(connection: AsyncConnection, due_before: float, now: float) -> list[Timer]:
    """Those that should have fired by then and that nobody is firing."""
    free = or_(TimerRow.claimed_until.is_(None), TimerRow.claimed_until <= now)
    return await _select(connection, TimerRow.due_at <= due_before, free)


async def _select(connection: AsyncConnection, *where: ColumnElement[bool]) -> list[Timer]:
    query = select(TimerRow.app_id, TimerRow.kind, TimerRow.key, TimerRow.due_at).where(*where)
    return [
        Timer(TimerKey(app_id, TimerKind(kind), key), due_at)
        for app_id, kind, key, due_at in await connection.execute(query)
    ]


def _is(key: TimerKey) -> tuple[ColumnElement[bool], ...]:
    return TimerRow.app_id == key.app_id, TimerRow.kind == key.kind.value, TimerRow.key == key.key
