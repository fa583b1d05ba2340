# SPDX-License-Identifier: Apache-2.0
"""What the agent is asked to do, and what comes of it."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from callagent.protocol import taken_out
from callagent.protocol.base import ShortText, UserId, Wire
from callagent.protocol.command import CommandName
from callagent.protocol.enums import MediaType


class CallRequest(Wire):
    """Body of POST /v1/call; answered with `CallStartedData`. Absent fields come from the configuration."""

    user_id_list: list[str]
    media_type: Literal[MediaType.AUDIO, MediaType.VIDEO] | None = None
    timeout: int | None = None
    """Seconds it rings; 10 to 600, 0 means 30."""
    user_data: Annotated[str, StringConstraints(max_length=4096)] = ""


class CallStartedData(Wire):
    """Answer of POST /v1/call."""

    call_id: str
    timeout: int
    """Seconds it rings."""


class CommandData(Wire):
    """Answer of POST /v1/answer, /v1/reject and /v1/hangup: the call it was about."""

    call_id: str | None = None


class ToggleRequest(Wire):
    """Body of POST /v1/microphone, /v1/camera and /v1/privacy."""

    enabled: bool


class ToggleData(Wire):
    """Answer of POST /v1/microphone, /v1/camera and /v1/privacy: how it is now."""

    enabled: bool


class RemoteCommandRequest(Wire):
    """Body of POST /v1/command: ask another member's device; answered when it was done."""

    user_id: UserId
    command: CommandName


class DoneData(Wire):
    """Answer of commands that have nothing to tell but that they were done."""


class HistoryQuery(Wire):
    """Query of GET /v1/history; answered with `HistoryData`."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20


class EventMessage(Wire):
    """One message of the event WebSocket."""

    event: str
    """`STATUS_EVENT`, an engine event (`onCallReceived`, ...) or one of the agent's own."""
    time: int
    """Unix milliseconds."""
    data: dict[str, Any] = {}

    def wire(self) -> dict[str, object]:
        if not taken_out.anything():
            return super().wire()
        # The engine's own events do not pass the service.
        told = super().wire() | {"data": taken_out.pruned("event", self.event, self.data)}
        return told | {"event": "onNothing"} if taken_out.gone("event", self.event) else told


class ErrorData(Wire):
    """The body of every HTTP 4xx and 5xx."""

    code: int
    message: ShortText
    field: str | None = None
