# SPDX-License-Identifier: GPL-3.0-or-later
"""What the records of a time say together (callkit-server 3.2)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Integer, cast, func, literal, select, union_all

from callagent.protocol.enums import CallResult
from callagent.server.calls.records import RecordFilter, conditions
from callagent.server.storage.engine import Storage
from callagent.server.storage.tables import CallMemberRow, CallRecordRow, CallRow

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Day:
    began_at: float
    """Its midnight, Unix seconds."""
    calls: int
    answered: int
    total_s: float


@dataclass(frozen=True, slots=True)
class Statistics:
    calls: int
    """All, answered or not."""
    answered: int
    total_s: float
    """Of the answered ones together."""
    longest_s: float
    users: int
    """Who was connected in at least one call, each once."""
    most_at_once: int
    """Connected calls."""
    results: dict[CallResult, int]
    days: tuple[Day, ...]
    """Those with calls, the oldest first."""
    live: int
    """Calls that are going on now, ringing or connected."""


async def statistics(storage: Storage, app_id: int, wanted: RecordFilter, utc_offset_s: int) -> Statistics:
    """Of the records that fit the filter; days begin `utc_offset_s` before midnight in Greenwich."""
    return await storage.read(lambda connection: _statistics(connection, app_id, wanted, utc_offset_s))


def _statistics(connection: Connection, app_id: int, wanted: RecordFilter, utc_offset_s: int) -> Statistics:
    where = conditions(app_id, wanted)
    results, days = _days(connection, where, utc_offset_s)
    live = select(func.count()).select_from(CallRow).where(CallRow.app_id == app_id)
    return Statistics(
        calls=sum(results.values()),
        answered=sum(day.answered for day in days),
        total_s=sum(day.total_s for day in days),
        longest_s=connection.scalar(select(func.max(CallRecordRow.total_s)).where(*where)) or 0.0,
        users=_users(connection, where),
        most_at_once=_most_at_once(connection, where),
        results=dict(results),
        days=days,
        live=connection.scalar(live) or 0,
    )


def _days(
    connection: Connection, where: Sequence[ColumnElement[bool]], utc_offset_s: int
) -> tuple[Counter[CallResult], tuple[Day, ...]]:
    day = cast(func.floor((CallRecordRow.began_at + utc_offset_s) / DAY_S), Integer)
    query = (
        select(
            day.label("day"),
            CallRecordRow.result,
            func.count().label("calls"),
            func.count(CallRecordRow.accepted_at).label("answered"),
            func.sum(CallRecordRow.total_s).label("total_s"),
        )
        .where(*where)
        .group_by(day, CallRecordRow.result)
        .order_by(day)
    )
    results: Counter[CallResult] = Counter()
    days: dict[int, Day] = {}
    for row in connection.execute(query):
        results[CallResult(row.result)] += row.calls
        so_far = days.get(row.day, Day(float(row.day * DAY_S - utc_offset_s), 0, 0, 0.0))
        days[row.day] = Day(
            so_far.began_at,
            so_far.calls + row.calls,
            so_far.answered + row.answered,
            so_far.total_s + row.total_s,
        )
    return results, tuple(days.values())


def _users(connection: Connection, where: Sequence[ColumnElement[bool]]) -> int:
    of_call = (CallMemberRow.app_id == CallRecordRow.app_id) & (
        CallMemberRow.call_id == CallRecordRow.call_id
    )
    query = (
        select(func.count(CallMemberRow.user_id.distinct()))
        .join(CallRecordRow, of_call)
        .where(CallMemberRow.accepted_at.is_not(None), *where)
    )
    return connection.scalar(query) or 0


def _most_at_once(connection: Connection, where: Sequence[ColumnElement[bool]]) -> int:
    """A running sum over beginnings and ends; a call that ends as another begins is not beside it."""
    answered = (CallRecordRow.accepted_at.is_not(None), *where)
    turns = union_all(
        select(CallRecordRow.accepted_at.label("at"), literal(1).label("change")).where(*answered),
        select(CallRecordRow.ended_at.label("at"), literal(-1).label("change")).where(*answered),
    ).subquery()
    running = select(
        func.sum(turns.c.change).over(order_by=(turns.c.at, turns.c.change), rows=(None, 0)).label("running")
    ).subquery()
    return connection.scalar(select(func.max(running.c.running))) or 0
