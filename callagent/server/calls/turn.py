# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command does to a call: its members, whom to tell what, and when it is over. Pure."""

from callagent.protocol.enums import CallEndReason, CallRole, MediaType, Placement
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.events import (
    AnyEventData,
    CallInfo,
    OnCallBegin,
    OnCallEnd,
    OnCallMediaTypeChanged,
    OnCallNotConnected,
    OnCallReceived,
    OnMissedCall,
    OnUserAudioAvailable,
    OnUserCommands,
    OnUserInviting,
    OnUserJoin,
    OnUserLeave,
    OnUserLineBusy,
    OnUserNoResponse,
    OnUserPrivacy,
    OnUserReject,
    OnUserVideoAvailable,
)
from callagent.server.calls.commands import (
    Addressed,
    InviteMore,
    Join,
    SetTracks,
    Step,
    SwitchMediaType,
    ToSession,
    ToUser,
)
from callagent.server.calls.model import ALIVE, PRESENT, Call, Member, MemberStatus
from callagent.server.calls.plans import placement_for, plan_of
from callagent.server.calls.record import record_of

_CAUSES = {
    MemberStatus.BUSY: (1, CallEndReason.LINE_BUSY),
    MemberStatus.REJECTED: (2, CallEndReason.REJECT),
    MemberStatus.NO_RESPONSE: (3, CallEndReason.NO_RESPONSE),
}
"""Why nobody answered, when callees differ: NoResponse over Reject over Busy."""


class Turn:
    """One transition in the making; only the state machine has one."""

    def __init__(self, call: Call, now: float, media_server: bool = False) -> None:
        self.call = call
        self.now = now
        self._media_server = media_server
        self.events: list[Addressed] = []
        self._ended: tuple[CallEndReason, str] | None = None

    def settled(self) -> Step:
        """The result, the call ended if nothing is left to wait for."""
        if not self.call.over and not self._goes_on():
            self.end(*self._why_nobody_answered())
        record = record_of(self.call, self.now, *self._ended) if self._ended is not None else None
        return Step(self.call, tuple(self.events), record)

    def ring(self, user_id: str, to: ToUser | ToSession) -> None:
        member = self.call.members[user_id]
        rings_until = member.rings_until
        self._tell(
            to,
            OnCallReceived(
                call_id=self.call.call_id,
                caller_id=member.invited_by or self.call.caller_id,
                caller_name=member.inviter_name if member.invited_by else self.call.caller_name,
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
            caller_id=self.call.members[user_id].invited_by or self.call.caller_id,
            media_type=self.call.media_type,
            reason=CallEndReason.LINE_BUSY,
        )
        self._tell(ToUser(user_id), missed)

    def invite_more(self, command: InviteMore) -> None:
        video = self.call.media_type is MediaType.VIDEO
        for user_id in command.callees:
            was = self.call.members.get(user_id)
            if was is not None and was.status in ALIVE:
                continue
            member = Member(
                user_id=user_id,
                status=MemberStatus.RINGING,
                rings_until=self.now + command.timeout_s,
                audio=True,
                video=video,
                invited_by=command.user_id,
                inviter_name=command.inviter_name,
            )
            self._admit(member)
            inviting = OnUserInviting(call_id=self.call.call_id, user_id=user_id, inviter_id=command.user_id)
            self._tell_present(inviting)
            if user_id in command.busy:
                self.busy(user_id)
            else:
                self.ring(user_id, ToUser(user_id))

    def _admit(self, member: Member) -> None:
        """A member of the running call, new or once more."""
        was = self.call.members.get(member.user_id)
        if was is not None:
            earlier = {"earlier_s": was.connected_s(), "first_began_at": was.first_began()}
            member = member.model_copy(update=earlier)
        self.call = self.call.model_copy(update={"members": self.call.members | {member.user_id: member}})

    def join(self, command: Join) -> None:
        """As an answer when the user is being rung anyway."""
        was = self.call.members.get(command.user_id)
        if was is not None and was.status in PRESENT:
            raise refused()
        if was is None or was.status is not MemberStatus.RINGING:
            self._admit(
                Member(
                    user_id=command.user_id,
                    status=MemberStatus.RINGING,
                    audio=True,
                    invited_by=command.user_id,
                )
            )
            self.enter(command.user_id, command.session_id, sfu=command.sfu, rang=False)
        else:
            self.enter(command.user_id, command.session_id, sfu=command.sfu)

    def switch_media_type(self, command: SwitchMediaType) -> None:
        old, new = self.call.media_type, command.media_type
        if new is old:
            return
        if new is not MediaType.AUDIO or len(self.call.with_status(*ALIVE)) > 2:
            raise CallAgentError(
                ErrorCode.SCENE_NOT_SUPPORTED,
                "Only a video call of two can become one of audio",
                "mediaType",
            )
        self.call = self.call.model_copy(update={"media_type": new})
        changed = OnCallMediaTypeChanged(
            call_id=self.call.call_id, user_id=command.user_id, old_media_type=old, new_media_type=new
        )
        self._tell_present(changed)
        for member in self.call.with_status(MemberStatus.CONNECTED):
            dark = SetTracks(member.user_id, member.session_id or "", video=False)
            self.set_tracks(dark)

    def enter(self, user_id: str, session_id: str, *, sfu: bool, rang: bool = True) -> None:
        """A ringing member connects; with the first one the caller does."""
        first = self.call.accepted_at is None
        joined = self._connect(user_id, session_id, sfu=sfu)
        if rang:
            self._stop_ringing_elsewhere(user_id, session_id)
        if first:
            self.call = self.call.model_copy(update={"accepted_at": self.now})
            for caller in self.call.with_status(MemberStatus.CALLING):
                self._connect(caller.user_id, caller.session_id, sfu=caller.sfu)
                self._begin(caller.user_id)
        others = [m for m in self.call.with_status(MemberStatus.CONNECTED) if m.user_id != user_id]
        self._begin(user_id)
        for other in others:
            self._tell_member(other, self._join(joined))
            self._tell_member(joined, self._join(other))
        if others:
            self._plan_for_members(joined)

    def _stop_ringing_elsewhere(self, user_id: str, session_id: str) -> None:
        reason = CallEndReason.OTHER_DEVICE_ACCEPTED
        self._tell_not_connected(ToUser(user_id, session_id), user_id, reason, user_id)

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
            raise handled()
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
            self._plan_for_members()

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

    def _plan_for_members(self, joined: Member | None = None) -> None:
        """Others are connected than before: a new epoch, unless a media server takes them as they come."""
        stays = self.call.placement is Placement.SFU and self.call.epoch > 0
        if stays and placement_for(self.call, media_server=True) is Placement.SFU:
            if joined is not None:
                self._tell_member(joined, plan_of(self.call, joined))
            return
        self.plan_media()

    def plan_media(self) -> None:
        """A new epoch for everybody who is connected."""
        placement = placement_for(self.call, media_server=self._media_server)
        self.call = self.call.model_copy(update={"epoch": self.call.epoch + 1, "placement": placement})
        for member in self.call.with_status(MemberStatus.CONNECTED):
            self._tell_member(member, plan_of(self.call, member))

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
        """Of a call that had begun: who answered last, in his way."""
        answers = [m for m in self.call.members.values() if m.status in _CAUSES]
        begun = self.call.accepted_at is not None

        def weight(member: Member) -> tuple[int, float]:
            return 0 if begun else _CAUSES[member.status][0], member.ended_at or 0.0

        cause = max(answers, key=weight)
        return _CAUSES[cause.status][1], cause.user_id

    def _connect(self, user_id: str, session_id: str | None, *, sfu: bool) -> Member:
        return self._change(
            user_id,
            status=MemberStatus.CONNECTED,
            session_id=session_id,
            sfu=sfu,
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
        calls = receiver == self.call.caller_id and not self.call.members[receiver].invited_by
        return CallInfo(
            room_id=self.call.room_id,
            role=CallRole.CALLER if calls else CallRole.CALLED,
            user_data=self.call.user_data,
            chat_group_id=self.call.chat_group_id,
        )

    def _change(self, user_id: str, **fields: object) -> Member:
        member = self.call.members[user_id].model_copy(update=fields)
        self.call = self.call.model_copy(update={"members": self.call.members | {user_id: member}})
        return member


def handled() -> CallAgentError:
    return CallAgentError(ErrorCode.INVITE_HANDLED, "The call is over or answered already", "callId")


def refused() -> CallAgentError:
    return CallAgentError(ErrorCode.REQUEST_REFUSED, "This session's part in the call does not allow it")
