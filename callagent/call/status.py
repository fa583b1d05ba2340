# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's state as the application sees it: one immutable snapshot."""

from dataclasses import dataclass

from callagent.call.model import EngineState, Member
from callagent.call.notifications import OnStatusChanged
from callagent.protocol.enums import CallRole, CallState, LoginState, MediaType


@dataclass(frozen=True, slots=True)
class EngineStatus:
    login_state: LoginState = LoginState.LOGGED_OUT
    session_id: str = ""
    """This engine's signalling session; empty before the first login."""
    call_state: CallState = CallState.IDLE
    call_id: str = ""
    """Empty while idle, and while `calls` waits for the service."""
    role: CallRole = CallRole.NONE
    caller_id: str = ""
    peer_ids: tuple[str, ...] = ()
    """The other users of the call, connected or not."""
    media_type: MediaType = MediaType.UNKNOWN
    microphone: bool = False
    """What this side wants to send in the present call."""
    camera: bool = False
    members: tuple[Member, ...] = ()
    """The other users that are connected."""
    accepting: bool = False
    """Ringing, and `accept` is under way (or lost the race): no more sound, please."""
    began: float | None = None
    """Seconds on the monotonic clock of this side's onCallBegin."""
    epoch: int = 0
    """Of the media plan in use; 0 without one."""
    last_error: str = ""
    """Why there is no connection to the service, one sentence for a person; else empty."""

    @property
    def remote_audio_available(self) -> bool:
        return any(member.audio_available for member in self.members)

    @property
    def remote_video_available(self) -> bool:
        return any(member.video_available for member in self.members)

    @property
    def service_away(self) -> bool:
        """In a call while the connection to the service is being made anew."""
        return self.call_state is not CallState.IDLE and self.login_state is not LoginState.ONLINE

    @property
    def reconnecting_ids(self) -> tuple[str, ...]:
        """Members whose media is being made anew."""
        return tuple(member.user_id for member in self.members if member.reconnecting)

    def changed(self) -> OnStatusChanged:
        return OnStatusChanged(
            login_state=self.login_state.value,
            call_state=self.call_state.value,
            call_id=self.call_id,
            role=self.role,
            media_type=self.media_type,
        )


def status_of(state: EngineState, began: float | None, last_error: str) -> EngineStatus:
    call, dial = state.call, state.dial
    if call is not None:
        others = tuple(user for user in (call.caller_id, *call.callee_ids) if user != state.own_user_id)
        return EngineStatus(
            login_state=state.login,
            session_id=state.session_id,
            call_state=call.state,
            call_id=call.call_id,
            role=call.role,
            caller_id=call.caller_id,
            peer_ids=tuple(dict.fromkeys(others)),
            media_type=call.media_type,
            microphone=call.audio,
            camera=call.video,
            members=call.members,
            accepting=call.accepting is not None or call.over,
            began=began,
            epoch=call.epoch,
            last_error=last_error,
        )
    if dial is not None and not dial.cancelled:
        return EngineStatus(
            login_state=state.login,
            session_id=state.session_id,
            call_state=CallState.CALLING,
            role=CallRole.CALLER,
            caller_id=state.own_user_id,
            peer_ids=dial.callee_ids,
            media_type=dial.media_type,
            microphone=dial.audio,
            camera=dial.video,
            last_error=last_error,
        )
    return EngineStatus(login_state=state.login, session_id=state.session_id, last_error=last_error)
