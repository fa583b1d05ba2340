# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of calls that are over, for the app's back end."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, bindparam, func, select

from callagent.protocol.enums import CallEndReason, CallResult, MediaType
from callagent.server.calls.model import CallRecord, MemberRecord, MemberStatus
from callagent.server.storage.engine import Storage
from callagent.server.storage.tables import CallMemberRow, CallRecordRow, table

CallType = Literal["SingleCall", "MultiCall"]
"""Two members or more."""

_RECORDS, _MEMBERS = table(CallRecordRow), table(CallMemberRow)
_ONE = select(_RECORDS).where(_RECORDS.c.app_id == bindparam("app"), _RECORDS.c.call_id == bindparam("call"))
_OF_CALLS = (
    select(_MEMBERS)
    .where(_MEMBERS.c.app_id == bindparam("app"), _MEMBERS.c.call_id.in_(bindparam("calls", expanding=True)))
    .order_by(_MEMBERS.c.position)
)


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """All that is given must hold. Times are Unix seconds of the invitation, both ends included."""

    began_from: float | None = None
    began_until: float | None = None
    result: CallResult | None = None
    call_type: CallType | None = None
    skip: int = 0
    limit: int = 10


@dataclass(frozen=True, slots=True)
class Found:
    total: int
    """Without `skip` and `limit`."""
    records: list[CallRecord]
    """The newest first."""


async def record_of_call(storage: Storage, app_id: int, call_id: str) -> CallRecord | None:
    def work(connection: Connection) -> CallRecord | None:
        row = connection.execute(_ONE, {"app": app_id, "call": call_id}).first()
        return _record(row, _members(connection, app_id, [call_id])) if row is not None else None

    return await storage.read(work, short=True)


async def records_of(storage: Storage, app_id: int, wanted: RecordFilter) -> Found:
    where = conditions(app_id, wanted)
    page = (
        select(_RECORDS)
        .where(*where)
        .order_by(CallRecordRow.began_at.desc(), CallRecordRow.call_id)
        .offset(wanted.skip)
        .limit(wanted.limit)
    )
    count = select(func.count()).select_from(CallRecordRow).where(*where)

    def work(connection: Connection) -> Found:
        rows = connection.execute(page).all()
        members = _members(connection, app_id, [row.call_id for row in rows])
        return Found(connection.execute(count).scalar_one(), [_record(row, members) for row in rows])

    return await storage.read(work)


def conditions(app_id: int, wanted: RecordFilter) -> list[ColumnElement[bool]]:
    """Which records fit."""
    found: list[ColumnElement[bool]] = [CallRecordRow.app_id == app_id]
    if wanted.began_from is not None:
        found.append(CallRecordRow.began_at >= wanted.began_from)
    if wanted.began_until is not None:
        found.append(CallRecordRow.began_at <= wanted.began_until)
    if wanted.result is not None:
        found.append(CallRecordRow.result == wanted.result.value)
    if wanted.call_type is not None:
        members = (
            select(func.count())
            .select_from(CallMemberRow)
            .where(CallMemberRow.app_id == app_id, CallMemberRow.call_id == CallRecordRow.call_id)
            .correlate(CallRecordRow)
            .scalar_subquery()
        )
        found.append(members > 2 if wanted.call_type == "MultiCall" else members <= 2)
    return found


def _record(row: Any, members: Mapping[str, Sequence[MemberRecord]]) -> CallRecord:
    return CallRecord(
        app_id=row.app_id,
        call_id=row.call_id,
        caller_id=row.caller_id,
        media_type=MediaType(row.media_type),
        room_id=json.loads(row.room_id),
        user_data=row.user_data,
        chat_group_id=row.chat_group_id,
        result=CallResult(row.result),
        end_reason=CallEndReason(row.end_reason),
        ended_by=row.ended_by,
        began_at=row.began_at,
        accepted_at=row.accepted_at,
        ended_at=row.ended_at,
        total_s=row.total_s,
        members=tuple(members.get(row.call_id, ())),
    )


def _members(connection: Connection, app_id: int, call_ids: list[str]) -> dict[str, list[MemberRecord]]:
    found: dict[str, list[MemberRecord]] = {}
    for row in connection.execute(_OF_CALLS, {"app": app_id, "calls": call_ids}):
        found.setdefault(row.call_id, []).append(
            MemberRecord(
                user_id=row.user_id,
                status=MemberStatus(row.status),
                accepted_at=row.accepted_at,
                ended_at=row.ended_at,
                total_s=row.total_s,
            )
        )
    return found
