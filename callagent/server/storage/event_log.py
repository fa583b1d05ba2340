# SPDX-License-Identifier: GPL-3.0-or-later
"""The durable event log of every session: numbered, replayed at resume, trimmed by ack."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from callagent.protocol.events import AnyEventData, Event, event_name
from callagent.server.storage.tables import SessionEventRow, SessionRow, table

MAX_EVENTS = 1000
"""A session that does not acknowledge loses the older ones, and with them the way to resume."""


_SESSIONS, _EVENTS = table(SessionRow).c, table(SessionEventRow).c
_OF_SESSION = (_SESSIONS.app_id == bindparam("app"), _SESSIONS.session_id == bindparam("session"))
_OF_LOG = (_EVENTS.app_id == bindparam("app"), _EVENTS.session_id == bindparam("session"))
_COUNT = (
    update(table(SessionRow))
    .where(*_OF_SESSION)
    .values(last_seq=_SESSIONS.last_seq + bindparam("more"))
    .returning(_SESSIONS.last_seq, _SESSIONS.acked_seq)
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
    deliveries: list[Delivery] = []
    # In one order, lest two transactions each wait for a row the other has.
    for session_id in sorted(events):
        new = list(events[session_id])
        counted = connection.execute(_COUNT, {"app": app_id, "session": session_id, "more": len(new)}).first()
        if counted is None:
            continue
        last_seq, acked_seq = counted
        first = last_seq - len(new) + 1
        stored = [
            Event(seq=first + i, event=event_name(item), time=int(now * 1000), data=item.wire())
            for i, item in enumerate(new)
        ]
        connection.execute(_ADD, [_row(app_id, session_id, event) for event in stored])
        if last_seq - acked_seq > MAX_EVENTS:
            trim(connection, SessionKey(app_id, session_id), last_seq - MAX_EVENTS)
        deliveries += [Delivery(SessionKey(app_id, session_id), event) for event in stored]
    return deliveries


def read_after(connection: Connection, session: SessionKey, seq: int) -> list[Event]:
    """The events after `seq`, in order."""
    wanted = {"app": session.app_id, "session": session.session_id, "after": seq}
    return [
        Event(seq=number, event=name, time=time_ms, data=data)
        for number, name, time_ms, data in connection.execute(_AFTER, wanted)
    ]


def trim(connection: Connection, session: SessionKey, seq: int) -> None:
    """Forget the events up to `seq`."""
    done = {"app": session.app_id, "session": session.session_id, "upto": seq}
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
