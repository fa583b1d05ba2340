# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the callbacks: where each app wants them, and those it has not taken yet."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, case, delete, func, insert, or_, select, update
from sqlalchemy.orm import aliased

from callagent.server.storage.tables import CallbackConfigRow, CallbackRow, SessionRow, table

_CONFIGS = table(CallbackConfigRow).c
_CONFIG = select(_CONFIGS.url, _CONFIGS.commands).where(_CONFIGS.app_id == bindparam("app"))


@dataclass(frozen=True, slots=True)
class CallbackConfig:
    url: str
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """From where the client acted."""

    address: str = ""
    platform: str = ""


@dataclass(frozen=True, slots=True)
class Pending:
    """One callback that was not taken yet."""

    app_id: int
    event_id: str
    call_id: str
    command: str
    body: str
    origin: Origin
    attempts: int
    first_failed_at: float | None
    due_at: float


def config(connection: Connection, app_id: int) -> CallbackConfig | None:
    row = connection.execute(_CONFIG, {"app": app_id}).first()
    return CallbackConfig(row.url, tuple(row.commands)) if row is not None else None


def set_config(connection: Connection, app_id: int, wanted: CallbackConfig | None) -> bool:
    """Whether there was one before; None removes it."""
    gone = delete(CallbackConfigRow).where(CallbackConfigRow.app_id == app_id)
    existed = connection.execute(gone).rowcount == 1
    if wanted is not None:
        values = {"app_id": app_id, "url": wanted.url, "commands": list(wanted.commands)}
        connection.execute(insert(CallbackConfigRow).values(values))
    return existed


def add(
    connection: Connection,
    app_id: int,
    told: Sequence[tuple[str, str, dict[str, Any]]],
    session_id: str | None,
    now: float,
) -> bool:
    """Store those (command, call id, body) that the app wants; whether there were any."""
    wanted = config(connection, app_id)
    if wanted is None:
        return False
    rows = [each for each in told if each[0] in wanted.commands]
    if not rows:
        return False
    origin = _origin(connection, app_id, session_id)
    last = select(func.max(CallbackRow.seq)).where(CallbackRow.app_id == app_id)
    first = (connection.execute(last).scalar_one_or_none() or 0) + 1
    for seq, (command, call_id, body) in enumerate(rows, first):
        connection.execute(
            insert(CallbackRow).values(
                app_id=app_id,
                event_id=secrets.token_hex(16),
                seq=seq,
                call_id=call_id,
                command=command,
                body=json.dumps(body, ensure_ascii=False),
                address=origin.address,
                platform=origin.platform,
                attempts=0,
                due_at=now,
                claimed_until=None,
                first_failed_at=None,
                dead=False,
                last_error="",
            )
        )
    return True


def due(connection: Connection, now: float, limit: int) -> list[Pending]:
    """Those to be tried now, the oldest first: of each call the first one that is not dead."""
    query = (
        select(CallbackRow)
        .where(
            CallbackRow.due_at <= now,
            or_(CallbackRow.claimed_until.is_(None), CallbackRow.claimed_until <= now),
            _in_turn(),
        )
        .order_by(CallbackRow.seq)
        .limit(limit)
    )
    return [
        Pending(
            app_id=row.app_id,
            event_id=row.event_id,
            call_id=row.call_id,
            command=row.command,
            body=row.body,
            origin=Origin(row.address, row.platform),
            attempts=row.attempts,
            first_failed_at=row.first_failed_at,
            due_at=row.due_at,
        )
        for row in connection.execute(query)
    ]


def next_due_at(connection: Connection) -> float | None:
    """When something may be tried; a claim counts until it ends."""
    free_at = case(
        (CallbackRow.claimed_until > CallbackRow.due_at, CallbackRow.claimed_until), else_=CallbackRow.due_at
    )
    soonest: float | None = connection.scalar(select(func.min(free_at)).where(_in_turn()))
    return soonest


def claim(connection: Connection, pending: Pending, now: float, until: float) -> bool:
    """The compare-and-set that lets exactly one node try it."""
    free = or_(CallbackRow.claimed_until.is_(None), CallbackRow.claimed_until <= now)
    change = update(CallbackRow).where(*_is(pending), free).values(claimed_until=until)
    return connection.execute(change).rowcount == 1


def taken(connection: Connection, pending: Pending) -> None:
    connection.execute(delete(CallbackRow).where(*_is(pending)))


def failed(
    connection: Connection, pending: Pending, error: str, now: float, due_at: float, *, dead: bool
) -> None:
    values = {
        "attempts": pending.attempts + 1,
        "due_at": due_at,
        "claimed_until": None,
        "first_failed_at": pending.first_failed_at or now,
        "dead": dead,
        "last_error": error[:500],
    }
    connection.execute(update(CallbackRow).where(*_is(pending)).values(values))


def redeliver(connection: Connection, app_id: int, now: float) -> int:
    """Try all dead ones of the app anew; how many there were."""
    change = (
        update(CallbackRow)
        .where(CallbackRow.app_id == app_id, CallbackRow.dead.is_(True))
        .values(dead=False, attempts=0, due_at=now, claimed_until=None, first_failed_at=None)
    )
    return connection.execute(change).rowcount


def _is(pending: Pending) -> tuple[ColumnElement[bool], ...]:
    return CallbackRow.app_id == pending.app_id, CallbackRow.event_id == pending.event_id


def _in_turn() -> ColumnElement[bool]:
    """Of each call the first one that is not dead: they come in order; a dead one holds nobody up."""
    other = aliased(CallbackRow)
    earliest = (
        select(func.min(other.seq))
        .where(
            other.app_id == CallbackRow.app_id,
            other.call_id == CallbackRow.call_id,
            other.dead.is_(False),
        )
        .correlate(CallbackRow)
        .scalar_subquery()
    )
    return or_(CallbackRow.dead.is_(True), CallbackRow.seq == earliest)


def _origin(connection: Connection, app_id: int, session_id: str | None) -> Origin:
    if session_id is None:
        return Origin()
    ours: tuple[ColumnElement[bool], ...] = (
        SessionRow.app_id == app_id,
        SessionRow.session_id == session_id,
    )
    row = connection.execute(select(SessionRow.address, SessionRow.platform).where(*ours)).first()
    return Origin(row.address, row.platform) if row is not None else Origin()
