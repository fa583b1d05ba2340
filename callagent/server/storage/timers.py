# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the durable timers."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, or_, select, update

from callagent.server.storage.tables import TimerRow, table

_TIMERS = table(TimerRow).c
_THIS = (
    _TIMERS.app_id == bindparam("app"),
    _TIMERS.kind == bindparam("which"),
    _TIMERS.key == bindparam("what"),
)
_SET = insert(table(TimerRow))
_CLEAR = delete(table(TimerRow)).where(*_THIS)
_CLEAR_DUE = delete(table(TimerRow)).where(*_THIS, _TIMERS.due_at == bindparam("due"))
_CLAIM = (
    update(table(TimerRow))
    .where(
        *_THIS,
        _TIMERS.due_at == bindparam("due"),
        or_(_TIMERS.claimed_until.is_(None), _TIMERS.claimed_until <= bindparam("now")),
    )
    .values(claimed_until=bindparam("until"))
)


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


def put(connection: Connection, timers: Iterable[Timer]) -> None:
    """Set or move timers; a moved one is unclaimed."""
    moved = list(timers)
    remove(connection, [timer.key for timer in moved])
    add(connection, moved)


def add(connection: Connection, timers: Iterable[Timer]) -> None:
    """Set timers that are known not to be set."""
    rows = [
        {
            "app_id": timer.key.app_id,
            "kind": timer.key.kind.value,
            "key": timer.key.key,
            "due_at": timer.due_at,
            "claimed_until": None,
        }
        for timer in timers
    ]
    if rows:
        connection.execute(_SET, rows)


def remove(connection: Connection, keys: Iterable[TimerKey]) -> None:
    gone = [_this(key) for key in keys]
    if gone:
        connection.execute(_CLEAR, gone)


def remove_if_due(connection: Connection, timer: Timer) -> None:
    """Unless it was moved meanwhile."""
    connection.execute(_CLEAR_DUE, _this(timer.key) | {"due": timer.due_at})


def claim(connection: Connection, timer: Timer, now: float, until: float) -> bool:
    """The compare-and-set that lets exactly one node fire it."""
    claimed = _this(timer.key) | {"due": timer.due_at, "now": now, "until": until}
    return connection.execute(_CLAIM, claimed).rowcount == 1


def unclaim_all(connection: Connection) -> None:
    connection.execute(update(TimerRow).values(claimed_until=None))


def load_all(connection: Connection) -> list[Timer]:
    return _select(connection)


def overdue(connection: Connection, due_before: float, now: float) -> list[Timer]:
    """Those that should have fired by then and that nobody is firing."""
    free = or_(TimerRow.claimed_until.is_(None), TimerRow.claimed_until <= now)
    return _select(connection, TimerRow.due_at <= due_before, free)


def _select(connection: Connection, *where: ColumnElement[bool]) -> list[Timer]:
    query = select(TimerRow.app_id, TimerRow.kind, TimerRow.key, TimerRow.due_at).where(*where)
    return [
        Timer(TimerKey(app_id, TimerKind(kind), key), due_at)
        for app_id, kind, key, due_at in connection.execute(query)
    ]


def _this(key: TimerKey) -> dict[str, Any]:
    return {"app": key.app_id, "which": key.kind.value, "what": key.key}
