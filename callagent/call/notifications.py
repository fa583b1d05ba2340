# SPDX-License-Identifier: GPL-3.0-or-later
"""What the application is told beyond the service's own events; the same camelCase on the wire."""

from dataclasses import dataclass
from typing import Any, Literal

from callagent.protocol.base import Wire
from callagent.protocol.enums import CallRole, MediaType, NetworkQuality
from callagent.protocol.events import AnyEventData, CommandSignal, PresenceChange


class OnUserReconnecting(Wire):
    """The media to or from this member broke and is being made anew; the call goes on."""

    call_id: str
    user_id: str


class OnUserReconnected(Wire):
    """The media with this member runs again."""

    call_id: str
    user_id: str


class OnFirstFrame(Wire):
    """The first decoded picture or sound of a member arrived, once per epoch and kind."""

    call_id: str
    user_id: str
    kind: Literal["audio", "video"]


class UserQuality(Wire):
    """The network of one member."""

    user_id: str
    quality: NetworkQuality


class OnUserNetworkQualityChanged(Wire):
    """How good the network is: of this user what it sends, of each other member what comes from it."""

    call_id: str
    network_quality_list: list[UserQuality]


class OnError(Wire):
    """Something a person should know went wrong outside a request."""

    code: int
    message: str


class OnStatusChanged(Wire):
    """Login or call state moved on; the engine's `state` is already the new one."""

    login_state: str
    call_state: str
    call_id: str
    role: CallRole
    media_type: MediaType


class OnCommand(CommandSignal):
    """A member asks this device to do something; to be answered with `CallEngine.answer_command`."""


class OnPresence(PresenceChange):
    """A user came, went or entered a call (after `get_users(subscribe=True)`)."""


Payload = (
    AnyEventData
    | OnUserReconnecting
    | OnUserReconnected
    | OnFirstFrame
    | OnUserNetworkQualityChanged
    | OnError
    | OnStatusChanged
    | OnCommand
    | OnPresence
)


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """One notification: `onCallBegin` and so on, as plain data and as a typed payload."""

    name: str
    data: dict[str, Any]
    """The wire form, camelCase keys."""
    payload: Payload


def engine_event(payload: Payload) -> EngineEvent:
    name = type(payload).__name__
    return EngineEvent(name[0].lower() + name[1:], payload.wire(), payload)
