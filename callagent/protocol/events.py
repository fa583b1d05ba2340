# SPDX-License-Identifier: Apache-2.0
"""What the service tells a session, in order and by number; names as the reference gives them.

`Event` is durable: it is stored in the transaction that caused it, numbered per
session, and replayed at resume. A `Moment` is not numbered and not stored.
"""

from typing import Any, Literal

from callagent.protocol.base import Wire
from callagent.protocol.command import Command, CommandAnswer
from callagent.protocol.enums import (
    CallEndReason,
    CallRole,
    MediaFlow,
    MediaType,
    MemberKind,
    Placement,
    UserStatus,
)
from callagent.protocol.media import MediaMessage


class Event(Wire):
    type: Literal["event"] = "event"
    seq: int
    event: str
    """The class name of the data below with a small first letter: `onCallReceived`."""
    time: int
    """Unix milliseconds when it happened."""
    data: dict[str, Any]


class Signal(Wire):
    """A media message from another session of the same call."""

    type: Literal["media"] = "media"
    sender: str
    """The sending session."""
    media: MediaMessage


class CommandSignal(Wire):
    """A command from another session of the same call, which the service knows to be this user's."""

    type: Literal["command"] = "command"
    sender: str
    user_id: str
    command: Command


class CommandAnswerSignal(Wire):
    """What came of a command of this session."""

    type: Literal["commandAnswer"] = "commandAnswer"
    sender: str
    answer: CommandAnswer


class CallInfo(Wire):
    """Comes with every event of a call."""

    room_id: int | str
    role: CallRole
    """Of the user who receives the event."""
    user_data: str = ""
    chat_group_id: str = ""


class EventData(Wire):
    call_id: str


class OnCallReceived(EventData):
    caller_id: str
    caller_name: str
    callee_id_list: list[str]
    media_type: MediaType
    info: CallInfo
    remaining: float
    """Seconds it still rings."""


class OnCallBegin(EventData):
    """Caller: at the first accept; callee: at its own accept, only on the session that accepted."""

    media_type: MediaType
    info: CallInfo


class OnCallEnd(EventData):
    media_type: MediaType
    reason: CallEndReason
    user_id: str
    """Who caused it, the same on every side."""
    total_time: float
    """Seconds since this user's onCallBegin."""
    info: CallInfo


class OnCallNotConnected(EventData):
    """The call ended before it began for this session."""

    media_type: MediaType
    reason: CallEndReason
    user_id: str
    info: CallInfo


class UserEventData(EventData):
    user_id: str


class OnUserReject(UserEventData): ...


class OnUserNoResponse(UserEventData): ...


class OnUserLineBusy(UserEventData): ...


class OnUserInviting(UserEventData):
    """A member had this user rung for the running call."""

    inviter_id: str


class OnCallMediaTypeChanged(EventData):
    """A video call of two became an audio call; the cameras are to be closed."""

    user_id: str
    """Who wanted it."""
    old_media_type: MediaType
    new_media_type: MediaType


class OnUserJoin(UserEventData):
    """A member connected. Also sent to the one who joins, once for every member already there."""

    session_id: str
    kind: MemberKind = MemberKind.USER
    audio_available: bool
    video_available: bool
    privacy: bool = False
    commands: list[str] = []


class OnUserLeave(UserEventData):
    reason: CallEndReason


class OnUserAudioAvailable(UserEventData):
    is_audio_available: bool


class OnUserVideoAvailable(UserEventData):
    is_video_available: bool


class OnUserPrivacy(UserEventData):
    """The member's privacy switch; its camera and microphone are closed while it is on."""

    is_privacy_on: bool


class OnUserCommands(UserEventData):
    """What the member's device does when asked (`SendCommand`)."""

    commands: list[str]


class MediaPeer(Wire):
    user_id: str
    """Whose media it is; one's own for `send`."""
    session_id: str
    """Where media messages go: the other session, or this session's link to the media server."""
    flow: MediaFlow = MediaFlow.BOTH


class OnMediaPlan(EventData):
    """How media runs from now on: one connection to each peer.

    p2p and mesh: of two sessions the one with the lower id offers. A plan of the present epoch
    changes only the list of peers: what is no longer in it is closed, what is new is made.
    """

    epoch: int
    placement: Placement
    peers: list[MediaPeer]
    """p2p and mesh: the other connected sessions. sfu: the links to the media server there are so far."""
    ice_servers: list[dict[str, Any]] = []
    """As W3C RTCIceServer."""
    ice_transport_policy: Literal["all", "relay"] = "all"
    """As W3C RTCIceTransportPolicy."""


class OnMissedCall(EventData):
    """The user was busy: somebody called and nothing rang."""

    caller_id: str
    media_type: MediaType
    reason: CallEndReason


class OnKickedOffline(Wire):
    """Another login took this session's place."""

    message: str


class PresenceChange(Wire):
    type: Literal["presence"] = "presence"
    user_id: str
    nickname: str
    status: UserStatus
    in_call: bool = False


Moment = Signal | CommandSignal | CommandAnswerSignal | PresenceChange
"""What the service passes on at once, neither numbered nor stored."""

AnyEventData = (
    OnCallReceived
    | OnCallBegin
    | OnCallEnd
    | OnCallNotConnected
    | OnUserReject
    | OnUserNoResponse
    | OnUserLineBusy
    | OnUserInviting
    | OnCallMediaTypeChanged
    | OnUserJoin
    | OnUserLeave
    | OnUserAudioAvailable
    | OnUserVideoAvailable
    | OnUserPrivacy
    | OnUserCommands
    | OnMediaPlan
    | OnMissedCall
    | OnKickedOffline
)

EVENT_TYPES: dict[str, type[AnyEventData]] = {
    model.__name__[0].lower() + model.__name__[1:]: model
    for model in (
        OnCallReceived,
        OnCallBegin,
        OnCallEnd,
        OnCallNotConnected,
        OnUserReject,
        OnUserNoResponse,
        OnUserLineBusy,
        OnUserInviting,
        OnCallMediaTypeChanged,
        OnUserJoin,
        OnUserLeave,
        OnUserAudioAvailable,
        OnUserVideoAvailable,
        OnUserPrivacy,
        OnUserCommands,
        OnMediaPlan,
        OnMissedCall,
        OnKickedOffline,
    )
}


def event_name(data: AnyEventData) -> str:
    name = type(data).__name__
    return name[0].lower() + name[1:]
