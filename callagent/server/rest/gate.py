# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may pass: the query of a request, its signature, the administrator, how often (callkit-server 5.1)."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Query, Request

from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.usersig import verify_usersig
from callagent.server.rate_limit import RateLimit
from callagent.server.rest.contract import RestCode, RestError
from callagent.server.service import CallService

APP_PER_S = 1000
"""Of one app, all commands together."""
COMMAND_PER_S = 200
_MAX_RANDOM = 2**32 - 1


def service_of(request: Request) -> CallService:
    service: CallService = request.app.state.service
    return service


def _said(meaning: str) -> Any:
    """A parameter of the URL, for the OpenAPI document; what is wrong with it is said in the envelope."""
    return Query(description=meaning)


async def admin_app(
    request: Request,
    sdkappid: Annotated[str | None, _said("The app")] = None,
    identifier: Annotated[str, _said("An administrator of the app")] = "",
    usersig: Annotated[str, _said("The administrator's UserSig: `callagent token administrator`")] = "",
    random: Annotated[str | None, _said(f"0 to {_MAX_RANDOM}, another each time")] = None,
    contenttype: Annotated[str, _said("`json`")] = "json",
) -> int:
    """The app whose administrator signed this request. Raises RestError."""
    app_id = _app_id(sdkappid)
    if contenttype != "json":
        raise RestError(RestCode.HTTP_INVALID, "contenttype must be json")
    if random is not None and not _is_random(random):
        raise RestError(RestCode.HTTP_INVALID, f"random must be 0 to {_MAX_RANDOM}")
    if not identifier:
        raise RestError(RestCode.IDENTIFIER_INVALID, "identifier is missing in the URL")
    accounts = service_of(request).accounts
    try:
        secret = await accounts.secret(app_id)
    except CallAgentError as error:
        raise RestError(RestCode.APP_INVALID, "There is no such sdkappid") from error
    try:
        verify_usersig(usersig, app_id, secret, identifier)
    except CallAgentError as error:
        address = request.client.host if request.client is not None else ""
        if service_of(request).limits.refused(address, error) is not error:
            raise RestError(
                RestCode.COMMAND_FREQUENCY, "Too many wrong usersigs from your address; try again in a minute"
            ) from error
        why = "has expired" if error.code is ErrorCode.USERSIG_EXPIRED else "does not fit the identifier"
        raise RestError(RestCode.USERSIG_INVALID, f"usersig {why}") from error
    if not await accounts.is_admin(app_id, identifier):
        raise RestError(RestCode.ADMIN_ONLY, f"{identifier} is no administrator of the app")
    return app_id


Admin = Annotated[int, Depends(admin_app)]
"""The app."""


def limited(per_s: int = COMMAND_PER_S) -> Callable[[Request, int], Awaitable[None]]:
    """A dependency: so many requests a second of one app, and no more."""
    command = RateLimit(burst=per_s, per_s=per_s)

    async def allowed(request: Request, app_id: Admin) -> None:
        everything: RateLimit = request.app.state.rest_limit
        if not everything.allows(str(app_id)):
            raise RestError(RestCode.APP_FREQUENCY, f"At most {APP_PER_S} requests a second of one app")
        if not command.allows(str(app_id)):
            raise RestError(RestCode.COMMAND_FREQUENCY, f"At most {per_s} of these requests a second")

    return allowed


def _app_id(text: str | None) -> int:
    if not text:
        raise RestError(RestCode.APP_MISSING, "sdkappid is missing in the URL")
    # Not int(): that takes spaces, underscores and the digits of other scripts.
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise RestError(RestCode.APP_INVALID, "sdkappid must be a number")
    return int(text)


def _is_random(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _MAX_RANDOM
