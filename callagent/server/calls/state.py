# SPDX-License-Identifier: GPL-3.0-or-later
"""The state machine of a call: `(call, command, now) -> (call, events, record)`.

Pure: no clock, no I/O. General over the members; what makes a 1v1 call is only
how many there are. The events of every transition are those of docs/protocol.md.
"""

from typing import assert_never

from callagent.protocol.enums import CallEndReason, CallRole, MediaType, Placement
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.events import (
    AnyEventData,
    CallInfo,
    MediaPeer,
    OnCallBegin,
    OnCallEnd,
    OnCallNotConnected,
    OnCallReceived,
    OnMediaPlan,
    OnMissedCall,
    OnUserAudioAvailable,
    OnUserCommands,
    OnUserJoin,
    OnUserLeave,
    OnUserLineBusy,
    OnUserNoResponse,
    OnUserPrivacy,
    OnUserReject,
    OnUserVideoAvailable,
)
from callagent.server.calls.commands import (
    Accept,
    Addressed,
    Command,
    EndByService,
    Hangup,
    Invite,
    Reject,
    Renegotiate,
    RingTimeout,
    SessionLost,
    SessionOpened,
    SetTracks,
    Step,
    ToSession,
    ToUser,
)
from callagent.server.calls.model import PRESENT, Call, Member, MemberStatus
from callagent.server.calls.record import record_of

_CAUSES = {
    MemberStatus.BUSY: (1, CallEndReason.LINE_BUSY),
    MemberStatus.REJECTED: (2, CallEndReason.REJECT),
    MemberStatus.NO_RESPONSE: (3, CallEndReason.NO_RESPONSE),
}
"""Why nobody answered, when callees differ: NoResponse over Reject over Busy."""


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
    turn = _Turn(call, now)
    for user_id in invite.callees:
        if user_id in invite.busy:
            turn.busy(user_id)
        else:
            turn.ring(user_id, ToUser(user_id))
    return turn.settled()


def apply(call: Call, command: Command, now: float) -> Step:
    """Every later transition. Raises INVITE_HANDLED or REQUEST_REFUSED, as docs/protocol.md says."""
    turn = _Turn(call, now)
    if call.over:
        if isinstance(command, Accept | Reject | Hangup):
            raise _handled()
        if isinstance(command, SetTracks | Renegotiate):
            raise _refused()
        return Step(call)
    match command:
        case Accept():
            _require_ringing(call, command.user_id)
            turn.accept(command.user_id, command.session_id)
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
    if member is None or user_id == call.caller_id:
        raise _refused()
    if member.status is not MemberStatus.RINGING:
        raise _handled()


def _require_connected(call: Call, user_id: str, session_id: str) -> None:
    if not _holds(call, user_id, session_id) or call.members[user_id].status is not MemberStatus.CONNECTED:
        raise _refused()


def _handled() -> CallAgentError:
    return CallAgentError(ErrorCode.INVITE_HANDLED, "The call is over or answered already", "callId")


def _refused() -> CallAgentError:
    return CallAgentError(ErrorCode.REQUEST_REFUSED, "This session's part in the call does not allow it")


class _Turn:
    """One transition in the making; never leaves this module."""

    def __init__(self, call: Call, now: float) -> None:
        self.call = call
        self.now = now
        self.events: list[Addressed] = []
        self._ended: tuple[CallEndReason, str] | None = None

    def settled(self) -> Step:
        """The result, the call ended if nothing is left to wait for."""
        if not self.call.over and not self._goes_on():
            self.end(*self._why_nobody_answered())
        record = record_of(self.call, self.now, *self._ended) if self._ended is not None else None
        return Step(self.call, tuple(self.events), record)

    def ring(self, user_id: str, to: ToUser | ToSession) -> None:
        rings_until = self.call.members[user_id].rings_until
        self._tell(
            to,
            OnCallReceived(
                call_id=self.call.call_id,
                caller_id=self.call.caller_id,
                caller_name=self.call.caller_name,
                callee_id_list=self.call.callees,
                media_type=self.call.media_type,
                info=self._info(user_id),
                remaining=max(0.0, (rings_until or self.now) - self.now),
            ),
        )

    def busy(self, user_id: str) -> None:
        self._change(user_id, status=MemberStatus.BUSY, rings_until=None, ended_at=self.now)
        self._tell_present(OnUserLineBusy(call_id=self.call.call_id, user_id=user_id))
        missed = OnMissedCall(
            call_id=self.call.call_id,
            caller_id=self.call.caller_id,
            media_type=self.call.media_type,
            reason=CallEndReason.LINE_BUSY,
        )
        self._tell(ToUser(user_id), missed)

    def accept(self, user_id: str, session_id: str) -> None:
        first = self.call.accepted_at is None
        joined = self._connect(user_id, session_id)
        self._tell_not_connected(
            ToUser(user_id, session_id), user_id, CallEndReason.OTHER_DEVICE_ACCEPTED, user_id
        )
        if first:
            self.call = self.call.model_copy(update={"accepted_at": self.now})
            for caller in self.call.with_status(MemberStatus.CALLING):
                self._connect(caller.user_id, caller.session_id)
                self._begin(caller.user_id)
        others = [m for m in self.call.with_status(MemberStatus.CONNECTED) if m.user_id != user_id]
        self._begin(user_id)
        for other in others:
            self._tell_member(other, self._join(joined))
            self._tell_member(joined, self._join(other))
        if others:
            self.plan_media()

    def reject(self, user_id: str, session_id: str) -> None:
        self._change(user_id, status=MemberStatus.REJECTED, rings_until=None, ended_at=self.now)
        self._tell_present(OnUserReject(call_id=self.call.call_id, user_id=user_id))
        self._tell_not_connected(ToSession(session_id), user_id, CallEndReason.REJECT, user_id)
        self._tell_not_connected(
            ToUser(user_id, session_id), user_id, CallEndReason.OTHER_DEVICE_REJECT, user_id
        )

    def hang_up(self, user_id: str, session_id: str) -> None:
        member = self.call.members.get(user_id)
        if member is None or member.status not in PRESENT | {MemberStatus.RINGING}:
            raise _handled()
        if member.status is MemberStatus.RINGING:
            self.reject(user_id, session_id)
        elif member.status is MemberStatus.CALLING:
            self.leave(user_id, CallEndReason.CANCELED)
        else:
            self.leave(user_id, CallEndReason.HANGUP)

    def ring_timeout(self, user_id: str) -> None:
        member = self.call.members.get(user_id)
        if member is None or member.rings_until is None or self.now < member.rings_until:
            return
        self._change(user_id, status=MemberStatus.NO_RESPONSE, rings_until=None, ended_at=self.now)
        self._tell_present(OnUserNoResponse(call_id=self.call.call_id, user_id=user_id))
        self._tell_not_connected(ToUser(user_id), user_id, CallEndReason.NO_RESPONSE, user_id)

    def leave(self, user_id: str, reason: CallEndReason) -> None:
        """A present member goes; with it the call, unless enough of it stays."""
        leaver = self.call.members[user_id]
        self._tell_over(leaver, reason, user_id)
        calling = leaver.status is MemberStatus.CALLING
        gone = MemberStatus.CANCELED if calling else MemberStatus.LEFT
        self._change(user_id, status=gone, ended_at=self.now)
        goes_on = self._goes_on()
        if goes_on or reason is CallEndReason.OFFLINE:
            leaving = OnUserLeave(call_id=self.call.call_id, user_id=user_id, reason=reason)
            self._tell_present(leaving)
        if not goes_on:
            self.end(reason, user_id)
        elif len(self.call.with_status(MemberStatus.CONNECTED)) > 1:
            self.plan_media()

    def set_tracks(self, command: SetTracks) -> None:
        user_id, audio, video = command.user_id, command.audio, command.video
        member, call_id = self.call.members[user_id], self.call.call_id
        if audio is not None and audio != member.audio:
            self._change(user_id, audio=audio)
            heard = OnUserAudioAvailable(call_id=call_id, user_id=user_id, is_audio_available=audio)
            self._tell_present(heard, but=user_id)
        if video is not None and video != member.video:
            self._change(user_id, video=video)
            seen = OnUserVideoAvailable(call_id=call_id, user_id=user_id, is_video_available=video)
            self._tell_present(seen, but=user_id)
        privacy, offered = command.privacy, command.remote_commands
        if privacy is not None and privacy != member.privacy:
            self._change(user_id, privacy=privacy)
            switched = OnUserPrivacy(call_id=call_id, user_id=user_id, is_privacy_on=privacy)
            self._tell_present(switched, but=user_id)
        if offered is not None and offered != member.remote_commands:
            self._change(user_id, remote_commands=offered)
            offers = OnUserCommands(call_id=call_id, user_id=user_id, commands=list(offered))
            self._tell_present(offers, but=user_id)

    def plan_media(self) -> None:
        """A new epoch for everybody who is connected."""
        connected = self.call.with_status(MemberStatus.CONNECTED)
        self.call = self.call.model_copy(update={"epoch": self.call.epoch + 1})
        for member in connected:
            peers = [
                MediaPeer(user_id=peer.user_id, session_id=peer.session_id)
                for peer in connected
                if peer is not member and peer.session_id is not None
            ]
            plan = OnMediaPlan(
                call_id=self.call.call_id,
                epoch=self.call.epoch,
                placement=Placement.P2P if len(connected) <= 2 else Placement.MESH,
                peers=peers,
            )
            self._tell_member(member, plan)

    def end(self, reason: CallEndReason, user_id: str) -> None:
        """Over for everybody who is left; `user_id` is who caused it, empty for the service."""
        for member in self.call.with_status(*PRESENT):
            self._tell_over(member, reason, user_id)
            gone = MemberStatus.LEFT if member.began_at is not None else MemberStatus.CANCELED
            self._change(member.user_id, status=gone, ended_at=self.now)
        unanswered = CallEndReason.CANCELED if reason is CallEndReason.HANGUP else reason
        for member in self.call.with_status(MemberStatus.RINGING):
            self._tell_not_connected(ToUser(member.user_id), member.user_id, unanswered, user_id)
            self._change(member.user_id, status=MemberStatus.CANCELED, rings_until=None, ended_at=self.now)
        self.call = self.call.model_copy(update={"over": True})
        self._ended = (reason, user_id)

    def _goes_on(self) -> bool:
        """At least two are connected, or somebody is there and somebody is being rung."""
        if len(self.call.with_status(MemberStatus.CONNECTED)) > 1:
            return True
        return bool(self.call.with_status(*PRESENT) and self.call.with_status(MemberStatus.RINGING))

    def _why_nobody_answered(self) -> tuple[CallEndReason, str]:
        answers = [m for m in self.call.members.values() if m.status in _CAUSES]
        cause = max(answers, key=lambda member: (_CAUSES[member.status][0], member.ended_at or 0.0))
        return _CAUSES[cause.status][1], cause.user_id

    def _connect(self, user_id: str, session_id: str | None) -> Member:
        return self._change(
            user_id,
            status=MemberStatus.CONNECTED,
            session_id=session_id,
            rings_until=None,
            began_at=self.now,
        )

    def _begin(self, user_id: str) -> None:
        began = OnCallBegin(
            call_id=self.call.call_id, media_type=self.call.media_type, info=self._info(user_id)
        )
        self._tell_member(self.call.members[user_id], began)

    def _join(self, member: Member) -> OnUserJoin:
        return OnUserJoin(
            call_id=self.call.call_id,
            user_id=member.user_id,
            session_id=member.session_id or "",
            kind=member.kind,
            audio_available=member.audio,
            video_available=member.video,
            privacy=member.privacy,
            commands=list(member.remote_commands),
        )

    def _tell_over(self, member: Member, reason: CallEndReason, user_id: str) -> None:
        """The one end event of a present member."""
        if member.began_at is None:
            to = ToSession(member.session_id or "")
            self._tell_not_connected(to, member.user_id, reason, user_id)
            return
        end = OnCallEnd(
            call_id=self.call.call_id,
            media_type=self.call.media_type,
            reason=reason,
            user_id=user_id,
            total_time=max(0.0, self.now - member.began_at),
            info=self._info(member.user_id),
        )
        self._tell_member(member, end)

    def _tell_not_connected(
        self, to: ToUser | ToSession, receiver: str, reason: CallEndReason, user_id: str
    ) -> None:
        data = OnCallNotConnected(
            call_id=self.call.call_id,
            media_type=self.call.media_type,
            reason=reason,
            user_id=user_id,
            info=self._info(receiver),
        )
        self._tell(to, data)

    def _tell_present(self, data: AnyEventData, but: str | None = None) -> None:
        for member in self.call.with_status(*PRESENT):
            if member.user_id != but:
                self._tell_member(member, data)

    def _tell_member(self, member: Member, data: AnyEventData) -> None:
        self._tell(ToSession(member.session_id or ""), data)

    def _tell(self, to: ToUser | ToSession, data: AnyEventData) -> None:
        self.events.append(Addressed(to, data))

    def _info(self, receiver: str) -> CallInfo:
        return CallInfo(
            room_id=self.call.room_id,
            role=CallRole.CALLER if receiver == self.call.caller_id else CallRole.CALLED,
            user_data=self.call.user_data,
            chat_group_id=self.call.chat_group_id,
        )

    def _change(self, user_id: str, **fields: object) -> Member:
        member = self.call.members[user_id].model_copy(update=fields)
        self.call = self.call.model_copy(update={"members": self.call.members | {user_id: member}})
        return member
