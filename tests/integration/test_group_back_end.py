# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of several as a back end sees them: live over REST, by callbacks, and in the records."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp
import pytest

from callagent.server.accounts import ADMINISTRATOR, DEFAULT_APP_ID
from tests.integration.test_callbacks import END, MEMBERS, PUSH, START, Receiver, want
from tests.unit.server.rest_client import BackEnd, Json
from tests.unit.server.rig import Client, FakeNow, Rig, fresh, until

INFO, STOP = "call_engine_http_srv/get_call_info", "call_engine_http_srv/end_call"
RECORD, RECORDS = "call_record_http_srv/get_record_by_callid", "call_record_http_srv/get_record_by_filter"
STATISTICS = "call_statistics_http_srv/get_statistics"
NAMES = ("anna", "ben", "cleo", "dan")


@dataclass
class Scene:
    rig: Rig
    back_end: BackEnd
    clients: dict[str, Client]

    def __getattr__(self, name: str) -> Client:
        return self.clients[name]

    async def call(self, *callees: str) -> str:
        call_id: str = (await self.anna.ok("calls", userIdList=list(callees), mediaType=2))["callId"]
        return call_id

    async def members(self, call_id: str) -> dict[str, str]:
        live = (await self.back_end.ok(INFO, {"CallId": call_id}))["Response"]["CallInfo"]
        return {user["User_Account"]: user["Status"] for user in live["UserList"]}

    async def record(self, call_id: str) -> Json:
        found: Json = (await self.back_end.ok(RECORD, {"CallId": call_id}))["Response"]["CallRecord"]
        return found

    async def number(self, kind: str) -> int:
        """How many calls of this kind there have been."""
        found: int = (await self.back_end.ok(STATISTICS, {"CallType": kind}))["Response"]["CallNum"]
        return found


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        rig = await stack.enter_async_context(fresh(now=FakeNow()))
        http = await stack.enter_async_context(aiohttp.ClientSession(rig.http))
        back_end = BackEnd(http, DEFAULT_APP_ID, ADMINISTRATOR, await rig.usersig(ADMINISTRATOR))
        clients = {name: await stack.enter_async_context(rig.login(name)) for name in NAMES}
        yield Scene(rig, back_end, clients)


async def ending(client: Client) -> Json:
    """Wait for the client's one end event, whatever comes before."""
    while True:
        event = await client.message("event")
        if event["event"] in ("onCallEnd", "onCallNotConnected"):
            return {"event": event["event"], **event["data"]}


async def test_a_live_call_of_several_is_shown_and_ended(scene: Scene) -> None:
    call_id = await scene.call("ben", "cleo")
    await scene.ben.ok("accept", callId=call_id)
    assert await scene.members(call_id) == {"anna": "Calling", "ben": "Calling", "cleo": "Waiting"}
    await scene.dan.ok("join", callId=call_id)
    await scene.anna.ok("hangup", callId=call_id)
    assert await scene.members(call_id) == {"ben": "Calling", "cleo": "Waiting", "dan": "Calling"}
    await scene.ben.ok("inviteUser", callId=call_id, userIdList=["anna"])
    assert (await scene.members(call_id))["anna"] == "Waiting"
    assert (await ending(scene.anna))["reason"] == 1

    await scene.back_end.ok(STOP, {"CallId": call_id})
    ends = {name: await ending(client) for name, client in scene.clients.items()}
    assert {name: end["event"] for name, end in ends.items()} == {
        "anna": "onCallNotConnected",
        "ben": "onCallEnd",
        "cleo": "onCallNotConnected",
        "dan": "onCallEnd",
    }
    assert {(end["reason"], end["userId"]) for end in ends.values()} == {(9, "")}
    assert await scene.back_end.code(INFO, {"CallId": call_id}) == 101004
    record = await scene.record(call_id)
    assert (record["CallType"], record["CallResult"], record["EndReason"]) == ("MultiCall", "NormalEnd", 9)
    assert record["CalleeList_Account"] == ["anna", "ben", "cleo", "dan"]


async def test_records_and_figures_tell_calls_of_two_from_those_of_several(scene: Scene) -> None:
    single = await scene.call("ben")
    await scene.anna.ok("hangup", callId=single)
    grown = await scene.call("ben")
    await scene.ben.ok("accept", callId=grown)
    await scene.ben.ok("inviteUser", callId=grown, userIdList=["cleo"])
    await scene.cleo.ok("reject", callId=grown)
    scene.rig.pass_time(20)
    await scene.anna.ok("hangup", callId=grown)
    for kind, call_id in (("SingleCall", single), ("MultiCall", grown)):
        found = (await scene.back_end.ok(RECORDS, {"CallType": kind}))["Response"]
        assert [record["CallId"] for record in found["CallRecordList"]] == [call_id]
        assert await scene.number(kind) == 1


@pytest.mark.parametrize(
    ("answers", "result", "reason"),
    [
        (("reject", "reject"), "Reject", 2),
        (("reject", None), "NotAnswer", 3),
        (("busy", "reject"), "Reject", 2),
        (("busy", None), "NotAnswer", 3),
        (("busy", "busy"), "CallBusy", 5),
    ],
)
async def test_nobody_answers_each_in_his_way(
    scene: Scene, answers: tuple[str | None, ...], result: str, reason: int
) -> None:
    callees = dict(zip(("ben", "cleo"), answers, strict=True))
    for callee, answer in callees.items():
        if answer == "busy":
            other = await scene.clients[callee].ok("calls", userIdList=["dan"], mediaType=1)
            assert other["callId"]
            if callees == {"ben": "busy", "cleo": "busy"}:
                # Dan is rung by one of them only; the other is busy with him by joining.
                await scene.cleo.ok("join", callId=other["callId"])
                break
    call_id = await scene.call(*callees)
    for callee, answer in callees.items():
        if answer == "reject":
            await scene.clients[callee].ok("reject", callId=call_id)
    if None in answers:
        scene.rig.pass_time(30)
    end = await ending(scene.anna)
    assert (end["event"], end["reason"]) == ("onCallNotConnected", reason)
    record = await scene.record(call_id)
    assert (record["CallType"], record["CallResult"]) == ("MultiCall", result)


async def test_a_back_end_is_told_who_comes_and_goes(scene: Scene) -> None:
    async with Receiver() as receiver:
        await want(scene.back_end, receiver.url, START, MEMBERS, END, PUSH)
        await scene.rig.service.accounts.add_user(DEFAULT_APP_ID, "eve")
        call_id = await scene.call("ben", "cleo")
        await scene.ben.ok("accept", callId=call_id)
        await scene.ben.ok("inviteUser", callId=call_id, userIdList=["eve"], timeout=10)
        await scene.dan.ok("join", callId=call_id)
        await scene.cleo.ok("reject", callId=call_id)
        scene.rig.pass_time(10)
        while (await scene.dan.message("event"))["event"] != "onUserNoResponse":
            pass
        await scene.anna.ok("hangup", callId=call_id)
        await scene.dan.ok("hangup", callId=call_id)
        await until(lambda: END in receiver.commands)
        bodies = [body for _, body in receiver.requests]
    assert [user["Status"] for user in bodies[0]["UserList"]] == ["Calling", "Waiting", "Waiting"]
    changes = [
        (user["User_Account"], user["ActionType"])
        for body in bodies
        if body["CallbackCommand"] == MEMBERS
        for user in body["ChangedUserList"]
    ]
    assert changes == [
        ("ben", "Accept"),
        ("eve", "Invite"),
        ("dan", "Join"),
        ("cleo", "Reject"),
        ("eve", "NotAnswer"),
        ("anna", "HangUp"),
        ("dan", "HangUp"),
    ]
    (pushed,) = (body for body in bodies if body["CallbackCommand"] == PUSH)
    assert (pushed["Caller_Account"], pushed["To_Account"], pushed["Timeout"]) == ("ben", ["eve"], 10)
    assert bodies[-1]["CallRecord"]["CalleeList_Account"] == ["anna", "ben", "cleo", "eve", "dan"]
