# SPDX-License-Identifier: GPL-3.0-or-later
"""The durable event log of every session: numbered, replayed at resume, trimmed by ack."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from callagent.protocol.events import AnyEventData, Event, event_name
from callagent.server.storage.tables import SessionEventRow, SessionRow

MAX_EVENTS = 1000
"""A session that does not acknowledge loses the older ones, and with them the way to resume."""


@dataclass(frozen=True, slots=True)
class SessionKey:
    app_id: int
    session_id: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One stored event on its way to its session."""

    session: SessionKey
    event: Event


async def append(
    connection: AsyncConnection, app_id: int, events: Mapping[str, Iterable[AnyEventData]], now: float
) -> list[Delivery]:
    """Number and store the events of each session; a session that is gone gets none."""
    deliveries: list[Delivery] = []
    # In one order, lest two transactions each wait for a row the other has.
    for session_id in sorted(events):
        new = list(events[session_id])
        ours = (SessionRow.app_id == app_id, SessionRow.session_id == session_id)
        count = (
            update(SessionRow)
            .where(*ours)
            .values(last_seq=SessionRow.last_seq + len(new))
            .returning(SessionRow.last_seq, SessionRow.acked_seq)
        )
        counted = (await connection.execute(count)).first()
        if counted is None:
            continue
        last_seq, acked_seq = counted
        first = last_seq - len(new) + 1
        stored = [
            Event(seq=first + i, event=event_name(item), time=int(now * 1000), data=item.wire())
            for i, item in enumerate(new)
        ]
        await connection.execute(
            insert(SessionEventRow), [_row(app_id, session_id, event) for event in stored]
        )
        if last_seq - acked_seq > MAX_EVENTS:
            await trim(connection, SessionKey(app_id, session_id), last_seq - MAX_EVENTS)
        deliveries += [Delivery(SessionKey(app_id, session_id), event) for event in stored]
    return deliveries


async def read_after(connection: AsyncConnection, session: SessionKey, seq: int) -> list[Event]:
    """The events after `seq`, in order."""
    query = (
        select(SessionEventRow.seq, SessionEventRow.event, SessionEventRow.time_ms, SessionEventRow.data)
        .where(
            SessionEventRow.app_id == session.app_id,
            SessionEventRow.session_id == session.session_id,
            SessionEventRow.seq > seq,
        )
        .order_by(SessionEventRow.seq)
    )
    return [
        Event(seq=number, event=name, time=time_ms, data=data)
        for number, name, time_ms, data in await connection.execute(query)
    ]


async def trim(connection: AsyncConnection, session: SessionKey, seq: int) -> None:
    """Forget the events up to `seq`."""
    await connection.execute(
        update(SessionRow)
        .where(
            SessionRow.app_id == session.app_id,
            SessionRow.session_id == session.session_id,
            SessionRow.acked_seq < seq,
        )
        .values(acked_seq=seq)
    )
    await connection.execute(
        delete(SessionEventRow).where(
            SessionEventRow.app_id == session.app_id,
            SessionEventRow.session_id == session.session_id,
            SessionEventRow.seq <= seq,
        )
    )


def _row(app_id: int, session_id: str, event: Event) -> dict[str, object]:
    return {
        "app_id": app_id,
        "session_id": session_id,
        "seq": event.seq,
        "event": event.event,
        "time_ms": event.time,
        "data": event.data,
    }
