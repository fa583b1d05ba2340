# SPDX-License-Identifier: GPL-3.0-or-later
"""A call as a session is shown it when it comes back."""

from callagent.protocol.replies import CallSnapshot, MemberSnapshot
from callagent.server.calls.model import ALIVE, Call, MemberStatus


def snapshot_of(call: Call, now: float) -> CallSnapshot:
    """`now`: Unix seconds of the service's clock."""
    return CallSnapshot(
        call_id=call.call_id,
        media_type=call.media_type,
        caller_id=call.caller_id,
        room_id=call.room_id,
        user_data=call.user_data,
        chat_group_id=call.chat_group_id,
        members=[
            MemberSnapshot(
                user_id=member.user_id,
                session_id=member.session_id,
                # The caller is in the call from the start.
                status="ringing" if member.status is MemberStatus.RINGING else "connected",
                audio_available=member.audio,
                video_available=member.video,
                privacy=member.privacy,
                commands=list(member.remote_commands),
            )
            for member in call.with_status(*ALIVE)
        ],
        epoch=call.epoch,
        placement=call.placement,
        began_seconds_ago=None if call.accepted_at is None else max(0.0, now - call.accepted_at),
    )
