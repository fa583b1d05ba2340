# SPDX-License-Identifier: GPL-3.0-or-later
"""`openim`: who is logged in. The call kit's documents name it only; the form is that of IM's REST API."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from callagent.protocol.enums import UserStatus
from callagent.server.rest.contract import Envelope, Rest, RestCode
from callagent.server.rest.gate import Admin, limited, service_of
from callagent.server.rest.route import RestRoute

MANY = 500


class OnlineRoute(RestRoute):
    bad_parameter = RestCode.ACCOUNT_PARAMETER
    internal = RestCode.ACCOUNT_INTERNAL


class QueryOnlineStatus(Rest):
    is_need_detail: Literal[0, 1] = 0
    to_account: Annotated[list[str], Field(min_length=1, max_length=MANY)] = Field(alias="To_Account")


class PlatformStatus(Rest):
    platform: str
    status: Literal["Online"] = "Online"


class OnlineStatus(Rest):
    to_account: str = Field(alias="To_Account")
    status: Literal["Online", "Offline"]
    detail: list[PlatformStatus] | None = None


class UnknownAccount(Rest):
    to_account: str = Field(alias="To_Account")
    error_code: int = RestCode.ACCOUNT_NOT_EXIST


class OnlineStatusReply(Envelope):
    query_result: list[OnlineStatus]
    error_list: list[UnknownAccount] | None = None


router = APIRouter(prefix="/v4/openim", route_class=OnlineRoute, tags=["openim"])


@router.post("/query_online_status", dependencies=[Depends(limited())], response_model_exclude_none=True)
async def query_online_status(request: Request, app_id: Admin, body: QueryOnlineStatus) -> OnlineStatusReply:
    users = await service_of(request).presence.users(app_id, body.to_account)
    unknown = [UnknownAccount(to_account=u.user_id) for u in users if u.status is UserStatus.UNKNOWN]
    return OnlineStatusReply(
        query_result=[
            OnlineStatus(
                to_account=user.user_id,
                status="Online" if user.status is UserStatus.ONLINE else "Offline",
                detail=[PlatformStatus(platform=each) for each in user.platforms]
                if body.is_need_detail
                else None,
            )
            for user in users
            if user.status is not UserStatus.UNKNOWN
        ],
        error_list=unknown or None,
    )
