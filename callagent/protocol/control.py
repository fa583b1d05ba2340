# SPDX-License-Identifier: Apache-2.0
"""The agent's control API: HTTP and a WebSocket of events on a Unix socket.

Bodies are JSON with camelCase keys. Every failure is an HTTP status from
`http_status` with an `ErrorData` body. Who may connect is decided by the
socket's owner and mode; there is no other login.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints
from pydantic.json_schema import models_json_schema

from callagent.protocol.base import ShortText, Wire
from callagent.protocol.enums import CallRole, CallState, LoginState, MediaType
from callagent.protocol.errors import ErrorCode
from callagent.protocol.replies import HistoryData

STATUS_PATH = "/v1/status"
DEVICES_PATH = "/v1/devices"
CALL_PATH = "/v1/call"
ANSWER_PATH = "/v1/answer"
REJECT_PATH = "/v1/reject"
HANGUP_PATH = "/v1/hangup"
MICROPHONE_PATH = "/v1/microphone"
CAMERA_PATH = "/v1/camera"
EVENTS_PATH = "/v1/events"
"""A WebSocket: the first message is a status snapshot (`STATUS_EVENT`), then every event as it happens."""
HISTORY_PATH = "/v1/history"
OPENAPI_PATH = "/openapi.json"

STATUS_EVENT = "status"
"""`EventMessage.event` of the snapshot; its data is a `StatusData`."""
MAX_BODY_BYTES = 65536
SERVICE_SOCKET_PATH = "/run/callagent/agent.sock"
"""Where the systemd unit's agent listens."""
SOCKET_NAME = "callagent/agent.sock"
"""Below $XDG_RUNTIME_DIR: where an agent started by a person listens."""


class SlotState(StrEnum):
    """What a camera, microphone or speaker slot gives at this moment."""

    OFF = "off"
    STARTING = "starting"
    LIVE = "live"
    ABSENT = "absent"
    FAILED = "failed"


class SlotStatus(Wire):
    state: SlotState
    reason: str = ""
    """One sentence for a person when the state is absent or failed."""
    device: str | None = None
    """Id of the device behind the slot, as in `DevicesData`."""
    mode: str | None = None
    """What the device really gives, such as `640x480@15`."""
    details: dict[str, Any] = {}


class PeerStatus(Wire):
    """Another member of the call."""

    user_id: str
    audio_available: bool = False
    video_available: bool = False
    reconnecting: bool = False


class CallStatusData(Wire):
    call_id: str
    role: CallRole
    media_type: MediaType
    peers: list[PeerStatus]
    began_s: float | None = None
    """Seconds since it began; none while nobody has accepted."""


class StatusData(Wire):
    """Answer of GET /v1/status."""

    state: CallState
    login: LoginState
    login_reason: str = ""
    """Why it is not online, in one sentence."""
    service_url: str
    sdk_app_id: int
    user_id: str
    device_id: str
    version: str
    versions: dict[str, str] = {}
    """Of the libraries that matter."""
    uptime_s: float
    call: CallStatusData | None = None
    slots: dict[str, SlotStatus] = {}
    """By slot: `camera`, `microphone`, `speaker`."""
    media: dict[str, Any] = {}
    """Figures of the running call's media."""
    counters: dict[str, int] = {}
    """Since the agent started."""
    problems: list[str] = []
    """What a person should look at, one sentence each."""


class DeviceInfo(Wire):
    id: str
    """Stable over reboots and other sockets' changes."""
    name: str
    description: str = ""
    path: str | None = None
    in_use: bool = False
    """By this agent."""
    yaml: str = ""
    """What to paste into the configuration to choose this device."""


class DevicesData(Wire):
    """Answer of GET /v1/devices: what is present now."""

    cameras: list[DeviceInfo] = []
    microphones: list[DeviceInfo] = []
    speakers: list[DeviceInfo] = []


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
    """Body of POST /v1/microphone and /v1/camera."""

    enabled: bool


class ToggleData(Wire):
    """Answer of POST /v1/microphone and /v1/camera: how it is now."""

    enabled: bool


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


class ErrorData(Wire):
    """The body of every HTTP 4xx and 5xx."""

    code: int
    message: ShortText
    field: str | None = None


_BAD_REQUEST = frozenset(
    {
        ErrorCode.PARAM_INVALID,
        ErrorCode.MALFORMED_MESSAGE,
        ErrorCode.UNKNOWN_MESSAGE_TYPE,
        ErrorCode.MESSAGE_TOO_LARGE,
    }
)
_UNAVAILABLE = frozenset(
    {
        ErrorCode.INIT_FAIL,
        ErrorCode.NOT_LOGGED_IN,
        ErrorCode.SIGNALING_SEND_FAIL,
        ErrorCode.SERVER_INTERNAL,
        ErrorCode.SERVICE_STOPPING,
    }
)


def http_status(code: ErrorCode) -> int:
    """400: the request itself is wrong; 503: not now, try again; 409: the present state does not allow it."""
    if code in _BAD_REQUEST:
        return 400
    return 503 if code in _UNAVAILABLE else 409


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the API: what the serving side registers and the OpenAPI document shows."""

    method: Literal["get", "post"]
    path: str
    summary: str
    request: type[Wire] | None
    answer: type[Wire]


OPERATIONS = (
    Operation("get", STATUS_PATH, "What the agent does now", None, StatusData),
    Operation("get", DEVICES_PATH, "Cameras, microphones and speakers present now", None, DevicesData),
    Operation("post", CALL_PATH, "Call one or more users", CallRequest, CallStartedData),
    Operation("post", ANSWER_PATH, "Accept the call that rings", None, CommandData),
    Operation("post", REJECT_PATH, "Refuse the call that rings", None, CommandData),
    Operation("post", HANGUP_PATH, "End, cancel or refuse the call, whatever its state", None, CommandData),
    Operation("post", MICROPHONE_PATH, "Mute or unmute", ToggleRequest, ToggleData),
    Operation("post", CAMERA_PATH, "Switch the camera off or on", ToggleRequest, ToggleData),
    Operation("get", EVENTS_PATH, "A WebSocket of events, beginning with a status", None, EventMessage),
    Operation("get", HISTORY_PATH, "This user's calls, newest first", HistoryQuery, HistoryData),
)


def openapi(version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of this API, for GET /openapi.json."""
    models = {operation.answer for operation in OPERATIONS} | {ErrorData}
    models |= {operation.request for operation in OPERATIONS if operation.request}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, definitions = models_json_schema(
        [(model, "validation") for model in ordered], ref_template="#/components/schemas/{model}"
    )
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _describe(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "callagent control API", "version": version},
        "paths": paths,
        "components": {"schemas": definitions.get("$defs", {})},
    }


def _describe(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": operation.path.rsplit("/", 1)[-1],
        "responses": {
            "200": {"description": "OK", "content": _content(operation.answer)},
            "default": {"description": "A failure with its code", "content": _content(ErrorData)},
        },
    }
    if operation.request is None:
        return described
    if operation.method == "post":
        described["requestBody"] = {"required": True, "content": _content(operation.request)}
    else:
        properties = operation.request.model_json_schema()["properties"]
        described["parameters"] = [
            {"name": name, "in": "query", "schema": schema} for name, schema in properties.items()
        ]
    return described


def _content(model: type[Wire]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
