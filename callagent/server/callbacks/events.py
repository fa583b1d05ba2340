# SPDX-License-Identifier: GPL-3.0-or-later
"""From a transition of a call to what its app is told of it. Pure: no clock, no I/O."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from callagent.protocol import taken_out
from callagent.server.calls.commands import Command, EndByService, SessionLost, Step
from callagent.server.calls.model import PRESENT, Call, Member, MemberStatus
from callagent.server.rest.shapes import call_info, call_users, rest_record


class CallbackCommand(StrEnum):
    """What an app may subscribe to."""

    START = "Call.CallbackAfterStartCall"
    END = "Call.CallbackAfterEndCall"
    MEMBERS = "Call.CallbackAfterMemberChanged"
    PUSH = "Call.CallbackOfflinePush"
    """Ours: somebody is called whom no device of his can tell; the back end may."""


class ActionType(StrEnum):
    ACCEPT = "Accept"
    REJECT = "Reject"
    NOT_ANSWER = "NotAnswer"
    HANG_UP = "HangUp"
    JOIN = "Join"
    OFFLINE = "Offline"
    INVITE = "Invite"
    CANCEL_INVITE = "Cancel_Invite"


@dataclass(frozen=True, slots=True)
class Callback:
    command: CallbackCommand
    call_id: str
    body: dict[str, Any]


_OFFLINE_RESULT = "Offline"
"""Of a call that ended because a side was lost; its record says Interrupt (callkit-server 13.3)."""


def callbacks(before: Call | None, step: Step, command: Command | None, now: float) -> tuple[Callback, ...]:
    """`before`: None when the call has just been started. In the order in which they are to be told."""
    after, time_ms = step.call, int(now * 1000)
    found = []
    if before is None:
        found.append(_start(after, time_ms))
    elif changed := _changes(before, after, command):
        found.append(_members(after, changed, time_ms))
    if step.record is not None:
        record = rest_record(step.record).model_dump(mode="json", by_alias=True)
        if isinstance(command, SessionLost):
            record["CallResult"] = _OFFLINE_RESULT
        body = {"CallbackCommand": CallbackCommand.END, "CallRecord": record, "EventTime": time_ms}
        found.append(Callback(CallbackCommand.END, after.call_id, body))
    return tuple(_as_told(each) for each in found if not taken_out.gone("callback", each.command))


@dataclass(frozen=True, slots=True)
class Push:
    """For whom, and what the caller wants said."""

    user_ids: tuple[str, ...]
    timeout_s: float
    info: dict[str, Any]


def push(call: Call, wanted: Push, now: float) -> Callback:
    """All of them were called together: by the caller, or later by one member."""
    caller = call.members[wanted.user_ids[0]].invited_by or call.caller_id
    body = {
        "CallbackCommand": CallbackCommand.PUSH,
        "CallInfo": call_info(call).model_dump(by_alias=True),
        "Caller_Account": caller,
        "To_Account": list(wanted.user_ids),
        "Timeout": int(wanted.timeout_s),
        "UserData": call.user_data,
        "OfflinePushInfo": wanted.info,
        "EventTime": int(now * 1000),
    }
    return _as_told(Callback(CallbackCommand.PUSH, call.call_id, body))


def _as_told(callback: Callback) -> Callback:
    """Without what a test has taken out."""
    if not taken_out.anything():
        return callback
    body = taken_out.replaced(taken_out.pruned("callback", callback.command, callback.body))
    return Callback(callback.command, callback.call_id, body)


def _start(call: Call, time_ms: int) -> Callback:
    info = call_info(call).model_dump(by_alias=True)
    body = {
        "CallbackCommand": CallbackCommand.START,
        # The reference's table and its sample name it differently.
        "CallInfo": info | {"CallMediaType": info["MediaType"]},
        "UserList": _users(call),
        "EventTime": time_ms,
    }
    return Callback(CallbackCommand.START, call.call_id, body)


def _members(call: Call, changed: list[tuple[str, ActionType]], time_ms: int) -> Callback:
    body = {
        "CallbackCommand": CallbackCommand.MEMBERS,
        "CallId": call.call_id,
        "UserList": _users(call),
        "ChangedUserList": [
            {"User_Account": user_id, "ActionType": action.value} for user_id, action in changed
        ],
        "EventTime": time_ms,
    }
    return Callback(CallbackCommand.MEMBERS, call.call_id, body)


def _users(call: Call) -> list[dict[str, Any]]:
    return [user.model_dump(by_alias=True) for user in call_users(call)]


def _changes(before: Call, after: Call, command: Command | None) -> list[tuple[str, ActionType]]:
    """Who did something, or had it done to him; not who is out only because the call is over."""
    actor = getattr(command, "user_id", None)
    found = []
    for user_id, member in after.members.items():
        action = _action(before.members.get(user_id), member, command, acts=user_id == actor)
        if action is not None:
            found.append((user_id, action))
    return found


def _action(was: Member | None, member: Member, command: Command | None, *, acts: bool) -> ActionType | None:
    before = was.status if was is not None else None
    if before is member.status:
        return None
    match member.status:
        case MemberStatus.RINGING:
            return ActionType.INVITE
        case MemberStatus.REJECTED:
            return ActionType.REJECT
        case MemberStatus.NO_RESPONSE:
            return ActionType.NOT_ANSWER
        case MemberStatus.CONNECTED if before is MemberStatus.RINGING:
            return ActionType.ACCEPT
        case MemberStatus.CONNECTED if before is not MemberStatus.CALLING:
            return ActionType.JOIN
        case MemberStatus.CANCELED if before is MemberStatus.RINGING:
            return None if isinstance(command, EndByService) else ActionType.CANCEL_INVITE
        case MemberStatus.LEFT | MemberStatus.CANCELED if before in PRESENT and acts:
            return ActionType.OFFLINE if isinstance(command, SessionLost) else ActionType.HANG_UP
        case _:
            return None
