# SPDX-License-Identifier: GPL-3.0-or-later
"""What a back end is told of a call, and how often it is tried. Pure."""

import hashlib
import hmac
from typing import Any

import pytest

from callagent.protocol.enums import MediaType
from callagent.server.callbacks.delivery import (
    DEAD_MOST_S,
    GIVEN_UP_S,
    NEVER,
    RETRIES_S,
    Refused,
    check_answer,
    next_wait,
    signed,
)
from callagent.server.callbacks.events import Callback, CallbackCommand, Push, callbacks, push
from callagent.server.calls import state
from callagent.server.calls.commands import (
    Accept,
    Command,
    EndByService,
    Hangup,
    Invite,
    InviteMore,
    Join,
    Reject,
    RingTimeout,
    SessionLost,
    SetTracks,
    Step,
)
from callagent.server.storage.callbacks import Origin, Pending
from tests.covers import covers

BEGAN = 1_800_000_000.0
START, MEMBERS, END = CallbackCommand.START, CallbackCommand.MEMBERS, CallbackCommand.END
CALL = "055662e1-bc8a-469c-a334-1126c8c17d58"


def started(callees: tuple[str, ...] = ("user2",), busy: tuple[str, ...] = ()) -> Step:
    invite = Invite(
        app_id=1,
        call_id=CALL,
        room_id=77,
        media_type=MediaType.AUDIO,
        caller_id="user1",
        caller_name="user1",
        session_id="s1",
        callees=callees,
        busy=frozenset(busy),
        timeout_s=30,
        chat_group_id="g",
    )
    return state.start(invite, BEGAN)


def told(*commands: Command, callees: tuple[str, ...] = ("user2",)) -> tuple[Callback, ...]:
    """Of the last of the commands."""
    step, now = started(callees), BEGAN
    found: tuple[Callback, ...] = ()
    for command in commands:
        now += 31 if isinstance(command, RingTimeout) else 1
        before, step = step.call, state.apply(step.call, command, now)
        found = callbacks(before, step, command, now)
    return found


def changed(callback: Callback) -> list[tuple[str, str]]:
    return [(each["User_Account"], each["ActionType"]) for each in callback.body["ChangedUserList"]]


def users(callback: Callback) -> dict[str, str]:
    return {each["User_Account"]: each["Status"] for each in callback.body["UserList"]}


@covers(
    "callback:Call.CallbackAfterStartCall.CallInfo.CallId",
    "callback:Call.CallbackAfterStartCall.CallInfo.MediaType",
    "callback:Call.CallbackAfterStartCall.CallInfo.CallMediaType",
    "callback:Call.CallbackAfterStartCall.CallInfo.ChatGroupId",
    "callback:Call.CallbackAfterStartCall.CallInfo.RoomId",
    "callback:Call.CallbackAfterStartCall.CallInfo.RoomIdType",
    "callback:Call.CallbackAfterStartCall.UserList",
    "callback:Call.CallbackAfterStartCall.UserList.User_Account",
    "callback:Call.CallbackAfterStartCall.UserList.Status",
    "callback:Call.CallbackAfterStartCall.EventTime",
)
def test_the_start_as_in_the_documents_sample() -> None:
    (start,) = callbacks(None, started(), None, BEGAN)
    assert start.body == {
        "CallbackCommand": "Call.CallbackAfterStartCall",
        "CallInfo": {
            "CallId": CALL,
            "MediaType": "Audio",
            "CallMediaType": "Audio",
            "ChatGroupId": "g",
            "RoomId": "77",
            "RoomIdType": 1,
        },
        "UserList": [
            {"User_Account": "user1", "Status": "Calling"},
            {"User_Account": "user2", "Status": "Waiting"},
        ],
        "EventTime": int(BEGAN * 1000),
    }


def test_a_call_to_somebody_busy_is_over_at_once() -> None:
    start, end = callbacks(None, started(busy=("user2",)), None, BEGAN)
    assert (start.command, end.command) == (START, END)
    assert users(start) == {}
    assert end.body["CallRecord"]["CallResult"] == "CallBusy"


@covers(
    "action:Accept",
    "action:Reject",
    "action:NotAnswer",
    "action:HangUp",
    "action:Offline",
    "action:Cancel_Invite",
    "result:Reject",
    "result:Cancel",
    "result:Offline",
    "callback:Call.CallbackAfterMemberChanged.UserList",
    "callback:Call.CallbackAfterMemberChanged.ChangedUserList",
    "callback:Call.CallbackAfterMemberChanged.ChangedUserList.User_Account",
    "callback:Call.CallbackAfterMemberChanged.ChangedUserList.ActionType",
)
@pytest.mark.parametrize(
    ("commands", "actions", "result"),
    [
        ([Accept("user2", "s2")], [("user2", "Accept")], None),
        ([Reject("user2", "s2")], [("user2", "Reject")], "Reject"),
        ([RingTimeout("user2")], [("user2", "NotAnswer")], "NotAnswer"),
        ([Hangup("user1", "s1")], [("user1", "HangUp"), ("user2", "Cancel_Invite")], "Cancel"),
        ([SessionLost("user1", "s1")], [("user1", "Offline"), ("user2", "Cancel_Invite")], "Offline"),
        ([Accept("user2", "s2"), Hangup("user2", "s2")], [("user2", "HangUp")], "NormalEnd"),
        ([Accept("user2", "s2"), SessionLost("user2", "s2")], [("user2", "Offline")], "Offline"),
    ],
)
def test_who_did_what(commands: list[Command], actions: list[tuple[str, str]], result: str | None) -> None:
    members, *end = told(*commands)
    assert members.command is MEMBERS
    assert changed(members) == actions
    assert [each.body["CallRecord"]["CallResult"] for each in end] == ([result] if result else [])
    assert users(members) == ({} if result else {"user1": "Calling", "user2": "Calling"})


def test_a_call_the_service_ends_is_nobodys_doing() -> None:
    (end,) = told(Accept("user2", "s2"), EndByService())
    assert end.command is END
    assert (end.body["CallRecord"]["CallResult"], end.body["CallRecord"]["EndReason"]) == ("NormalEnd", 9)
    (unanswered,) = told(EndByService())
    assert unanswered.command is END


def test_a_muted_microphone_is_nobodys_business() -> None:
    assert told(Accept("user2", "s2"), SetTracks("user2", "s2", audio=False)) == ()


def test_of_three_one_may_go() -> None:
    three = ("user2", "user3")
    (members,) = told(Accept("user2", "s2"), Accept("user3", "s3"), Hangup("user2", "s2"), callees=three)
    assert changed(members) == [("user2", "HangUp")]
    assert users(members) == {"user1": "Calling", "user3": "Calling"}
    (rejected,) = told(Accept("user2", "s2"), Reject("user3", "s3"), callees=three)
    assert changed(rejected) == [("user3", "Reject")]


INVITED = InviteMore("user2", "s2", ("user3",), frozenset(), 30)


@pytest.mark.parametrize(
    ("commands", "action", "status"),
    [
        ([INVITED], "Invite", "Waiting"),
        ([INVITED, Accept("user3", "s3")], "Accept", "Calling"),
        ([INVITED, Join("user3", "s3")], "Accept", "Calling"),
        ([INVITED, Reject("user3", "s3")], "Reject", None),
        ([INVITED, Reject("user3", "s3"), INVITED], "Invite", "Waiting"),
        ([INVITED, RingTimeout("user3")], "NotAnswer", None),
        ([Join("user3", "s3")], "Join", "Calling"),
        ([Join("user3", "s3"), SessionLost("user3", "s3")], "Offline", None),
        ([Join("user3", "s3"), Hangup("user3", "s3"), Join("user3", "s3")], "Join", "Calling"),
    ],
)
def test_a_third_member_comes_and_goes(commands: list[Command], action: str, status: str | None) -> None:
    (members,) = told(Accept("user2", "s2"), *commands)
    assert changed(members) == [("user3", action)]
    assert users(members).get("user3") == status


def test_the_caller_who_comes_again() -> None:
    three = (Accept("user2", "s2"), Join("user3", "s3"), Hangup("user1", "s1"))
    (invited,) = told(*three, InviteMore("user2", "s2", ("user1",), frozenset(), 30))
    assert changed(invited) == [("user1", "Invite")]
    (joined,) = told(*three, Join("user1", "s1"))
    assert changed(joined) == [("user1", "Join")]
    assert users(joined) == {"user1": "Calling", "user2": "Calling", "user3": "Calling"}


def test_who_is_invited_later_is_called_by_that_member() -> None:
    call = state.apply(state.apply(started().call, Accept("user2", "s2"), BEGAN).call, INVITED, BEGAN).call
    assert push(call, Push(("user3",), 30, {}), BEGAN).body["Caller_Account"] == "user2"


# --- delivery ---------------------------------------------------------------------------


def test_the_waits_between_attempts() -> None:
    assert [next_wait(n, n) for n in range(6)] == [(s, False) for s in (0, 1, 1, 2, 3, 5)]
    assert len(RETRIES_S) == 6
    assert [next_wait(n, n) for n in (6, 7, 8)] == [(30, True), (60, True), (120, True)]
    assert next_wait(60, GIVEN_UP_S - 1) == (DEAD_MOST_S, True)
    assert next_wait(60, GIVEN_UP_S) == (NEVER, True)


def pending(**changes: Any) -> Pending:
    given: dict[str, Any] = {
        "app_id": 88888888,
        "event_id": "e1",
        "call_id": CALL,
        "command": START.value,
        "body": '{"EventTime": 1}',
        "origin": Origin("192.0.2.7", "linux"),
        "attempts": 0,
        "first_failed_at": None,
        "due_at": 0.0,
    }
    return Pending(**(given | changes))


@covers("callback-url:contenttype")
def test_the_url_keeps_what_it_had_and_carries_a_signature_anybody_can_check() -> None:
    url, headers = signed("https://www.example.com/hook?tenant=7", pending(), "secret", 1700000000)
    assert (url.host, url.path) == ("www.example.com", "/hook")
    assert dict(url.query) == {
        "tenant": "7",
        "SdkAppid": "88888888",
        "CallbackCommand": "Call.CallbackAfterStartCall",
        "contenttype": "json",
        "ClientIP": "192.0.2.7",
        "OptPlatform": "linux",
        "RequestTime": "1700000000",
        "Sign": hashlib.sha256(b"secret1700000000").hexdigest(),
        "EventId": "e1",
    }
    covered = b'1700000000.{"EventTime": 1}'
    assert headers["X-Callagent-Signature"] == hmac.new(b"secret", covered, hashlib.sha256).hexdigest()


def test_what_no_client_did_has_the_services_own_address() -> None:
    url, _ = signed("http://x", pending(origin=Origin()), "secret", 1)
    assert (url.query["ClientIP"], url.query["OptPlatform"]) == ("127.0.0.1", "RESTAPI")


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (200, b'{"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0}', None),
        (204, b"", None),
        (200, b"thanks", None),
        (200, b"[1]", None),
        (200, b'{"ActionStatus": "FAIL", "ErrorCode": 5}', "ErrorCode 5"),
        (302, b"", "HTTP 302"),
        (500, b'{"ErrorCode": 0}', "HTTP 500"),
    ],
)
def test_what_counts_as_taken(status: int, body: bytes, why: str | None) -> None:
    if why is None:
        check_answer(status, body)
        return
    with pytest.raises(Refused, match=why):
        check_answer(status, body)
