# SPDX-License-Identifier: GPL-3.0-or-later
"""All services of REST v4 on one application."""

from fastapi import FastAPI, Request, Response

from callagent.server.rate_limit import RateLimit
from callagent.server.rest import (
    accounts,
    call_config,
    call_engine,
    call_record,
    call_statistics,
    devices,
    online_status,
    profile,
)
from callagent.server.rest.contract import RestCode, RestError
from callagent.server.rest.gate import APP_PER_S
from callagent.server.rest.route import refused

_SERVICES = (
    call_engine,
    call_record,
    call_statistics,
    call_config,
    accounts,
    devices,
    profile,
    online_status,
)


def add_rest(app: FastAPI) -> None:
    """`app.state.service` is the service they speak for."""
    app.state.rest_limit = RateLimit(burst=APP_PER_S, per_s=APP_PER_S)
    for each in _SERVICES:
        app.include_router(each.router)

    @app.api_route("/v4/{path:path}", methods=["GET", "POST", "PUT", "DELETE"], include_in_schema=False)
    async def elsewhere(request: Request) -> Response:
        """Another method of a command that exists comes here, too."""
        if request.method != "POST":
            return refused(RestError(RestCode.HTTP_INVALID, "Only POST is understood"))
        return refused(RestError(RestCode.NO_SUCH_COMMAND, f"There is no command {request.url.path}"))
