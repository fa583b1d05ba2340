# SPDX-License-Identifier: GPL-3.0-or-later
"""`device_http_srv`, ours: the devices that ever logged in, and which are there now."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from callagent.server.rest.contract import Envelope, Rest, RestCode
from callagent.server.rest.gate import Admin, limited, service_of
from callagent.server.rest.route import RestRoute
from callagent.server.storage import devices

PER_S = 20
MAX_PER_PAGE = 500

Count = Annotated[int, Field(strict=True, ge=1, lt=2**31)]


class DeviceRoute(RestRoute):
    bad_parameter = RestCode.ACCOUNT_PARAMETER
    internal = RestCode.ACCOUNT_INTERNAL


class GetDevices(Rest):
    number_per_page: Annotated[Count, Field(le=MAX_PER_PAGE)] = 100
    page: Count = 1


class Device(Rest):
    user_id: str = Field(alias="UserID")
    device_id: str = Field(alias="DeviceID")
    platform: str
    version: str
    """Of its software, as it says."""
    model: str
    address: str
    """Of its last login."""
    online: bool
    first_seen_time: int
    last_seen_time: int
    """Unix seconds of its login; when it is not online: of the end of its session."""


class DevicesResponse(Rest):
    total_num: int
    page: int
    """Above 0: there are more."""
    device_list: list[Device]


class DevicesReply(Envelope):
    response: DevicesResponse


router = APIRouter(prefix="/v4/device_http_srv", route_class=DeviceRoute, tags=["device_http_srv"])


@router.post("/get_devices", dependencies=[Depends(limited(PER_S))])
async def get_devices(request: Request, app_id: Admin, body: GetDevices) -> DevicesReply:
    skip = (body.page - 1) * body.number_per_page
    total, found = await service_of(request).storage.read(
        lambda connection: (
            devices.count(connection, app_id),
            devices.listed(connection, app_id, skip, body.number_per_page),
        )
    )
    return DevicesReply(
        response=DevicesResponse(
            total_num=total,
            page=body.page if skip + len(found) < total and found else 0,
            device_list=[
                Device(
                    user_id=device.user_id,
                    device_id=device.device_id,
                    platform=device.platform,
                    version=device.version,
                    model=device.model,
                    address=device.address,
                    online=device.online,
                    first_seen_time=int(device.first_seen_at),
                    last_seen_time=int(device.last_seen_at),
                )
                for device in found
            ],
        )
    )
