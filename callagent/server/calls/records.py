# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of calls that are over, for the app's back end."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, func, select

from callagent.protocol.enums import CallEndReason, CallResult, MediaType
from callagent.server.calls.model import CallRecord, MemberRecord, MemberStatus
from callagent.server.storage.engine import Storage
from callagent.server.storage.tables import CallMemberRow, CallRecordRow

CallType = Literal["SingleCall", "MultiCall"]
"""Two members or more."""


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """All that is given must hold. Times are Unix seconds of the invitation, both ends included."""

    call_id: str | None = None
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


async def records_of(storage: Storage, app_id: int, wanted: RecordFilter) -> Found:
    where = conditions(app_id, wanted)
    page = (
        select(CallRecordRow)
        .where(*where)
        .order_by(CallRecordRow.began_at.desc(), CallRecordRow.call_id)
        .offset(wanted.skip)
        .limit(wanted.limit)
    )
    count = select(func.count()).select_from(CallRecordRow).where(*where)

    def work(connection: Connection) -> tuple[int, Sequence[Any], dict[str, list[MemberRecord]]]:
        rows = connection.execute(page).all()
        members = _members(connection, app_id, [row.call_id for row in rows])
        return connection.execute(count).scalar_one(), rows, members

    total, rows, members = await storage.read(work)
    return Found(
        total,
        [
            CallRecord(
                app_id=app_id,
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
            for row in rows
        ],
    )


def conditions(app_id: int, wanted: RecordFilter) -> list[ColumnElement[bool]]:
    """Which records fit."""
    found: list[ColumnElement[bool]] = [CallRecordRow.app_id == app_id]
    if wanted.call_id is not None:
        found.append(CallRecordRow.call_id == wanted.call_id)
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


def _members(connection: Connection, app_id: int, call_ids: list[str]) -> dict[str, list[MemberRecord]]:
    query = (
        select(CallMemberRow)
        .where(CallMemberRow.app_id == app_id, CallMemberRow.call_id.in_(call_ids))
        .order_by(CallMemberRow.position)
    )
    found: dict[str, list[MemberRecord]] = {}
    for row in connection.execute(query):
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
