# SPDX-License-Identifier: GPL-3.0-or-later
"""`profile`: what accounts tell of themselves (callkit-server 4.3, room-server-voiceroom B10)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field, StrictInt, StrictStr

from callagent.server import profiles
from callagent.server.rest.contract import Envelope, Rest, RestCode, RestError
from callagent.server.rest.gate import Admin, limited, service_of
from callagent.server.rest.route import RestRoute

MANY = 100
_CODES = {
    profiles.UnknownTag: RestCode.PROFILE_NO_TAG,
    profiles.WrongType: RestCode.PROFILE_TYPE,
    profiles.WrongValue: RestCode.PROFILE_VALUE,
    profiles.TooLong: RestCode.PROFILE_TOO_LONG,
}


class ProfileRoute(RestRoute):
    bad_parameter = RestCode.PROFILE_PARAMETER
    internal = RestCode.PROFILE_INTERNAL


class ProfileItem(Rest):
    tag: str
    value: StrictStr | StrictInt


class SetPortrait(Rest):
    from_account: str = Field(alias="From_Account")
    profile_item: Annotated[list[ProfileItem], Field(min_length=1, max_length=MANY)]


class GetPortraits(Rest):
    to_account: Annotated[list[str], Field(max_length=MANY)] = Field(default=[], alias="To_Account")
    tag_list: Annotated[list[str], Field(min_length=1, max_length=MANY)]


class UserProfile(Rest):
    to_account: str = Field(alias="To_Account")
    profile_item: list[ProfileItem]
    result_code: int = 0
    result_info: str = ""


class PortraitEnvelope(Envelope):
    error_display: str = ""


class PortraitsReply(PortraitEnvelope):
    user_profile_item: list[UserProfile]


router = APIRouter(prefix="/v4/profile", route_class=ProfileRoute, tags=["profile"])


@router.post("/portrait_set", dependencies=[Depends(limited())])
async def portrait_set(request: Request, app_id: Admin, body: SetPortrait) -> PortraitEnvelope:
    """All of it or, when one item does not fit, nothing."""
    service = service_of(request)
    values = {item.tag: item.value for item in body.profile_item}
    try:
        known = await service.profiles.change(app_id, body.from_account, values)
    except tuple(_CODES) as error:
        raise RestError(_CODES[type(error)], str(error)) from error
    if not known:
        raise RestError(RestCode.PROFILE_NO_ACCOUNT, f"There is no account {body.from_account}")
    service.presence.changed(app_id, [body.from_account])
    return PortraitEnvelope()


@router.post("/portrait_get", dependencies=[Depends(limited())])
async def portrait_get(request: Request, app_id: Admin, body: GetPortraits) -> PortraitsReply:
    if not body.to_account:
        raise RestError(RestCode.PROFILE_NO_TARGET, "To_Account names nobody")
    for tag in body.tag_list:
        try:
            profiles.check_tag(tag)
        except profiles.UnknownTag as error:
            raise RestError(RestCode.PROFILE_NO_TAG, str(error)) from error
    found = await service_of(request).profiles.read(app_id, body.to_account, body.tag_list)
    missing = [each for each in body.to_account if each not in found]
    if missing:
        raise RestError(RestCode.PROFILE_NO_ACCOUNT, f"There is no account {missing[0]}")
    return PortraitsReply(
        user_profile_item=[
            UserProfile(
                to_account=user_id,
                profile_item=[ProfileItem(tag=tag, value=value) for tag, value in found[user_id].items()],
            )
            for user_id in dict.fromkeys(body.to_account)
        ]
    )
