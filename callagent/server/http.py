# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP interface for devices and monitoring."""

import logging
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import StringConstraints
from sqlalchemy.exc import SQLAlchemyError

from callagent.protocol.base import DeviceId, ShortText, Wire
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.replies import HealthData
from callagent.server.rate_limit import RateLimit
from callagent.server.service import CallService

Secret = Annotated[str, StringConstraints(min_length=1, max_length=200)]

_STATUS = {
    ErrorCode.DEVICE_KEY_INVALID: 401,
    ErrorCode.ENROLMENT_CODE_INVALID: 401,
    ErrorCode.REQUEST_REFUSED: 429,
    ErrorCode.SERVER_INTERNAL: 503,
}

logger = logging.getLogger(__name__)


class EnrolBody(Wire):
    code: Secret
    device_id: DeviceId
    model: ShortText = ""


class UserSigBody(Wire):
    device_key: Secret


class FailureBody(Wire):
    code: int
    message: str
    field: str | None = None


def create_router(service: CallService) -> APIRouter:
    """The routes of docs/protocol.md, "HTTP"."""
    router = APIRouter()
    enrolments = RateLimit(burst=10, per_s=1 / 6)
    usersigs = RateLimit(burst=30, per_s=1.0)

    @router.get("/healthz")
    async def health() -> JSONResponse:
        try:
            return JSONResponse((await service.health()).wire())
        except SQLAlchemyError:
            logger.exception("the storage does not answer")
            down = HealthData(status="unavailable", version=service.version, details={"storage": "no answer"})
            return JSONResponse(down.wire(), status_code=503)

    @router.post("/v1/devices/enrol")
    async def enrol(body: EnrolBody, request: Request) -> JSONResponse:
        _limit(enrolments, request)
        enrolled = await service.accounts.enrol(body.code, body.device_id, body.model)
        return JSONResponse(enrolled.wire(), headers={"Cache-Control": "no-store"})

    @router.post("/v1/usersig")
    async def usersig(body: UserSigBody, request: Request) -> JSONResponse:
        _limit(usersigs, request)
        issued = await service.accounts.device_usersig(body.device_key)
        return JSONResponse(issued.wire(), headers={"Cache-Control": "no-store"})

    return router


async def on_failure(_request: Request, error: Exception) -> JSONResponse:
    """Typed failures as HTTP 4xx."""
    assert isinstance(error, CallAgentError)
    body = FailureBody(code=error.code, message=error.message, field=error.field)
    return JSONResponse(body.wire(), status_code=_STATUS.get(error.code, 400))


async def on_bad_body(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"][1:] if first["type"] != "json_invalid")
    body = FailureBody(code=ErrorCode.MALFORMED_MESSAGE, message=str(first["msg"]), field=path or None)
    return JSONResponse(body.wire(), status_code=400)


def _limit(limit: RateLimit, request: Request) -> None:
    if not limit.allows(request.client.host if request.client is not None else ""):
        raise CallAgentError(ErrorCode.REQUEST_REFUSED, "Too many requests; try again in a minute")
