# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a call that is over."""

from callagent.protocol.enums import CallEndReason, CallResult
from callagent.server.calls.model import Call, CallRecord, Member, MemberRecord

_UNANSWERED = {
    CallEndReason.CANCELED: CallResult.CANCEL,
    CallEndReason.REJECT: CallResult.REJECT,
    CallEndReason.NO_RESPONSE: CallResult.NOT_ANSWER,
    CallEndReason.LINE_BUSY: CallResult.CALL_BUSY,
}


def record_of(call: Call, ended_at: float, reason: CallEndReason, ended_by: str) -> CallRecord:
    accepted_at = call.accepted_at
    return CallRecord(
        app_id=call.app_id,
        call_id=call.call_id,
        caller_id=call.caller_id,
        media_type=call.media_type,
        room_id=call.room_id,
        user_data=call.user_data,
        chat_group_id=call.chat_group_id,
        result=_result(accepted_at is not None, reason),
        end_reason=reason,
        ended_by=ended_by,
        began_at=call.invited_at,
        accepted_at=accepted_at,
        ended_at=ended_at,
        total_s=max(0.0, ended_at - accepted_at) if accepted_at is not None else 0.0,
        members=tuple(_member(member, ended_at) for member in call.members.values()),
    )


def _result(answered: bool, reason: CallEndReason) -> CallResult:
    """A side that was lost makes an interrupted call, also one that the service ended unanswered."""
    if answered:
        return CallResult.INTERRUPT if reason is CallEndReason.OFFLINE else CallResult.NORMAL_END
    return _UNANSWERED.get(reason, CallResult.INTERRUPT)


def _member(member: Member, ended_at: float) -> MemberRecord:
    return MemberRecord(
        user_id=member.user_id,
        status=member.status,
        accepted_at=member.first_began(),
        ended_at=member.ended_at,
        total_s=member.connected_s(ended_at),
    )
