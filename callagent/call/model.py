# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the call state machine: its state, what goes in and what comes out. Values only."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from callagent.call.notifications import Payload
from callagent.ports import PeerKey
from callagent.protocol.enums import CallEndReason, CallRole, CallState, LoginState, MediaType
from callagent.protocol.errors import ErrorCode
from callagent.protocol.events import AnyEventData, CallInfo, OnCallReceived, OnMediaPlan, Signal
from callagent.protocol.replies import CallSnapshot
from callagent.protocol.requests import SESSION_SILENCE_S, AnyRequest


@dataclass(frozen=True, slots=True)
class CallParams:
    """What may be said with `calls`; checked against the same limits the service has."""

    timeout: int = 30
    """Seconds the callee rings, 10 to 600; 0 means 30."""
    room_id: int | str | None = None
    user_data: str = ""
    chat_group_id: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """Another member of the call, connected."""

    user_id: str
    session_id: str
    audio_available: bool
    video_available: bool
    reconnecting: bool = False
    """Its media is being made anew."""
    privacy: bool = False
    """Its privacy switch is on."""
    commands: tuple[str, ...] = ()
    """What its device does when asked (`CallEngine.command`)."""


@dataclass(frozen=True, slots=True)
class Accepting:
    """An `accept` under way."""

    api: int | None
    """The API call that waits for it; None once that was answered."""
    sent: bool


@dataclass(frozen=True, slots=True)
class Call:
    """A call the service has named and this engine takes part in."""

    call_id: str
    state: CallState
    role: CallRole
    media_type: MediaType
    info: CallInfo
    caller_id: str
    callee_ids: tuple[str, ...]
    audio: bool
    """This side's microphone is wanted on."""
    video: bool
    """This side's camera is wanted on."""
    members: tuple[Member, ...] = ()
    epoch: int = 0
    """Of the media plan in use; 0 before the first."""
    accepting: Accepting | None = None
    over: bool = False
    """The service said it is over or answered elsewhere; the event that says why is awaited."""

    def member(self, user_id: str) -> Member | None:
        return next((member for member in self.members if member.user_id == user_id), None)


@dataclass(frozen=True, slots=True)
class Dial:
    """A `calls` request the service has not answered: the call has no id yet."""

    number: int
    api: int
    callee_ids: tuple[str, ...]
    media_type: MediaType
    params: CallParams
    audio: bool
    video: bool
    cancelled: bool = False
    """Hung up or given up here; whatever call comes of it is to be hung up."""


@dataclass(frozen=True, slots=True)
class Farewell:
    """A call that is over here; the service is told until it answers."""

    call_id: str
    kind: Literal["reject", "hangup"]


@dataclass(frozen=True, slots=True)
class EngineState:
    """Everything one engine knows. At most one of `call` and an uncancelled `dial` is there."""

    own_user_id: str
    microphone_default: bool = True
    camera_default: bool = True
    privacy: bool = False
    """This side's privacy switch: while it is on, no call is told of a microphone or camera."""
    commands: tuple[str, ...] = ()
    """What the other side may ask this device to do."""
    session_silence_s: float = SESSION_SILENCE_S
    login: LoginState = LoginState.LOGGED_OUT
    session_id: str = ""
    call: Call | None = None
    dial: Dial | None = None
    dials: int = 0
    held: OnCallReceived | None = None
    """An invitation that came while a `calls` of this side is unanswered, or before a call's end."""
    farewells: tuple[Farewell, ...] = ()
    finished: tuple[str, ...] = ()
    """Calls that are over here, newest last: they never ring again and their events are ignored."""

    @property
    def call_state(self) -> CallState:
        if self.call is not None:
            return self.call.state
        if self.dial is not None and not self.dial.cancelled:
            return CallState.CALLING
        return CallState.IDLE


class TimerKind(StrEnum):
    DIAL = "dial"
    """`calls` without a reply. Key: the dial's number."""
    ANSWER = "answer"
    """Calling, and the service never said how it ended."""
    RING = "ring"
    """Ringing (or held), and the service never said how it ended."""
    ACCEPT = "accept"
    """`accept` without `onCallBegin`."""
    OVER = "over"
    """The service says the call is over but not why."""
    PLAN = "plan"
    """Connected without a media plan."""
    AWAY = "away"
    """In a call and the service is out of reach. Key: empty."""
    FAREWELL = "farewell"
    """A farewell the service has not answered."""
    TRACKS = "tracks"
    """A `setTracks` the service could not take."""


@dataclass(frozen=True, slots=True)
class Timer:
    """Which timer; starting one that runs restarts it."""

    kind: TimerKind
    key: str = ""
    """The call id, unless the kind says otherwise."""


# --- what goes in -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallsAsked:
    """The application calls `calls`. `api` numbers an API call; each is completed or failed once."""

    api: int
    user_ids: Sequence[str]
    media_type: MediaType
    params: CallParams = CallParams()


@dataclass(frozen=True, slots=True)
class AcceptAsked:
    api: int


@dataclass(frozen=True, slots=True)
class RejectAsked:
    api: int


@dataclass(frozen=True, slots=True)
class HangupAsked:
    api: int


@dataclass(frozen=True, slots=True)
class TracksAsked:
    api: int
    audio: bool | None = None
    video: bool | None = None


@dataclass(frozen=True, slots=True)
class SideChanged:
    """This side's privacy switch or what it offers changed; it stays so over calls."""

    privacy: bool | None = None
    commands: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class RenegotiateAsked:
    api: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LoginStarted:
    """The signalling client wants a session and has none."""


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """Logged in. For a resumed session: after every missed event was applied."""

    session_id: str
    resumed: bool
    call: CallSnapshot | None
    session_silence_s: float = SESSION_SILENCE_S


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """The session lives on at the service, its connection does not."""


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """The session is gone: kicked, or logged out."""


RequestKind = Literal["calls", "accept", "farewell", "tracks", "renegotiate"]


@dataclass(frozen=True, slots=True)
class Replied:
    """The service answered a `Send`, or could not be reached (SIGNALING_SEND_FAIL). Once per `Send`."""

    kind: RequestKind
    key: str
    code: int = 0
    message: str = ""
    field: str | None = None
    data: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    data: AnyEventData


@dataclass(frozen=True, slots=True)
class MediaReceived:
    signal: Signal


@dataclass(frozen=True, slots=True)
class TimedOut:
    timer: Timer


@dataclass(frozen=True, slots=True)
class MediaConnected:
    peer: PeerKey


@dataclass(frozen=True, slots=True)
class MediaFirstFrame:
    peer: PeerKey
    kind: Literal["audio", "video"]


@dataclass(frozen=True, slots=True)
class MediaDead:
    """The media with this peer failed or never came about; a new epoch is wanted."""

    peer: PeerKey
    reason: str


Input = (
    CallsAsked
    | AcceptAsked
    | RejectAsked
    | HangupAsked
    | TracksAsked
    | SideChanged
    | RenegotiateAsked
    | LoginStarted
    | SessionOpened
    | ConnectionLost
    | LoggedOut
    | Replied
    | ServiceEvent
    | MediaReceived
    | TimedOut
    | MediaConnected
    | MediaFirstFrame
    | MediaDead
)

# --- what comes out ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """A request for the service; `Replied` with the same kind and key answers it.

    The signalling client gives the message its id.
    """

    kind: RequestKind
    key: str
    message: AnyRequest


@dataclass(frozen=True, slots=True)
class StartMedia:
    plan: OnMediaPlan
    own_session_id: str


@dataclass(frozen=True, slots=True)
class RelayMedia:
    signal: Signal


@dataclass(frozen=True, slots=True)
class CloseMedia:
    call_id: str


@dataclass(frozen=True, slots=True)
class Notify:
    payload: Payload


@dataclass(frozen=True, slots=True)
class NotifyEnd:
    """An end decided here: `onCallEnd` when the call had begun, else `onCallNotConnected`.

    The machine has no clock, so the engine fills in the time.
    """

    call: Call
    reason: CallEndReason
    user_id: str


@dataclass(frozen=True, slots=True)
class StartTimer:
    timer: Timer
    delay_s: float


@dataclass(frozen=True, slots=True)
class StopTimer:
    timer: Timer


@dataclass(frozen=True, slots=True)
class Complete:
    """An API call succeeded; `call_id` for `calls`."""

    api: int
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class Fail:
    api: int
    code: ErrorCode
    message: str
    field: str | None = None


Effect = (
    Send
    | StartMedia
    | RelayMedia
    | CloseMedia
    | Notify
    | NotifyEnd
    | StartTimer
    | StopTimer
    | Complete
    | Fail
)
