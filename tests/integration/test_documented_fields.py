# SPDX-License-Identifier: GPL-3.0-or-later
"""What each event of a call carries, to the last field, and the outcomes no other test sees on the wire."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp
import pytest
from sqlalchemy import select

from callagent.server.accounts import ADMINISTRATOR, DEFAULT_APP_ID
from callagent.server.rest import route
from callagent.server.storage.tables import CallbackRow
from tests.covers import covers
from tests.unit.server.rest_client import BackEnd, Json
from tests.unit.server.rig import Client, FakeNow, Rig, fresh, until

RECORD = "call_record_http_srv/get_record_by_callid"
NOBODY = "055662e1-bc8a-469c-a334-1126c8c17d58"
CALLER, CALLED = 1, 2


@dataclass
class Scene:
    rig: Rig
    now: FakeNow
    anna: Client
    bea: Client
    back_end: BackEnd

    async def call(self) -> str:
        fields: Json = {"userIdList": ["bea"], "mediaType": 2, "roomId": 77}
        started = await self.anna.ok("calls", **fields, userData="bed 7", chatGroupId="ward 3")
        return str(started["callId"])

    def carried(self, call_id: str, role: int, **more: object) -> Json:
        """What comes with every event of that call."""
        info = {"roomId": 77, "role": role, "userData": "bed 7", "chatGroupId": "ward 3"}
        return {"callId": call_id, "mediaType": 2, "info": info, **more}


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    now = FakeNow()
    async with AsyncExitStack() as stack:
        rig = await stack.enter_async_context(fresh(now=now))
        anna, bea = [await stack.enter_async_context(rig.login(user)) for user in ("anna", "bea")]
        http = await stack.enter_async_context(aiohttp.ClientSession(rig.http))
        back_end = BackEnd(http, DEFAULT_APP_ID, ADMINISTRATOR, await rig.usersig(ADMINISTRATOR))
        yield Scene(rig, now, anna, bea, back_end)


@covers(
    "event:onCallReceived.callId",
    "event:onCallReceived.callerId",
    "event:onCallReceived.calleeIdList",
    "event:onCallReceived.mediaType",
    "event:onCallReceived.info.roomId",
    "event:onCallReceived.info.role",
    "event:onCallReceived.info.userData",
    "event:onCallReceived.info.chatGroupId",
    "event:onCallBegin.callId",
    "event:onCallBegin.mediaType",
    "event:onCallBegin.info.roomId",
    "event:onCallBegin.info.role",
    "event:onCallBegin.info.userData",
    "event:onCallBegin.info.chatGroupId",
    "event:onCallEnd.callId",
    "event:onCallEnd.mediaType",
    "event:onCallEnd.reason",
    "event:onCallEnd.userId",
    "event:onCallEnd.totalTime",
    "event:onCallEnd.info.roomId",
    "event:onCallEnd.info.role",
    "event:onCallEnd.info.userData",
    "event:onCallEnd.info.chatGroupId",
    "event:onUserJoin.userId",
    "param:mediaType",
    "param:roomId",
    "param:userData",
    "param:chatGroupId",
)
async def test_a_call_from_ring_to_end(scene: Scene) -> None:
    call_id = await scene.call()
    received = await scene.bea.event("onCallReceived")
    assert received.pop("remaining") == 30
    assert received.pop("callerName") == "anna"
    assert received == scene.carried(call_id, CALLED, callerId="anna", calleeIdList=["bea"])
    await scene.bea.ok("accept", callId=call_id)
    for client, role, other in ((scene.anna, CALLER, "bea"), (scene.bea, CALLED, "anna")):
        assert await client.event("onCallBegin") == scene.carried(call_id, role)
        join = await client.event("onUserJoin")
        assert (join["callId"], join["userId"]) == (call_id, other)
        await client.event("onMediaPlan")
    scene.now.at += 4.5
    await scene.anna.ok("hangup", callId=call_id)
    for client, role in ((scene.anna, CALLER), (scene.bea, CALLED)):
        ended = await client.event("onCallEnd")
        assert ended == scene.carried(call_id, role, reason=1, userId="anna", totalTime=4.5)


@covers(
    "api:cancel",
    "event:onCallNotConnected.callId",
    "event:onCallNotConnected.mediaType",
    "event:onCallNotConnected.reason",
    "event:onCallNotConnected.userId",
    "event:onCallNotConnected.info.roomId",
    "event:onCallNotConnected.info.role",
    "event:onCallNotConnected.info.userData",
    "event:onCallNotConnected.info.chatGroupId",
)
async def test_a_call_that_is_cancelled(scene: Scene) -> None:
    call_id = await scene.call()
    await scene.bea.event("onCallReceived")
    await scene.anna.ok("hangup", callId=call_id)
    for client, role in ((scene.anna, CALLER), (scene.bea, CALLED)):
        told = await client.event("onCallNotConnected")
        assert told == scene.carried(call_id, role, reason=6, userId="anna")


@covers(
    "api:openCamera",
    "api:closeCamera",
    "api:openMicrophone",
    "api:closeMicrophone",
    "event:onUserVideoAvailable",
    "event:onUserVideoAvailable.userId",
    "event:onUserVideoAvailable.isVideoAvailable",
    "event:onUserAudioAvailable",
    "event:onUserAudioAvailable.userId",
    "event:onUserAudioAvailable.isAudioAvailable",
)
async def test_camera_and_microphone_off_and_on(scene: Scene) -> None:
    call_id = await scene.call()
    await scene.bea.event("onCallReceived")
    await scene.bea.ok("accept", callId=call_id)
    for name in ("onCallBegin", "onUserJoin", "onMediaPlan"):
        await scene.bea.event(name)
    for on in (False, True):
        await scene.anna.ok("setTracks", callId=call_id, audio=on)
        told = await scene.bea.event("onUserAudioAvailable")
        assert told == {"callId": call_id, "userId": "anna", "isAudioAvailable": on}
        await scene.anna.ok("setTracks", callId=call_id, video=on)
        told = await scene.bea.event("onUserVideoAvailable")
        assert told == {"callId": call_id, "userId": "anna", "isVideoAvailable": on}


@covers("status:ONLINE", "status:OFFLINE", "status:UNLOGINED", "status:UNKNOWN", "api:getUserStatus")
async def test_who_is_there(scene: Scene) -> None:
    await scene.rig.service.accounts.add_user(DEFAULT_APP_ID, "carl")
    await scene.bea.abort()
    await until(lambda: scene.rig.is_away(scene.bea))
    scene.rig.pass_time(30)
    async with scene.rig.login("dora") as dora:
        await dora.ok("getHistory")

        async def gone() -> bool:
            return not await scene.rig.is_away(scene.bea)

        await until(gone)
        asked = ["dora", "bea", "carl", "nobody"]
        users = (await dora.ok("getUsers", userIds=asked))["users"]
    found = [(user["userId"], user["status"]) for user in users]
    assert found == [("dora", "online"), ("bea", "offline"), ("carl", "unlogined"), ("nobody", "unknown")]


@covers("result:CallBusy", "result:Interrupt", "result:NotAnswer")
async def test_records_of_calls_that_were_not_answered(scene: Scene) -> None:
    async def result(call_id: str) -> str:
        record = (await scene.back_end.ok(RECORD, {"CallId": call_id}))["Response"]["CallRecord"]
        assert record["AcceptTime"] == 0
        return str(record["CallResult"])

    silent = await scene.call()
    await scene.bea.event("onCallReceived")
    async with scene.rig.login("carl") as carl:
        busy = await carl.ok("calls", userIdList=["bea"], mediaType=1)
        await carl.event("onUserLineBusy")
        assert await result(busy["callId"]) == "CallBusy"
    scene.rig.pass_time(30)
    await scene.anna.event("onUserNoResponse")
    assert await result(silent) == "NotAnswer"
    ended = await scene.call()
    await scene.back_end.ok("call_engine_http_srv/end_call", {"CallId": ended})
    assert await result(ended) == "Interrupt"


@covers(
    "call-type:MultiCall",
    "action:Join",
    "action:Invite",
    "callback:Call.CallbackAfterMemberChanged.CallId",
    "callback:Call.CallbackAfterMemberChanged.EventTime",
    "callback:Call.CallbackAfterEndCall.EventTime",
)
async def test_a_call_of_several_is_recorded_and_told_as_such(scene: Scene) -> None:
    call_id = await scene.call()
    wanted = ["Call.CallbackAfterMemberChanged", "Call.CallbackAfterEndCall"]
    where = {"Url": "http://127.0.0.1:9/none", "CallbackCommandList": wanted}
    await scene.back_end.ok("call_config/set_callback", where)
    async with scene.rig.login("carl") as carl, scene.rig.login("dora") as dora:
        await scene.bea.ok("accept", callId=call_id)
        await scene.anna.ok("inviteUser", callId=call_id, userIdList=["carl"])
        await carl.ok("accept", callId=call_id)
        await dora.ok("join", callId=call_id)
        for client in (dora, carl, scene.bea):
            await client.ok("hangup", callId=call_id)
    told = await stored(scene.rig)
    assert {body["EventTime"] for body in told} == {int(scene.now.at * 1000)}
    *members, ended = told
    assert {body["CallId"] for body in members} == {call_id}
    changes = [each for body in members for each in body["ChangedUserList"]]
    actions = [(each["User_Account"], each["ActionType"]) for each in changes]
    assert actions[:4] == [("bea", "Accept"), ("carl", "Invite"), ("carl", "Accept"), ("dora", "Join")]
    assert actions[4:] == [(user, "HangUp") for user in ("dora", "carl", "bea")]
    record = ended["CallRecord"]
    assert (record["CallType"], len(record["CalleeList_Account"])) == ("MultiCall", 4)


@covers("code:-1205", "api:switchCallMediaType")
async def test_a_switch_to_voice_and_no_way_back(scene: Scene) -> None:
    call_id = await scene.call()
    await scene.bea.ok("accept", callId=call_id)
    await scene.anna.ok("switchMediaType", callId=call_id, mediaType=1)
    assert await scene.anna.code("switchMediaType", callId=call_id, mediaType=2) == -1205


@covers("rest-code:60008")
async def test_what_takes_too_long_is_told(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(app_id: int, call_id: str) -> None:
        await until(lambda: False)

    monkeypatch.setattr(route, "LIMIT_S", 0.05)
    monkeypatch.setattr(scene.rig.service.control, "live", slow)
    asked = {"CallId": NOBODY}
    assert await scene.back_end.code("call_engine_http_srv/get_call_info", asked) == 60008


@covers("rest-code:100001")
async def test_a_configuration_that_cannot_be_read(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(work: object) -> None:
        raise OSError("disk gone")

    # The gate reads, too; writing comes after it.
    monkeypatch.setattr(scene.rig.service.storage, "write", broken)
    assert await scene.back_end.code("call_config/delete_callback") == 100001


async def stored(rig: Rig) -> list[Json]:
    """The bodies of the callbacks that nobody has taken."""
    query = select(CallbackRow.body).order_by(CallbackRow.seq)
    found = await rig.service.storage.read(lambda connection: list(connection.scalars(query)))
    return [json.loads(body) for body in found]
