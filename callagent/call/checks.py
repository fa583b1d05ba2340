# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of `calls`, checked here as the service would, so that the answer is immediate."""

from pydantic import TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from callagent.call.model import CallsAsked
from callagent.protocol.base import UserId
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.requests import Calls

DEFAULT_TIMEOUT_S = 30
MIN_TIMEOUT_S, MAX_TIMEOUT_S = 10, 600

_USER_ID: TypeAdapter[str] = TypeAdapter(UserId)


def checked_calls(asked: CallsAsked, own_user_id: str) -> Calls:
    """The request for the service, duplicates merged. Raises CallAgentError naming the field."""
    for index, user_id in enumerate(asked.user_ids):
        field = f"userIdList.{index}"
        try:
            _USER_ID.validate_python(user_id, strict=True)
        except ValidationError:
            raise _invalid("A user id is 1 to 32 letters, digits, _ or -", field) from None
        if user_id == own_user_id:
            raise _invalid("One cannot call oneself", field)
    callees = list(dict.fromkeys(asked.user_ids))
    if not callees:
        raise _invalid("Nobody to call is given", "userIdList")
    params = asked.params
    timeout = params.timeout or DEFAULT_TIMEOUT_S
    if not MIN_TIMEOUT_S <= timeout <= MAX_TIMEOUT_S:
        raise _invalid(f"The time-out is {MIN_TIMEOUT_S} to {MAX_TIMEOUT_S} s, 0 for the default", "timeout")
    try:
        message = Calls.model_validate(
            {
                "id": 1,
                "user_id_list": callees,
                "media_type": asked.media_type,
                "timeout": timeout,
                "room_id": params.room_id,
                "user_data": params.user_data,
                "chat_group_id": params.chat_group_id,
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise _invalid(str(first["msg"]), to_camel(str(first["loc"][0]))) from None
    if len(callees) > 1:
        raise CallAgentError(ErrorCode.SCENE_NOT_SUPPORTED, "Calls to several people are not supported yet")
    return message


def _invalid(message: str, field: str) -> CallAgentError:
    return CallAgentError(ErrorCode.PARAM_INVALID, message, field)


def known_code(code: int) -> ErrorCode:
    """The service's number as ours; one a newer service may have is an internal error here."""
    try:
        return ErrorCode(code)
    except ValueError:
        return ErrorCode.SERVER_INTERNAL
