# SPDX-License-Identifier: GPL-3.0-or-later
"""The state machine of a call: `(call, command, now) -> (call, events, record)`.

Pure: no clock, no I/O. General over the members; what makes a 1v1 call is only
how many there are. The events of every transition are those of docs/protocol.md.
"""

from typing import assert_never

from callagent.protocol.enums import CallEndReason, MediaType
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.server.calls.commands import (
    Accept,
    Command,
    EndByService,
    Hangup,
    Invite,
    InviteMore,
    Join,
    Reject,
    Renegotiate,
    RingTimeout,
    SessionLost,
    SessionOpened,
    SetTracks,
    Step,
    SwitchMediaType,
    ToSession,
    ToUser,
)
from callagent.server.calls.model import PRESENT, Call, Member, MemberStatus
from callagent.server.calls.turn import Turn, handled, refused


def start(invite: Invite, now: float) -> Step:
    """The first transition. Raises REQUEST_REFUSED when the caller is in another call."""
    if invite.caller_id in invite.busy:
        raise CallAgentError(ErrorCode.REQUEST_REFUSED, "You are in another call")
    video = invite.media_type is MediaType.VIDEO
    caller = Member(
        user_id=invite.caller_id,
        status=MemberStatus.CALLING,
        session_id=invite.session_id,
        audio=True,
        video=video,
        sfu=invite.sfu,
    )
    call = Call(
        app_id=invite.app_id,
        call_id=invite.call_id,
        room_id=invite.room_id,
        media_type=invite.media_type,
        caller_id=invite.caller_id,
        caller_name=invite.caller_name,
        user_data=invite.user_data,
        chat_group_id=invite.chat_group_id,
        invited_at=now,
        members={invite.caller_id: caller}
        | {
            user_id: Member(
                user_id=user_id,
                status=MemberStatus.RINGING,
                rings_until=now + invite.timeout_s,
                audio=True,
                video=video,
            )
            for user_id in invite.callees
        },
    )
    turn = Turn(call, now)
    for user_id in invite.callees:
        if user_id in invite.busy:
            turn.busy(user_id)
        else:
            turn.ring(user_id, ToUser(user_id))
    return turn.settled()


def apply(call: Call, command: Command, now: float, *, media_server: bool = False) -> Step:
    """Every later transition; `media_server`: one would take this call's media now.

    Raises INVITE_HANDLED, REQUEST_REFUSED or SCENE_NOT_SUPPORTED, as docs/protocol.md says.
    """
    turn = Turn(call, now, media_server)
    if call.over:
        if isinstance(command, Accept | Reject | Hangup | Join | InviteMore):
            raise handled()
        if isinstance(command, SetTracks | Renegotiate | SwitchMediaType):
            raise refused()
        return Step(call)
    match command:
        case Accept():
            _require_ringing(call, command.user_id)
            turn.enter(command.user_id, command.session_id, sfu=command.sfu)
        case InviteMore():
            if not _holds(call, command.user_id, command.session_id):
                raise refused()
            turn.invite_more(command)
        case Join():
            turn.join(command)
        case SwitchMediaType():
            _require_connected(call, command.user_id, command.session_id)
            turn.switch_media_type(command)
        case Reject():
            _require_ringing(call, command.user_id)
            turn.reject(command.user_id, command.session_id)
        case Hangup():
            turn.hang_up(command.user_id, command.session_id)
        case RingTimeout():
            turn.ring_timeout(command.user_id)
        case SessionLost():
            if _holds(call, command.user_id, command.session_id):
                turn.leave(command.user_id, CallEndReason.OFFLINE)
        case SessionOpened():
            member = call.members.get(command.user_id)
            if member is not None and member.status is MemberStatus.RINGING:
                turn.ring(command.user_id, ToSession(command.session_id))
        case SetTracks():
            _require_connected(call, command.user_id, command.session_id)
            turn.set_tracks(command)
        case Renegotiate():
            _require_connected(call, command.user_id, command.session_id)
            if command.epoch == call.epoch:
                turn.plan_media()
        case EndByService():
            turn.end(CallEndReason.END_BY_SERVER, "")
        case _:
            assert_never(command)
    return turn.settled()


def _holds(call: Call, user_id: str, session_id: str) -> bool:
    """Whether the call lives on this very session of the user."""
    member = call.members.get(user_id)
    return member is not None and member.status in PRESENT and member.session_id == session_id


def _require_ringing(call: Call, user_id: str) -> None:
    member = call.members.get(user_id)
    if member is None or (user_id == call.caller_id and not member.invited_by):
        raise refused()
    if member.status is not MemberStatus.RINGING:
        raise handled()


def _require_connected(call: Call, user_id: str, session_id: str) -> None:
    if not _holds(call, user_id, session_id) or call.members[user_id].status is not MemberStatus.CONNECTED:
        raise refused()
