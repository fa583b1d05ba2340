# SPDX-License-Identifier: GPL-3.0-or-later
"""What can happen to a call, and what comes of it."""

from dataclasses import dataclass

from callagent.protocol.enums import MediaType
from callagent.protocol.events import AnyEventData
from callagent.server.calls.model import Call, CallRecord


@dataclass(frozen=True, slots=True)
class Invite:
    """Starts a call; everything is checked but what the state decides."""

    app_id: int
    call_id: str
    room_id: int | str
    media_type: MediaType
    caller_id: str
    caller_name: str
    session_id: str
    callees: tuple[str, ...]
    busy: frozenset[str]
    """Of the caller and the callees, those who are in another call."""
    timeout_s: float
    user_data: str = ""
    chat_group_id: str = ""
    sfu: bool = False
    """The caller's session can use a media server."""


@dataclass(frozen=True, slots=True)
class Accept:
    user_id: str
    session_id: str
    sfu: bool = False


@dataclass(frozen=True, slots=True)
class InviteMore:
    """A present member has others rung; everything is checked but what the state decides."""

    user_id: str
    session_id: str
    callees: tuple[str, ...]
    busy: frozenset[str]
    """Of the callees, those who are in another call."""
    timeout_s: float
    inviter_name: str = ""


@dataclass(frozen=True, slots=True)
class Join:
    """Somebody enters a running call by himself; that he may is checked."""

    user_id: str
    session_id: str
    sfu: bool = False


@dataclass(frozen=True, slots=True)
class SwitchMediaType:
    user_id: str
    session_id: str
    media_type: MediaType


@dataclass(frozen=True, slots=True)
class Reject:
    user_id: str
    session_id: str


@dataclass(frozen=True, slots=True)
class Hangup:
    user_id: str
    session_id: str


@dataclass(frozen=True, slots=True)
class RingTimeout:
    """The ring timer of one callee fired; without effect when it came too late or too early."""

    user_id: str


@dataclass(frozen=True, slots=True)
class SessionLost:
    """A session ended without leaving; without effect unless it calls or is connected."""

    user_id: str
    session_id: str


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """A device came online; rings when its user is being rung."""

    user_id: str
    session_id: str


@dataclass(frozen=True, slots=True)
class SetTracks:
    user_id: str
    session_id: str
    audio: bool | None = None
    video: bool | None = None
    privacy: bool | None = None
    remote_commands: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Renegotiate:
    user_id: str
    session_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class EndByService:
    pass


Command = (
    Accept
    | InviteMore
    | Join
    | SwitchMediaType
    | Reject
    | Hangup
    | RingTimeout
    | SessionLost
    | SessionOpened
    | SetTracks
    | Renegotiate
    | EndByService
)


@dataclass(frozen=True, slots=True)
class ToUser:
    """Every session the user has at the moment of the change, but one."""

    user_id: str
    but_session: str | None = None


@dataclass(frozen=True, slots=True)
class ToSession:
    session_id: str


@dataclass(frozen=True, slots=True)
class Addressed:
    to: ToUser | ToSession
    data: AnyEventData


@dataclass(frozen=True, slots=True)
class Step:
    """One transition: the call as it is now, whom to tell what, and the record when it is over."""

    call: Call
    events: tuple[Addressed, ...] = ()
    record: CallRecord | None = None
