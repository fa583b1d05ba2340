# SPDX-License-Identifier: GPL-3.0-or-later
"""How a command is run: its body read, its time limited, whatever happens put into the envelope."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from callagent.protocol import taken_out
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.server.rest import taken
from callagent.server.rest.contract import RestCode, RestError, failure

LIMIT_S = 3.0
MAX_BODY = 256 * 1024
_JSON = (b"content-type", b"application/json")

logger = logging.getLogger(__name__)

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class RestRoute(APIRoute):
    """A route of REST v4; each service has its own codes."""

    bad_parameter: ClassVar[RestCode]
    internal: ClassVar[RestCode]

    def get_route_handler(self) -> Handler:
        inner = super().get_route_handler()
        command = self.path.rpartition("/")[2]

        async def handle(request: Request) -> Response:
            try:
                async with asyncio.timeout(LIMIT_S):
                    if taken_out.anything():
                        return await taken.run(inner, _as_json(request), command)
                    return await inner(_as_json(request))
            except RestError as error:
                return refused(error)
            except TimeoutError:
                logger.warning("%s took longer than %.0f s", self.path, LIMIT_S)
                return refused(RestError(RestCode.TIMED_OUT, f"Not done within {LIMIT_S:g} s"))
            except RequestValidationError as error:
                return refused(self._unfit(error))
            except HTTPException:
                return refused(RestError(RestCode.BODY_INVALID, "The body cannot be read, or is too long"))
            except CallAgentError as error:
                code = self.bad_parameter if error.code is ErrorCode.PARAM_INVALID else self.internal
                return refused(RestError(code, error.message))
            except Exception:
                logger.exception("%s failed", self.path)
                return refused(RestError(self.internal, "The service failed; try again"))

        return handle

    def _unfit(self, error: RequestValidationError) -> RestError:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:])
        if first["type"] == "json_invalid" or not field:
            return RestError(RestCode.BODY_INVALID, "The body must be a JSON object, {} at least")
        return RestError(self.bad_parameter, f"{field}: {first['msg']}")


def refused(error: RestError) -> JSONResponse:
    return JSONResponse(failure(error).model_dump(by_alias=True))


def _as_json(request: Request) -> Request:
    """Whatever the client called it: `contenttype` of the URL counts, and curl says it is a form."""
    headers = [each for each in request.scope["headers"] if each[0] != b"content-type"]
    return Request({**request.scope, "headers": [*headers, _JSON]}, _capped(request.receive))


def _capped(receive: Receive) -> Receive:
    read = 0

    async def capped() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > MAX_BODY:
            raise RestError(RestCode.BODY_INVALID, f"The body has more than {MAX_BODY} bytes")
        return message

    return capped
