# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's own view of the call records."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from callagent.protocol.enums import CallResult, MediaType, RecentCallResult
from callagent.protocol.replies import HistoryData, HistoryEntry
from callagent.server.calls.model import MemberStatus
from callagent.server.storage.engine import Storage
from callagent.server.storage.tables import CallMemberRow, CallRecordRow


async def history_of(
    storage: Storage, app_id: int, user_id: str, limit: int, before: float | None
) -> HistoryData:
    """The user's calls that began before `before` (Unix seconds), newest first."""
    own = (
        select(
            CallRecordRow.call_id,
            CallRecordRow.caller_id,
            CallRecordRow.media_type,
            CallRecordRow.result,
            CallRecordRow.began_at,
            CallMemberRow.status,
            CallMemberRow.total_s,
        )
        .join(
            CallMemberRow,
            (CallMemberRow.app_id == CallRecordRow.app_id) & (CallMemberRow.call_id == CallRecordRow.call_id),
        )
        .where(CallMemberRow.app_id == app_id, CallMemberRow.user_id == user_id)
        .order_by(CallMemberRow.began_at.desc(), CallRecordRow.call_id)
        .limit(limit)
    )
    if before is not None:
        own = own.where(CallMemberRow.began_at < before)

    def work(connection: Connection) -> tuple[Sequence[Any], dict[str, list[str]]]:
        rows = connection.execute(own).all()
        members = select(CallMemberRow.call_id, CallMemberRow.user_id).where(
            CallMemberRow.app_id == app_id, CallMemberRow.call_id.in_([row.call_id for row in rows])
        )
        invited: dict[str, list[str]] = {}
        for call_id, member in connection.execute(members.order_by(CallMemberRow.position)):
            invited.setdefault(call_id, []).append(member)
        return rows, invited

    rows, invited = await storage.read(work)
    return HistoryData(
        calls=[
            HistoryEntry(
                call_id=row.call_id,
                inviter=row.caller_id,
                invite_list=[member for member in invited[row.call_id] if member != row.caller_id],
                media_type=MediaType(row.media_type),
                result=_recent(row.caller_id == user_id, MemberStatus(row.status)),
                call_result=CallResult(row.result),
                begin_time=row.began_at,
                total_time=row.total_s,
            )
            for row in rows
        ]
    )


def _recent(outgoing: bool, status: MemberStatus) -> RecentCallResult:
    """Who declined a call did not miss it."""
    if outgoing:
        return RecentCallResult.OUTGOING
    answered = status in (MemberStatus.LEFT, MemberStatus.CONNECTED, MemberStatus.REJECTED)
    return RecentCallResult.INCOMING if answered else RecentCallResult.MISSED
