# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's own view of the call records."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select

from callagent.protocol.enums import CallResult, MediaType, RecentCallResult
from callagent.protocol.replies import HistoryData, HistoryEntry
from callagent.server.calls.model import MemberStatus
from callagent.server.storage.engine import Storage
from callagent.server.storage.tables import CallMemberRow, CallRecordRow, table

_RECORDS, _MEMBERS = table(CallRecordRow).c, table(CallMemberRow).c
_OWN = (
    select(
        _RECORDS.call_id,
        _RECORDS.caller_id,
        _RECORDS.media_type,
        _RECORDS.result,
        _RECORDS.began_at,
        _MEMBERS.status,
        _MEMBERS.total_s,
    )
    .join_from(
        table(CallRecordRow),
        table(CallMemberRow),
        (_MEMBERS.app_id == _RECORDS.app_id) & (_MEMBERS.call_id == _RECORDS.call_id),
    )
    .where(_MEMBERS.app_id == bindparam("app"), _MEMBERS.user_id == bindparam("user"))
    .order_by(_MEMBERS.began_at.desc(), _RECORDS.call_id)
    .limit(bindparam("most"))
)
_OWN_BEFORE = _OWN.where(_MEMBERS.began_at < bindparam("before"))
_INVITED = (
    select(_MEMBERS.call_id, _MEMBERS.user_id)
    .where(_MEMBERS.app_id == bindparam("app"), _MEMBERS.call_id.in_(bindparam("calls", expanding=True)))
    .order_by(_MEMBERS.position)
)


async def history_of(
    storage: Storage, app_id: int, user_id: str, limit: int, before: float | None
) -> HistoryData:
    """The user's calls that began before `before` (Unix seconds), newest first."""
    own: dict[str, Any] = {"app": app_id, "user": user_id, "most": limit}
    if before is not None:
        own["before"] = before

    def work(connection: Connection) -> tuple[Sequence[Any], dict[str, list[str]]]:
        rows = connection.execute(_OWN if before is None else _OWN_BEFORE, own).all()
        invited: dict[str, list[str]] = {}
        if rows:
            wanted = {"app": app_id, "calls": [row.call_id for row in rows]}
            for call_id, member in connection.execute(_INVITED, wanted):
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
