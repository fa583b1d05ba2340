# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of the event table of docs/protocol.md, over real WebSockets, with its record."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from callagent.server.accounts import DEFAULT_APP_ID
from callagent.server.calls.commands import EndByService
from callagent.server.ice import IceSettings
from tests.covers import covers
from tests.integration.conftest import Backing
from tests.unit.server.rig import Client, FakeNow, Json, Rig, until

ICE = [{"urls": ["stun:192.0.2.1:3478"]}]


@dataclass
class Scene:
    rig: Rig
    now: FakeNow
    anna: Client
    bea: Client
    bea2: Client

    async def call(self, **more: object) -> str:
        """Anna calls Bea; both of her devices have rung."""
        started = await self.anna.ok("calls", userIdList=["bea"], mediaType=2, **more)
        for device in (self.bea, self.bea2):
            await device.event("onCallReceived")
        return str(started["callId"])

    async def connect(self) -> str:
        call_id = await self.call()
        await self.bea.ok("accept", callId=call_id)
        for client in (self.anna, self.bea):
            for name in ("onCallBegin", "onUserJoin", "onMediaPlan"):
                await client.event(name)
        await self.bea2.event("onCallNotConnected")
        return call_id

    async def not_connected(self, reason: int, user_id: str, *clients: Client) -> None:
        for client in clients:
            event = await client.event("onCallNotConnected")
            assert (event["reason"], event["userId"]) == (reason, user_id)

    async def ended(self, reason: int, user_id: str, *clients: Client) -> None:
        for client in clients:
            event = await client.event("onCallEnd")
            assert (event["reason"], event["userId"]) == (reason, user_id)

    async def lose(self, client: Client) -> None:
        """The client is cut off, and its time to come back passes."""
        await client.abort()
        await until(lambda: self.rig.is_away(client))
        self.rig.pass_time(30)

    async def check(self, result: str, bea: str) -> Json:
        """The one call in both histories, and no event left over anywhere."""
        for client in (self.anna, self.bea, self.bea2):
            if not client.closed.is_set():
                await client.quiet()
        async with self.rig.login("anna", "look") as anna, self.rig.login("bea", "look") as bea_looks:
            (outgoing,) = (await anna.ok("getHistory"))["calls"]
            (incoming,) = (await bea_looks.ok("getHistory"))["calls"]
        assert (outgoing["result"], outgoing["callResult"]) == ("outgoing", result)
        assert (incoming["result"], incoming["callResult"]) == (bea, result)
        assert (outgoing["inviter"], outgoing["inviteList"]) == ("anna", ["bea"])
        record: Json = outgoing
        return record


@pytest.fixture
async def scene(backing: Backing) -> AsyncIterator[Scene]:
    now = FakeNow()
    async with AsyncExitStack() as stack:
        rig = await stack.enter_async_context(backing.fresh(now=now, ice=IceSettings(ICE)))
        clients = [
            await stack.enter_async_context(rig.login(user, device))
            for user, device in (("anna", "a1"), ("bea", "b1"), ("bea", "b2"))
        ]
        yield Scene(rig, now, *clients)


@covers("api:calls", "param:userIdList", "param:strRoomId", "event:onCallReceived")
async def test_ring(scene: Scene) -> None:
    reply = await scene.anna.ok(
        "calls", userIdList=["bea", "bea"], mediaType=1, userData="door 3", roomId="r 1"
    )
    assert (reply["roomId"], reply["timeout"]) == ("r 1", 30)
    for device in (scene.bea, scene.bea2):
        event = await device.event("onCallReceived")
        assert event["callId"] == reply["callId"]
        assert (event["callerId"], event["calleeIdList"], event["mediaType"]) == ("anna", ["bea"], 1)
        assert event["info"] == {"roomId": "r 1", "role": 2, "userData": "door 3", "chatGroupId": ""}
        assert event["remaining"] == 30


@covers("param:timeout")
async def test_a_device_that_comes_online_rings_for_the_remaining_time(scene: Scene) -> None:
    call_id = await scene.call(timeout=20)
    scene.now.at += 5
    async with scene.rig.login("bea", "b3") as late:
        event = await late.event("onCallReceived")
        assert (event["callId"], event["remaining"]) == (call_id, 15)
        assert late.session["call"]["callId"] == call_id
        assert late.session["call"]["callerId"] == "anna"
        await late.ok("accept", callId=call_id)
        assert await late.event("onCallBegin")
        await scene.not_connected(7, "bea", scene.bea, scene.bea2)


async def test_an_offline_callee_rings_when_it_comes(scene: Scene) -> None:
    await scene.rig.service.accounts.add_user(DEFAULT_APP_ID, "carl")
    started = await scene.anna.ok("calls", userIdList=["carl"], mediaType=2, timeout=60)
    scene.now.at += 40
    async with scene.rig.login("carl") as carl:
        event = await carl.event("onCallReceived")
        assert (event["callId"], event["remaining"]) == (started["callId"], 20)


@covers("api:accept", "event:onCallBegin", "event:onUserJoin", "reason:OtherDeviceAccepted")
async def test_accept(scene: Scene) -> None:
    call_id = await scene.call()
    await scene.bea.ok("accept", callId=call_id)
    for client, other in ((scene.anna, scene.bea), (scene.bea, scene.anna)):
        begin = await client.event("onCallBegin")
        assert begin["info"]["role"] == (1 if client is scene.anna else 2)
        join = await client.event("onUserJoin")
        assert join["sessionId"] == other.session_id
        assert (join["audioAvailable"], join["videoAvailable"]) == (True, True)
        plan = await client.event("onMediaPlan")
        assert (plan["epoch"], plan["placement"]) == (1, "p2p")
        assert [peer["sessionId"] for peer in plan["peers"]] == [other.session_id]
        assert plan["iceServers"] == ICE
    await scene.not_connected(7, "bea", scene.bea2)
    assert await scene.bea2.code("accept", callId=call_id) == 8010
    assert await scene.bea.code("accept", callId=call_id) == 8010


@covers(
    "api:reject",
    "event:onUserReject",
    "event:onUserReject.userId",
    "event:onCallNotConnected",
    "reason:Reject",
    "reason:OtherDeviceReject",
)
@pytest.mark.parametrize("request_type", ["reject", "hangup"])
async def test_reject(scene: Scene, request_type: str) -> None:
    call_id = await scene.call()
    await scene.bea.ok(request_type, callId=call_id)
    assert (await scene.anna.event("onUserReject"))["userId"] == "bea"
    await scene.not_connected(2, "bea", scene.anna, scene.bea)
    await scene.not_connected(8, "bea", scene.bea2)
    await scene.check("Reject", "incoming")


@covers("event:onUserNoResponse", "event:onUserNoResponse.userId", "reason:NoResponse")
async def test_no_answer(scene: Scene) -> None:
    await scene.call(timeout=10)
    scene.rig.pass_time(10)
    assert (await scene.anna.event("onUserNoResponse"))["userId"] == "bea"
    await scene.not_connected(3, "bea", scene.anna, scene.bea, scene.bea2)
    await scene.check("NotAnswer", "missed")


@covers("event:onUserLineBusy", "event:onUserLineBusy.userId", "reason:LineBusy")
async def test_busy(scene: Scene) -> None:
    async with scene.rig.login("carl") as carl, scene.rig.login("dora") as dora:
        other = await carl.ok("calls", userIdList=["dora"], mediaType=1)
        await dora.event("onCallReceived")
        await scene.anna.ok("calls", userIdList=["dora"], mediaType=2)
        missed = await dora.event("onMissedCall")
        assert (missed["callerId"], missed["reason"]) == ("anna", 5)
        assert (await scene.anna.event("onUserLineBusy"))["userId"] == "dora"
        await scene.not_connected(5, "dora", scene.anna)
        await dora.ok("accept", callId=other["callId"])
        (entry,) = (await scene.anna.ok("getHistory"))["calls"]
        assert entry["callResult"] == "CallBusy"
        assert (await scene.anna.ok("calls", userIdList=["bea"], mediaType=2))["callId"]


@covers("reason:Canceled")
async def test_cancel(scene: Scene) -> None:
    call_id = await scene.call()
    await scene.anna.ok("hangup", callId=call_id)
    await scene.not_connected(6, "anna", scene.anna, scene.bea, scene.bea2)
    for request in ("accept", "reject", "hangup"):
        assert await scene.bea.code(request, callId=call_id) == 8010
    await scene.check("Cancel", "missed")


async def test_the_caller_is_lost_while_calling(scene: Scene) -> None:
    await scene.call(timeout=60)
    await scene.lose(scene.anna)
    await scene.not_connected(4, "anna", scene.bea, scene.bea2)
    await scene.check("Interrupt", "missed")


@covers("api:hangup", "api:queryRecentCalls", "event:onCallEnd", "reason:Hangup")
@pytest.mark.parametrize("who", ["anna", "bea"])
async def test_hang_up(scene: Scene, who: str) -> None:
    call_id = await scene.connect()
    scene.now.at += 12.5
    await (scene.anna if who == "anna" else scene.bea).ok("hangup", callId=call_id)
    for client in (scene.anna, scene.bea):
        end = await client.event("onCallEnd")
        assert (end["reason"], end["userId"], end["totalTime"]) == (1, who, 12.5)
    assert (await scene.check("NormalEnd", "incoming"))["totalTime"] == 12.5


@covers("event:onUserLeave", "event:onUserLeave.userId", "reason:Offline")
@pytest.mark.parametrize("who", ["anna", "bea"])
async def test_a_side_is_lost(scene: Scene, who: str) -> None:
    await scene.connect()
    lost, other = (scene.anna, scene.bea) if who == "anna" else (scene.bea, scene.anna)
    await scene.lose(lost)
    leave = await other.event("onUserLeave")
    assert (leave["userId"], leave["reason"]) == (who, 4)
    await scene.ended(4, who, other)
    await scene.check("Interrupt", "incoming")


async def test_a_program_that_starts_again_leaves_its_call(scene: Scene) -> None:
    await scene.connect()
    async with scene.rig.login("bea", "b1") as again:
        assert again.session["resumed"] is False
        assert "call" not in again.session
        assert (await scene.anna.event("onUserLeave"))["reason"] == 4
        await scene.ended(4, "bea", scene.anna)
        assert (await scene.bea.message("bye"))["code"] == 90009
        await again.quiet()


async def test_logout_leaves_the_call(scene: Scene) -> None:
    await scene.connect()
    await scene.anna.ok("logout")
    await scene.ended(1, "anna", scene.anna, scene.bea)
    assert (await scene.anna.message("bye"))["code"] == 0
    (anna,) = (await scene.bea.ok("getUsers", userIds=["anna"]))["users"]
    assert anna["status"] == "unlogined"


@covers("reason:EndByServer")
@pytest.mark.parametrize("connected", [False, True])
async def test_the_end_by_the_service(scene: Scene, connected: bool) -> None:
    call_id = await (scene.connect() if connected else scene.call())
    await scene.rig.service.control.apply(DEFAULT_APP_ID, call_id, EndByService())
    if connected:
        await scene.ended(9, "", scene.anna, scene.bea)
    else:
        await scene.not_connected(9, "", scene.anna, scene.bea, scene.bea2)


async def test_glare(scene: Scene) -> None:
    first = await scene.call()
    assert await scene.bea.code("calls", userIdList=["anna"], mediaType=2) == -1203
    await scene.bea.ok("accept", callId=first)
    assert (await scene.anna.event("onCallBegin"))["callId"] == first


async def test_a_second_call_inherits_nothing(scene: Scene) -> None:
    first = await scene.connect()
    await scene.anna.ok("setTracks", callId=first, audio=False, video=False)
    assert (await scene.bea.event("onUserAudioAvailable"))["isAudioAvailable"] is False
    assert (await scene.bea.event("onUserVideoAvailable"))["isVideoAvailable"] is False
    await scene.anna.ok("renegotiate", callId=first, epoch=1)
    for client in (scene.anna, scene.bea):
        assert (await client.event("onMediaPlan"))["epoch"] == 2
    await scene.anna.ok("hangup", callId=first)
    await scene.ended(1, "anna", scene.anna, scene.bea)
    second = await scene.call()
    await scene.bea.ok("accept", callId=second)
    await scene.bea.event("onCallBegin")
    join = await scene.bea.event("onUserJoin")
    assert (join["audioAvailable"], join["videoAvailable"]) == (True, True)
    assert (await scene.bea.event("onMediaPlan"))["epoch"] == 1


async def test_media_goes_to_the_other_side_only(scene: Scene) -> None:
    call_id = await scene.connect()
    offer = {"callId": call_id, "epoch": 1, "kind": "offer", "sdp": "v=0", "tracks": []}
    await scene.anna.ok("media", to=scene.bea.session_id, media=offer)
    arrived = await scene.bea.message("media")
    assert arrived["sender"] == scene.anna.session_id
    assert arrived["media"]["sdp"] == "v=0"
    for to, media, code in (
        (scene.bea2.session_id, offer, 90008),
        ("0" * 16, offer, 90008),
        (scene.anna.session_id, offer, 90008),
        (scene.bea.session_id, offer | {"epoch": 2}, 90008),
        (scene.bea.session_id, offer | {"callId": "0" * 36}, 8010),
    ):
        assert await scene.anna.code("media", to=to, media=media) == code
    assert await scene.bea2.code("media", to=scene.anna.session_id, media=offer) == 8010
    await scene.anna.quiet()
    assert scene.bea.inbox == []


@covers("code:-1203", "code:8010")
async def test_who_may_not(scene: Scene) -> None:
    call_id = await scene.call()
    assert await scene.anna.code("accept", callId=call_id) == -1203
    assert await scene.anna.code("setTracks", callId=call_id, audio=False) == -1203
    assert await scene.anna.code("calls", userIdList=["bea"], mediaType=2) == -1203
    async with scene.rig.login("carl") as carl:
        assert await carl.code("accept", callId=call_id) == -1203
        assert await carl.code("hangup", callId=call_id) == 8010
        assert await carl.code("renegotiate", callId=call_id, epoch=1) == -1203
    await scene.bea.ok("accept", callId=call_id)
    assert await scene.bea2.code("setTracks", callId=call_id, audio=False) == -1203
