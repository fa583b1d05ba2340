# SPDX-License-Identifier: GPL-3.0-or-later
"""`call_config`: where the app's back end wants to be told of calls (callkit-server 5.6)."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from pydantic import AfterValidator, Field

from callagent.server.callbacks.events import CallbackCommand
from callagent.server.rest.contract import Envelope, Rest, RestCode, RestError
from callagent.server.rest.gate import Admin, limited, service_of
from callagent.server.rest.route import RestRoute
from callagent.server.storage import callbacks
from callagent.server.storage.callbacks import CallbackConfig


class ConfigRoute(RestRoute):
    bad_parameter = RestCode.CONFIG_PARAMETER
    internal = RestCode.CONFIG_INTERNAL


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must start with http:// or https:// and name a host")
    return text


class Nothing(Rest):
    pass


class SetCallback(Rest):
    url: Annotated[str, Field(max_length=2000), AfterValidator(_web_address)]
    callback_command_list: Annotated[list[CallbackCommand], Field(max_length=20)]


class CallbackResponse(Rest):
    url: str
    callback_command_list: list[str]


class CallbackReply(Envelope):
    response: CallbackResponse


class RedeliverResponse(Rest):
    total_num: int


class RedeliverReply(Envelope):
    response: RedeliverResponse


router = APIRouter(prefix="/v4/call_config", route_class=ConfigRoute, tags=["call_config"])


@router.post("/set_callback", dependencies=[Depends(limited())])
async def set_callback(request: Request, app_id: Admin, body: SetCallback) -> Envelope:
    """One of each app: a later one takes the place of the earlier."""
    commands = tuple(dict.fromkeys(command.value for command in body.callback_command_list))
    config = CallbackConfig(body.url, commands)
    await service_of(request).storage.write(
        lambda connection: callbacks.set_config(connection, app_id, config)
    )
    return Envelope()


@router.post("/get_callback", dependencies=[Depends(limited())])
async def get_callback(request: Request, app_id: Admin, _: Nothing) -> CallbackReply:
    config = await service_of(request).storage.read(lambda connection: callbacks.config(connection, app_id))
    if config is None:
        raise RestError(RestCode.NO_CONFIG, "No callback is configured: set_callback first")
    response = CallbackResponse(url=config.url, callback_command_list=list(config.commands))
    return CallbackReply(response=response)


@router.post("/delete_callback", dependencies=[Depends(limited())])
async def delete_callback(request: Request, app_id: Admin, _: Nothing) -> Envelope:
    """What was not taken yet stays until there is a callback again, or a day has passed."""
    await service_of(request).storage.write(lambda connection: callbacks.set_config(connection, app_id, None))
    return Envelope()


@router.post("/redeliver_callback", dependencies=[Depends(limited())])
async def redeliver_callback(request: Request, app_id: Admin, _: Nothing) -> RedeliverReply:
    """Ours: try all that was given up, or is tried seldom only, at once and from the beginning."""
    service = service_of(request)
    count = await service.storage.write(
        lambda connection: callbacks.redeliver(connection, app_id, service.now())
    )
    service.callbacks.wake()
    return RedeliverReply(response=RedeliverResponse(total_num=count))
