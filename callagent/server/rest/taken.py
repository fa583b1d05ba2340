# SPDX-License-Identifier: GPL-3.0-or-later
"""A command without what a test has taken out of it (callagent/protocol/taken_out.py)."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from starlette.types import Message

from callagent.protocol import taken_out
from callagent.server.rest.contract import RestCode, RestError


async def run(inner: Callable[[Request], Awaitable[Response]], request: Request, command: str) -> Response:
    """What `inner` answers, changed. Raises as it does, and NO_SUCH_COMMAND when the command is taken out."""
    if taken_out.gone("rest", command):
        raise RestError(RestCode.NO_SUCH_COMMAND, f"There is no command {command}")
    body = await request.body()
    try:
        asked = json.loads(body)
    except ValueError:
        asked = None
    if isinstance(asked, dict):
        body = json.dumps(taken_out.pruned("ask", command, asked)).encode()
    response = await inner(_with_body(request, body))
    answer = _pruned(command, json.loads(bytes(response.body)))
    return JSONResponse(taken_out.replaced(answer))


def _pruned(command: str, answer: dict[str, Any]) -> dict[str, Any]:
    """A path begins beside the codes or, where there is one, below `Response`."""
    answer = taken_out.pruned("rest", command, answer)
    if isinstance(answer.get("Response"), dict):
        answer = answer | {"Response": taken_out.pruned("rest", command, answer["Response"])}
    return answer


def _with_body(request: Request, body: bytes) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, receive)
