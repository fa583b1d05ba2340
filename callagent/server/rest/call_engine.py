# SPDX-License-Identifier: GPL-3.0-or-later
"""`call_engine_http_srv`: live calls (callkit-server 5.5 and 9)."""

import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from callagent.server.rest.contract import Envelope, Rest, RestCode, RestError
from callagent.server.rest.gate import Admin, limited, service_of
from callagent.server.rest.route import RestRoute
from callagent.server.rest.shapes import CallInfo, CallUser, call_info, call_users

logger = logging.getLogger(__name__)

END_PER_S = 20

RoomNumber = Annotated[int, Field(strict=True, ge=1, lt=2**31)]
RoomName = Annotated[str, Field(strict=True, min_length=1, max_length=64)]


class CallRoute(RestRoute):
    bad_parameter = RestCode.CALL_PARAMETER
    internal = RestCode.CALL_INTERNAL


class GetCallInfo(Rest):
    call_id: str


class LiveCallInfo(CallInfo):
    user_list: list[CallUser]


class CallInfoResponse(Rest):
    call_info: LiveCallInfo


class CallInfoReply(Envelope):
    response: CallInfoResponse


class EndCall(Rest):
    call_id: str


class DismissRoom(Rest):
    room_id: RoomNumber


class DismissRoomByStrRoomId(Rest):
    room_id: RoomName


router = APIRouter(prefix="/v4/call_engine_http_srv", route_class=CallRoute, tags=["call_engine_http_srv"])


@router.post("/get_call_info", dependencies=[Depends(limited())])
async def get_call_info(request: Request, app_id: Admin, body: GetCallInfo) -> CallInfoReply:
    """The members of a live call: `Calling` (the caller, and who has accepted) or `Waiting`."""
    call = await service_of(request).control.live(app_id, body.call_id)
    if call is None:
        raise _no_call()
    shown = LiveCallInfo(**call_info(call).model_dump(), user_list=call_users(call))
    return CallInfoReply(response=CallInfoResponse(call_info=shown))


@router.post("/end_call", dependencies=[Depends(limited(END_PER_S))])
async def end_call(request: Request, app_id: Admin, body: EndCall) -> Envelope:
    """End a call, ringing or connected: everybody in it is told reason 9, EndByServer."""
    await _end(request, app_id, [body.call_id])
    return Envelope()


@router.post("/DismissRoom", dependencies=[Depends(limited(END_PER_S))])
async def dismiss_room(request: Request, app_id: Admin, body: DismissRoom) -> Envelope:
    """The same by the number of its room."""
    await _end(request, app_id, await service_of(request).control.live_in_room(app_id, body.room_id))
    return Envelope()


@router.post("/DismissRoomByStrRoomId", dependencies=[Depends(limited(END_PER_S))])
async def dismiss_room_by_str_room_id(
    request: Request, app_id: Admin, body: DismissRoomByStrRoomId
) -> Envelope:
    """The same by the name of its room."""
    await _end(request, app_id, await service_of(request).control.live_in_room(app_id, body.room_id))
    return Envelope()


async def _end(request: Request, app_id: int, call_ids: list[str]) -> None:
    ended = 0
    for call_id in call_ids:
        if await service_of(request).control.end_by_service(app_id, call_id):
            logger.info("call %s ended over REST", call_id)
            ended += 1
    if not ended:
        raise _no_call()


def _no_call() -> RestError:
    return RestError(RestCode.CALL_NOT_EXIST, "There is no such call, or it is over")
