# SPDX-License-Identifier: GPL-3.0-or-later
"""What all REST commands share: the envelope, the codes, the shape of bodies (callkit-server 5.1)."""

import itertools
import secrets
from enum import IntEnum

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_pascal

from callagent.protocol import taken_out


class RestCode(IntEnum):
    """`ErrorCode` of the envelope. 60000 to 79999 are public, the others belong to a service."""

    OK = 0

    HTTP_INVALID = 60002
    BODY_INVALID = 60003
    """Not JSON, not an object, empty or too long."""
    IDENTIFIER_INVALID = 60004
    USERSIG_INVALID = 60005
    APP_INVALID = 60006
    COMMAND_FREQUENCY = 60007
    TIMED_OUT = 60008
    NO_SUCH_COMMAND = 60009
    ADMIN_ONLY = 60010
    APP_FREQUENCY = 60011
    APP_MISSING = 60012

    CALL_INTERNAL = 101001
    CALL_PARAMETER = 101002
    CALL_NOT_EXIST = 101004
    RECORD_NOT_EXIST = 101050

    CONFIG_INTERNAL = 100001
    CONFIG_PARAMETER = 100002
    NO_CONFIG = 100301

    PROFILE_PARAMETER = 40001
    PROFILE_NO_TARGET = 40002
    PROFILE_NO_ACCOUNT = 40003
    PROFILE_INTERNAL = 40006
    PROFILE_NO_TAG = 40009
    PROFILE_TOO_LONG = 40601
    PROFILE_VALUE = 40605
    PROFILE_TYPE = 40610

    ACCOUNT_PARAMETER = 70402
    ACCOUNT_INTERNAL = 70500
    ACCOUNT_NOT_EXIST = 70107
    """Of one account among several (IM's `account_delete`; the reference does not print it)."""


class RestError(Exception):
    """A command that failed: a code and a sentence for the back end's log."""

    def __init__(self, code: RestCode, info: str) -> None:
        super().__init__(info)
        self.code = code
        self.info = info


class Rest(BaseModel):
    """PascalCase on the wire; unknown fields are ignored."""

    model_config = ConfigDict(alias_generator=to_pascal, populate_by_name=True, extra="ignore", frozen=True)


_numbers = itertools.count(1)


def new_request_id() -> str:
    """Unique; to be told with a report of a fault."""
    return f"Id-{secrets.token_hex(16)}-O-Seq-{next(_numbers)}"


class Envelope(Rest):
    """Every reply; what a command gives stands beside these fields or under `Response`."""

    action_status: str = "OK"
    error_code: int = RestCode.OK
    error_info: str = ""
    request_id: str = Field(default_factory=new_request_id)


def failure(error: RestError) -> Envelope:
    code = taken_out.rest_code(error.code)
    return Envelope(action_status="FAIL", error_code=code, error_info=error.info)
