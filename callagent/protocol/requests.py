# SPDX-License-Identifier: Apache-2.0
"""What a client asks of the service over the signalling WebSocket (docs/protocol.md)."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from callagent.protocol.base import CallId, DeviceId, SessionId, ShortText, UserId, Wire
from callagent.protocol.command import Command, CommandAnswer, CommandName
from callagent.protocol.enums import MediaType, Platform
from callagent.protocol.media import LinkMessage

PROTOCOL_VERSION = 1
MAX_MESSAGE_BYTES = 65536
"""A longer text frame is answered with MESSAGE_TOO_LARGE and otherwise ignored."""
PING_IDLE_S = 10.0
PING_CALL_S = 3.0
PING_REPLY_S = 3.0
"""No reply within this: the client opens a new connection."""
SESSION_SILENCE_S = 30.0
"""The service drops a session that was silent, or away, for this long."""

SFU_CAPABILITY = "sfu"
"""The client can send to and receive from a media server. Without it calls of several are a mesh."""

RoomName = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]{1,64}$")]


class Request(Wire):
    """Every request carries a number of the client's choosing; the reply repeats it."""

    id: Annotated[int, Field(ge=1, le=2**53)]


class Resume(Wire):
    session_id: SessionId
    resume_token: Annotated[str, StringConstraints(max_length=128)]
    last_seq: Annotated[int, Field(ge=0)]
    """The last event the client handled; the service replays what came after."""


class Hello(Request):
    """The first message of a connection: who, what and which version."""

    type: Literal["hello"] = "hello"
    protocol: int
    sdk_app_id: int
    user_id: UserId
    user_sig: Annotated[str, StringConstraints(max_length=8192)]
    device_id: DeviceId
    platform: Platform = Platform.OTHER
    version: ShortText = ""
    model: ShortText = ""
    capabilities: list[ShortText] = []
    """What the client can beside the basics; see `SFU_CAPABILITY`."""
    resume: Resume | None = None


class Ping(Request):
    type: Literal["ping"] = "ping"
    ack: Annotated[int, Field(ge=0)] = 0
    """Events up to this one were handled; the service forgets them."""


class Logout(Request):
    type: Literal["logout"] = "logout"


class OfflinePushInfo(Wire):
    """What a callee who is offline is to be told (callkit-client-api 6.2), for the app's back end to deliver.

    The fields for particular phones are passed on as they are.
    """

    model_config = ConfigDict(extra="allow")

    title: ShortText = ""
    desc: ShortText = ""
    is_disable_push: bool = False


class Calls(Request):
    """Start a call. `roomId` an int or a string; the service makes one when absent."""

    type: Literal["calls"] = "calls"
    user_id_list: list[str]
    """Checked by the service one by one, so that the error names the entry."""
    media_type: Literal[MediaType.AUDIO, MediaType.VIDEO]
    timeout: int = 30
    """Seconds the callee rings; 10 to 600, 0 means 30."""
    room_id: Annotated[int, Field(ge=1, le=2**31 - 1)] | RoomName | None = None
    user_data: Annotated[str, StringConstraints(max_length=4096)] = ""
    chat_group_id: ShortText = ""
    offline_push_info: OfflinePushInfo | None = None


class InviteUser(Request):
    """Ring more users for a call this session calls in or is connected in."""

    type: Literal["inviteUser"] = "inviteUser"
    call_id: CallId
    user_id_list: list[str]
    """Checked as those of `Calls`; who is in the call already is left out silently."""
    timeout: int = 30
    offline_push_info: OfflinePushInfo | None = None


class Join(Request):
    """Enter a running call without having been rung; by the service's policy (`calls.join`)."""

    type: Literal["join"] = "join"
    call_id: CallId


class SwitchMediaType(Request):
    """Make a video call of two an audio call."""

    type: Literal["switchMediaType"] = "switchMediaType"
    call_id: CallId
    media_type: Literal[MediaType.AUDIO, MediaType.VIDEO]


class View(Request):
    """What this session wants to receive of another member by way of the media server."""

    type: Literal["view"] = "view"
    call_id: CallId
    user_id: UserId
    layer: Literal["h", "l", "off"] = "h"
    """The large picture, the small one, or none."""


class Accept(Request):
    type: Literal["accept"] = "accept"
    call_id: CallId


class Reject(Request):
    type: Literal["reject"] = "reject"
    call_id: CallId


class Hangup(Request):
    """Ringing: reject; calling: cancel; connected: leave."""

    type: Literal["hangup"] = "hangup"
    call_id: CallId


class SetTracks(Request):
    """Tell the call whether this side's microphone and camera send, and what else there is to know of it."""

    type: Literal["setTracks"] = "setTracks"
    call_id: CallId
    audio: bool | None = None
    video: bool | None = None
    privacy: bool | None = None
    """Whether the privacy switch is on: nobody remote can have this side's camera or microphone back."""
    commands: Annotated[list[CommandName], Field(max_length=16)] | None = None
    """What the others may ask this device to do (`SendCommand`)."""


class Renegotiate(Request):
    """This side's media of `epoch` is dead: ask for a new epoch.

    Only the first request naming the present epoch has an effect.
    """

    type: Literal["renegotiate"] = "renegotiate"
    call_id: CallId
    epoch: Annotated[int, Field(ge=1)]
    reason: ShortText = ""


class SendMedia(Request):
    """Pass a media message to another session of the same call, or to one's link to the media server.

    It is not stored.
    """

    type: Literal["media"] = "media"
    to: SessionId
    media: LinkMessage


class SendCommand(Request):
    """Ask the device of another connected session of the call to do something.

    The reply says whether it was passed on, a `CommandSignal` back (`answer`) whether it was done.
    """

    type: Literal["command"] = "command"
    to: SessionId
    command: Command


class AnswerCommand(Request):
    """What came of a command, to the session that asked."""

    type: Literal["commandAnswer"] = "commandAnswer"
    to: SessionId
    answer: CommandAnswer


class GetUsers(Request):
    """Who is there: all accounts of the app (or those named), with their status.

    With `subscribe` the session is told of every change after.
    """

    type: Literal["getUsers"] = "getUsers"
    user_ids: list[UserId] | None = None
    subscribe: bool = False


class GetHistory(Request):
    """This user's own calls, newest first, that began before `before` (Unix seconds)."""

    type: Literal["getHistory"] = "getHistory"
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    before: float | None = None


class SetSelfInfo(Request):
    type: Literal["setSelfInfo"] = "setSelfInfo"
    nickname: ShortText | None = None
    avatar: ShortText | None = None


AnyRequest = (
    Hello
    | Ping
    | Logout
    | Calls
    | InviteUser
    | Join
    | SwitchMediaType
    | View
    | Accept
    | Reject
    | Hangup
    | SetTracks
    | Renegotiate
    | SendMedia
    | SendCommand
    | AnswerCommand
    | GetUsers
    | GetHistory
    | SetSelfInfo
)

REQUEST_TYPES: dict[str, type[AnyRequest]] = {
    str(model.model_fields["type"].default): model
    for model in (
        Hello,
        Ping,
        Logout,
        Calls,
        InviteUser,
        Join,
        SwitchMediaType,
        View,
        Accept,
        Reject,
        Hangup,
        SetTracks,
        Renegotiate,
        SendMedia,
        SendCommand,
        AnswerCommand,
        GetUsers,
        GetHistory,
        SetSelfInfo,
    )
}


class Reply(Wire):
    type: Literal["reply"] = "reply"
    id: int
    code: int = 0
    message: str = ""
    field: str | None = None
    """For bad input: the path of the field, such as `userIdList.0`."""
    data: dict[str, Any] = {}


class ProtocolError(Wire):
    """Answers what has no usable id."""

    type: Literal["error"] = "error"
    code: int
    message: str
    field: str | None = None


class Bye(Wire):
    """The service's last message on a connection it ends on purpose."""

    type: Literal["bye"] = "bye"
    code: int
    message: str
