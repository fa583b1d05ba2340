# SPDX-License-Identifier: GPL-3.0-or-later
"""The durable event log of every session: numbered, replayed at resume, trimmed by ack."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from callagent.protocol import taken_out
from callagent.protocol.events import AnyEventData, Event, event_name
from callagent.server.storage.tables import SessionEventRow, SessionRow, table

MAX_EVENTS = 1000
"""A session that does not acknowledge loses the older ones, and with them the way to resume."""


_SESSIONS, _EVENTS = table(SessionRow).c, table(SessionEventRow).c
_OF_SESSION = (_SESSIONS.app_id == bindparam("app"), _SESSIONS.session_id == bindparam("session"))
_OF_LOG = (_EVENTS.app_id == bindparam("app"), _EVENTS.session_id == bindparam("session"))
_COUNT = (
    update(table(SessionRow))
    .where(
        _SESSIONS.app_id == bindparam("app"),
        _SESSIONS.session_id.in_(bindparam("sessions", expanding=True)),
    )
    .values(last_seq=_SESSIONS.last_seq + bindparam("more"))
    .returning(_SESSIONS.session_id, _SESSIONS.last_seq, _SESSIONS.acked_seq)
)
_ADD = insert(table(SessionEventRow))
_AFTER = (
    select(_EVENTS.seq, _EVENTS.event, _EVENTS.time_ms, _EVENTS.data)
    .where(*_OF_LOG, _EVENTS.seq > bindparam("after"))
    .order_by(_EVENTS.seq)
)
_ACK = (
    update(table(SessionRow))
    .where(*_OF_SESSION, _SESSIONS.acked_seq < bindparam("upto"))
    .values(acked_seq=bindparam("upto"))
)
_TRIM = delete(table(SessionEventRow)).where(*_OF_LOG, _EVENTS.seq <= bindparam("upto"))


@dataclass(frozen=True, slots=True)
class SessionKey:
    app_id: int
    session_id: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One stored event on its way to its session."""

    session: SessionKey
    event: Event


def append(
    connection: Connection, app_id: int, events: Mapping[str, Iterable[AnyEventData]], now: float
) -> list[Delivery]:
    """Number and store the events of each session; a session that is gone gets none."""
    new = {session_id: list(items) for session_id, items in events.items()}
    if taken_out.anything():
        new = _told(new)
    time_ms = int(now * 1000)
    data = _each_once(new)
    deliveries: list[Delivery] = []
    too_long: dict[SessionKey, int] = {}
    for session_id, last_seq, acked_seq in _counted(connection, app_id, new):
        key, items = SessionKey(app_id, session_id), new[session_id]
        for seq, item in enumerate(items, last_seq - len(items) + 1):
            # Not validated: it is made of models that are.
            event = Event.model_construct(seq=seq, event=event_name(item), time=time_ms, data=data[id(item)])
            deliveries.append(Delivery(key, event))
        if last_seq - acked_seq > MAX_EVENTS:
            too_long[key] = last_seq - MAX_EVENTS
    if deliveries:
        connection.execute(_ADD, [_row(app_id, each.session.session_id, each.event) for each in deliveries])
    if too_long:
        trim(connection, too_long)
    return deliveries


def _each_once(events: Mapping[str, Sequence[AnyEventData]]) -> dict[int, dict[str, Any]]:
    """The JSON object of each, by `id`: some are for several sessions."""
    different = {id(item): item for items in events.values() for item in items}
    return {number: item.wire() for number, item in different.items()}


def _told(new: Mapping[str, Sequence[AnyEventData]]) -> dict[str, list[AnyEventData]]:
    """Without the event that a test has taken out."""
    kept = {
        session_id: [item for item in items if not taken_out.gone("event", event_name(item))]
        for session_id, items in new.items()
    }
    return {session_id: items for session_id, items in kept.items() if items}


def _counted(
    connection: Connection, app_id: int, new: Mapping[str, Sequence[AnyEventData]]
) -> list[tuple[str, int, int]]:
    """The sessions that are still there, each with its new last number and the one it has acknowledged.

    Most steps tell all sides equally much: one statement for those with as many. Two transactions that would
    each wait for a session the other has are rare then; PostgreSQL ends one, which is done again.
    """
    by_count: dict[int, list[str]] = defaultdict(list)
    for session_id, items in new.items():
        by_count[len(items)].append(session_id)
    found: list[tuple[str, int, int]] = []
    for more, session_ids in sorted(by_count.items()):
        wanted = {"app": app_id, "sessions": sorted(session_ids), "more": more}
        found += [(row[0], row[1], row[2]) for row in connection.execute(_COUNT, wanted)]
    return sorted(found)


def read_after(connection: Connection, session: SessionKey, seq: int) -> list[Event]:
    """The events after `seq`, in order."""
    wanted = {"app": session.app_id, "session": session.session_id, "after": seq}
    return [
        Event(seq=number, event=name, time=time_ms, data=data)
        for number, name, time_ms, data in connection.execute(_AFTER, wanted)
    ]


def trim(connection: Connection, upto: Mapping[SessionKey, int]) -> None:
    """Forget each session's events up to this one."""
    # In one order, lest two transactions each wait for a row the other has.
    order = sorted(upto, key=lambda key: (key.app_id, key.session_id))
    done = [{"app": key.app_id, "session": key.session_id, "upto": upto[key]} for key in order]
    connection.execute(_ACK, done)
    connection.execute(_TRIM, done)


def _row(app_id: int, session_id: str, event: Event) -> dict[str, object]:
    return {
        "app_id": app_id,
        "session_id": session_id,
        "seq": event.seq,
        "event": event.event,
        "time_ms": event.time,
        "data": event.data,
    }
