# SPDX-License-Identifier: GPL-3.0-or-later
"""The models of the control socket: camelCase on the wire, a complete OpenAPI document."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from callagent.protocol import control as api
from callagent.protocol.enums import MediaType
from callagent.protocol.errors import ErrorCode
from tests.unit.cli.agent_server import STATUS


def test_the_wire_is_camel_case_and_reads_back() -> None:
    wire = json.loads(json.dumps(STATUS.wire()))
    assert wire["serviceUrl"] == STATUS.service_url
    assert wire["call"]["peers"][0] == {
        "userId": "alice",
        "audioAvailable": True,
        "videoAvailable": True,
        "reconnecting": False,
    }
    assert api.StatusData.model_validate(wire) == STATUS


def test_requests_are_checked() -> None:
    call = api.CallRequest.model_validate({"userIdList": ["a"], "mediaType": 2, "unknown": 1})
    assert (call.media_type, call.timeout) == (MediaType.VIDEO, None)
    for bad in (
        {},
        {"userIdList": "a"},
        {"userIdList": [], "mediaType": 3},
        {"userIdList": [], "timeout": "x"},
    ):
        with pytest.raises(ValidationError):
            api.CallRequest.model_validate(bad)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (ErrorCode.PARAM_INVALID, 400),
        (ErrorCode.MALFORMED_MESSAGE, 400),
        (ErrorCode.REQUEST_REFUSED, 409),
        (ErrorCode.REQUEST_REPEATED, 409),
        (ErrorCode.INVITE_HANDLED, 409),
        (ErrorCode.INIT_FAIL, 503),
        (ErrorCode.SIGNALING_SEND_FAIL, 503),
    ],
)
def test_http_status_of_codes(code: ErrorCode, status: int) -> None:
    assert api.http_status(code) == status


def test_openapi_is_complete_and_closed() -> None:
    document = api.openapi("1.2.3")
    assert document["info"]["version"] == "1.2.3"
    assert {(path, method) for path, methods in document["paths"].items() for method in methods} == {
        (operation.path, operation.method) for operation in api.OPERATIONS
    }
    defined = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    used = set(references(document))
    assert used <= defined
    assert {"#/components/schemas/StatusData", "#/components/schemas/ErrorData"} <= used


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [found for below in part.values() for found in references(below)]
    return [found for below in part for found in references(below)] if isinstance(part, list) else []
