# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may be rung and who may join: the checks before the state of a call is asked."""

import re
from collections.abc import Container, Sequence

from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.replies import RefusedUser
from callagent.server.calls.model import Call
from callagent.server.calls.policy import JoinPolicy
from callagent.server.repository import InviteFacts
from callagent.server.settings import ServiceSettings

DEFAULT_TIMEOUT_S = 30
TIMEOUT_RANGE_S = range(10, 601)

_USER_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


class Admission:
    """By the operator's settings. Pure; raises CallAgentError."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._max_members = settings.max_members
        self._policy = settings.policy
        self._join_policy = settings.join_policy

    def sort(
        self,
        app_id: int,
        caller_id: str,
        user_ids: Sequence[str],
        facts: InviteFacts,
        but: Container[str] = (),
    ) -> tuple[list[str], list[RefusedUser]]:
        """Who can be rung and who cannot, without those in `but`. Raises the first reason when nobody can."""
        good, refused, first = [], [], None
        for position, user_id in enumerate(user_ids):
            if user_id in but:
                continue
            try:
                self._check_callable(app_id, caller_id, user_id, facts, f"userIdList.{position}")
            except CallAgentError as error:
                first = first or error
                refused.append(RefusedUser(user_id=user_id, code=error.code, message=error.message))
            else:
                good.append(user_id)
        if first is not None and not good:
            raise first
        return good, refused

    def check_may_join(self, call: Call, user_id: str) -> None:
        """Raises CALL_NOT_ALLOWED."""
        invited = user_id in call.members
        if self._join_policy is not JoinPolicy.ANYONE and not invited:
            raise CallAgentError(
                ErrorCode.CALL_NOT_ALLOWED, "Only who was invited may join this call", "callId"
            )
        if not self._policy.allows(call.app_id, user_id, call.caller_id):
            raise CallAgentError(ErrorCode.CALL_NOT_ALLOWED, "You may not join this call", "callId")

    def check_size(self, members: int, field: str = "userIdList") -> None:
        """Raises PARAM_INVALID."""
        if members > self._max_members:
            raise _bad(f"A call has at most {self._max_members} members, the caller included", field)

    def _check_callable(
        self, app_id: int, caller_id: str, user_id: str, facts: InviteFacts, field: str
    ) -> None:
        """Raises USER_NEVER_LOGGED_IN, USER_BLOCKED, CALL_NOT_ALLOWED naming the field."""
        if user_id not in facts.known:
            raise CallAgentError(ErrorCode.USER_NEVER_LOGGED_IN, "There is no such user", field)
        if user_id in facts.blocked:
            raise CallAgentError(ErrorCode.USER_BLOCKED, "This user was blocked", field)
        if not self._policy.allows(app_id, caller_id, user_id):
            raise CallAgentError(ErrorCode.CALL_NOT_ALLOWED, "You may not call this user", field)

    def callees(self, user_ids: Sequence[str], caller_id: str) -> list[str]:
        """The callees without duplicates. Raises PARAM_INVALID naming the entry."""
        if not user_ids:
            raise _bad("Nobody to call", "userIdList")
        for position, user_id in enumerate(user_ids):
            if _USER_ID.fullmatch(user_id) is None:
                raise _bad("Not a user id", f"userIdList.{position}")
            if user_id == caller_id:
                raise _bad("You cannot call yourself", f"userIdList.{position}")
        return list(dict.fromkeys(user_ids))


def checked_timeout(timeout: int) -> int:
    if timeout != 0 and timeout not in TIMEOUT_RANGE_S:
        raise _bad("The timeout is 10 to 600 seconds, or 0 for 30", "timeout")
    return timeout or DEFAULT_TIMEOUT_S


def _bad(message: str, field: str) -> CallAgentError:
    return CallAgentError(ErrorCode.PARAM_INVALID, message, field)
