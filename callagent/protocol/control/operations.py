# SPDX-License-Identifier: Apache-2.0
"""The API as a table: what the serving side registers and the OpenAPI document shows."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic.json_schema import models_json_schema

from callagent.protocol.base import Wire
from callagent.protocol.control.commands import (
    CallRequest,
    CallStartedData,
    CommandData,
    DoneData,
    ErrorData,
    EventMessage,
    HistoryQuery,
    RemoteCommandRequest,
    ToggleData,
    ToggleRequest,
)
from callagent.protocol.control.devices import (
    CameraControlsData,
    DevicesData,
    SelectRequest,
    SetCameraControlRequest,
    SideRequest,
    VolumeData,
    VolumeRequest,
)
from callagent.protocol.control.paths import (
    ANSWER_PATH,
    CALL_PATH,
    CAMERA_CONTROLS_PATH,
    CAMERA_PATH,
    CAMERA_SIDE_PATH,
    COMMAND_PATH,
    DEVICES_PATH,
    DOOR_PATH,
    EVENTS_PATH,
    HANGUP_PATH,
    HISTORY_PATH,
    MICROPHONE_PATH,
    PRIVACY_PATH,
    REJECT_PATH,
    SELECT_PATH,
    STATS_PATH,
    STATUS_PATH,
    VOLUME_PATH,
)
from callagent.protocol.control.stats import StatsData, StatsQuery
from callagent.protocol.control.status import StatusData
from callagent.protocol.errors import ErrorCode
from callagent.protocol.replies import HistoryData

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
    """400: the request is wrong; 403: not for this one; 409: not in the present state; 503: try later."""
    if code in _BAD_REQUEST:
        return 400
    if code is ErrorCode.PERMISSION_DENIED:
        return 403
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
    Operation("get", DEVICES_PATH, "Devices present now, and those in use", None, DevicesData),
    Operation("post", SELECT_PATH, "Prefer a device, or none, for a slot", SelectRequest, DevicesData),
    Operation("post", CALL_PATH, "Call one or more users", CallRequest, CallStartedData),
    Operation("post", ANSWER_PATH, "Accept the call that rings", None, CommandData),
    Operation("post", REJECT_PATH, "Refuse the call that rings", None, CommandData),
    Operation("post", HANGUP_PATH, "End, cancel or refuse the call, whatever its state", None, CommandData),
    Operation("post", MICROPHONE_PATH, "Mute or unmute", ToggleRequest, ToggleData),
    Operation("post", CAMERA_PATH, "Switch the camera off or on", ToggleRequest, ToggleData),
    Operation("post", CAMERA_SIDE_PATH, "Front or back camera", SideRequest, DevicesData),
    Operation("get", CAMERA_CONTROLS_PATH, "Controls of the camera in use", None, CameraControlsData),
    Operation("post", CAMERA_CONTROLS_PATH, "Set one of them", SetCameraControlRequest, CameraControlsData),
    Operation("post", VOLUME_PATH, "Volume of the call", VolumeRequest, VolumeData),
    Operation("post", PRIVACY_PATH, "Close camera and microphone, for privacy", ToggleRequest, ToggleData),
    Operation("post", DOOR_PATH, "Open this device's own door", None, DoneData),
    Operation("post", COMMAND_PATH, "Ask another member's device", RemoteCommandRequest, DoneData),
    Operation("get", EVENTS_PATH, "A WebSocket of events, beginning with a status", None, EventMessage),
    Operation("get", HISTORY_PATH, "This user's calls, newest first", HistoryQuery, HistoryData),
    Operation("get", STATS_PATH, "Where pictures spend their time, measured now", StatsQuery, StatsData),
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
        "operationId": "_".join([operation.method, *operation.path.split("/")[2:]]),
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
