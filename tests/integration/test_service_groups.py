# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of several over real WebSockets, on one node and on two."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from callagent.server.accounts import DEFAULT_APP_ID
from callagent.server.calls.policy import CallPolicy, CallRule, JoinPolicy
from tests.covers import covers
from tests.integration.conftest import Backing
from tests.unit.server.rig import Client, FakeNow, Json, Rig, until

NAMES = ("anna", "bea", "carl", "dora")


@dataclass
class Scene:
    rig: Rig
    now: FakeNow
    clients: dict[str, Client]

    def __getattr__(self, name: str) -> Client:
        return self.clients[name]

    async def call(self, *callees: str) -> str:
        """Anna calls them; all have rung."""
        started = await self.anna.ok("calls", userIdList=list(callees), mediaType=2)
        for callee in callees:
            await self.clients[callee].event("onCallReceived")
        return str(started["callId"])

    async def connect(self, *callees: str) -> str:
        """Anna in a call with all of them; nothing of it is left to be read."""
        call_id = await self.call(*callees)
        there = ["anna"]
        for callee in callees:
            await self.clients[callee].ok("accept", callId=call_id)
            await self.entered(callee, *there, first=len(there) == 1)
            there.append(callee)
        return call_id

    async def entered(self, user: str, *others: str, first: bool = False) -> list[Json]:
        """`user` came to `others`: what each is told. Returns the media plans, the newcomer's first."""
        client = self.clients[user]
        assert (await client.event("onCallBegin"))["info"]["role"] == 2
        plans = []
        for other in others:
            assert (await client.event("onUserJoin"))["userId"] == other
        plans.append(await client.event("onMediaPlan"))
        for other in others:
            if first:
                await self.clients[other].event("onCallBegin")
            assert (await self.clients[other].event("onUserJoin"))["userId"] == user
            plans.append(await self.clients[other].event("onMediaPlan"))
        return plans

    async def quiet(self) -> None:
        for client in self.clients.values():
            await client.quiet()


@asynccontextmanager
async def staged(backing: Backing, **settings: object) -> AsyncIterator[Scene]:
    """Everybody logged in to a fresh service."""
    now = FakeNow()
    async with AsyncExitStack() as stack:
        rig = await stack.enter_async_context(backing.fresh(now=now, **settings))
        clients = {name: await stack.enter_async_context(rig.login(name)) for name in NAMES}
        yield Scene(rig, now, clients)


@pytest.fixture
async def scene(backing: Backing) -> AsyncIterator[Scene]:
    async with staged(backing) as scene:
        yield scene


def named(plan: Json) -> set[str]:
    return {peer["userId"] for peer in plan["peers"]}


async def test_four_meet_and_part(scene: Scene) -> None:
    call_id = await scene.call("bea", "carl", "dora")
    await scene.bea.ok("accept", callId=call_id)
    await scene.entered("bea", "anna", first=True)
    await scene.carl.ok("accept", callId=call_id)
    plans = await scene.entered("carl", "anna", "bea")
    assert [(plan["placement"], plan["epoch"]) for plan in plans] == [("mesh", 2)] * 3
    assert [named(plan) for plan in plans] == [{"anna", "bea"}, {"bea", "carl"}, {"anna", "carl"}]
    await scene.dora.ok("reject", callId=call_id)
    assert (await scene.dora.event("onCallNotConnected"))["reason"] == 2
    for name in ("anna", "bea", "carl"):
        assert (await scene.clients[name].event("onUserReject"))["userId"] == "dora"
    await scene.anna.ok("hangup", callId=call_id)
    assert (await scene.anna.event("onCallEnd"))["userId"] == "anna"
    for name in ("bea", "carl"):
        assert (await scene.clients[name].event("onUserLeave"))["userId"] == "anna"
        plan = await scene.clients[name].event("onMediaPlan")
        assert (plan["placement"], plan["epoch"]) == ("p2p", 3)
    await scene.carl.ok("hangup", callId=call_id)
    for name in ("bea", "carl"):
        end = await scene.clients[name].event("onCallEnd")
        assert (end["reason"], end["userId"]) == (1, "carl")
    await scene.quiet()
    (entry,) = (await scene.dora.ok("getHistory"))["calls"]
    assert (entry["inviter"], entry["inviteList"]) == ("anna", ["bea", "carl", "dora"])
    assert entry["callResult"] == "NormalEnd"


@covers("code:8021")
async def test_one_of_several_does_not_exist(scene: Scene) -> None:
    started = await scene.anna.ok("calls", userIdList=["bea", "nobody"], mediaType=1)
    (refused,) = started["refused"]
    assert (refused["userId"], refused["code"]) == ("nobody", 8021)
    assert (await scene.bea.event("onCallReceived"))["calleeIdList"] == ["bea"]
    reply = await scene.carl.ask("calls", userIdList=["nobody", "nowhere"], mediaType=1)
    assert (reply["code"], reply["field"]) == (8021, "userIdList.0")


async def test_more_than_a_call_takes(backing: Backing) -> None:
    async with staged(backing, max_members=3) as scene:
        reply = await scene.anna.ask("calls", userIdList=["bea", "carl", "dora"], mediaType=2)
        assert (reply["code"], reply["field"]) == (-1202, "userIdList")
        call_id = await scene.connect("bea", "carl")
        assert await scene.bea.code("inviteUser", callId=call_id, userIdList=["dora"]) == -1202
        assert await scene.dora.code("join", callId=call_id) == -1202
        await scene.quiet()


@covers(
    "api:inviteUser",
    "param:inviteUser.timeout",
    "event:onUserInviting",
    "event:onUserInviting.userId",
)
async def test_a_member_invites_another(scene: Scene) -> None:
    call_id = await scene.connect("bea")
    reply = await scene.bea.ok("inviteUser", callId=call_id, userIdList=["carl", "anna", "carl"], timeout=20)
    assert reply == {"invited": ["carl"], "refused": []}
    rung = await scene.carl.event("onCallReceived")
    assert (rung["callerId"], rung["calleeIdList"], rung["remaining"]) == ("bea", ["bea", "carl"], 20)
    for name in ("anna", "bea"):
        inviting = await scene.clients[name].event("onUserInviting")
        assert (inviting["userId"], inviting["inviterId"]) == ("carl", "bea")
    await scene.carl.ok("accept", callId=call_id)
    plans = await scene.entered("carl", "anna", "bea")
    assert {plan["placement"] for plan in plans} == {"mesh"}


async def test_the_caller_invites_while_it_rings(scene: Scene) -> None:
    call_id = await scene.call("bea")
    await scene.anna.ok("inviteUser", callId=call_id, userIdList=["carl"])
    assert (await scene.anna.event("onUserInviting"))["userId"] == "carl"
    await scene.carl.event("onCallReceived")
    await scene.carl.ok("accept", callId=call_id)
    await scene.entered("carl", "anna", first=True)
    await scene.bea.ok("accept", callId=call_id)
    await scene.entered("bea", "anna", "carl")


async def test_an_invitation_nobody_answers(scene: Scene) -> None:
    call_id = await scene.connect("bea")
    await scene.anna.ok("inviteUser", callId=call_id, userIdList=["carl"], timeout=10)
    await scene.carl.event("onCallReceived")
    scene.rig.pass_time(10)
    assert (await scene.carl.event("onCallNotConnected"))["reason"] == 3
    for name in ("anna", "bea"):
        await scene.clients[name].event("onUserInviting")
        assert (await scene.clients[name].event("onUserNoResponse"))["userId"] == "carl"
    await scene.quiet()


async def test_who_may_not_invite(scene: Scene) -> None:
    call_id = await scene.connect("bea")
    assert await scene.carl.code("inviteUser", callId=call_id, userIdList=["dora"]) == -1203
    assert await scene.bea.code("inviteUser", callId=call_id, userIdList=[]) == -1202
    assert await scene.bea.code("inviteUser", callId=call_id, userIdList=["bea"]) == -1202
    assert await scene.bea.code("inviteUser", callId=call_id, userIdList=["nobody"]) == 8021
    assert await scene.bea.code("inviteUser", callId=call_id, userIdList=["carl"], timeout=5) == -1202
    await scene.quiet()


async def test_the_policy_counts_for_invitations_too(backing: Backing) -> None:
    policy = CallPolicy([CallRule(("bea",), ("carl",), allow=False)])
    async with staged(backing, policy=policy) as scene:
        call_id = await scene.connect("bea")
        assert await scene.bea.code("inviteUser", callId=call_id, userIdList=["carl"]) == 90013
        reply = await scene.bea.ok("inviteUser", callId=call_id, userIdList=["carl", "dora"])
        assert reply["invited"] == ["dora"]
        assert [refused["code"] for refused in reply["refused"]] == [90013]


@covers("api:join")
async def test_somebody_joins(scene: Scene) -> None:
    call_id = await scene.connect("bea")
    await scene.bea.ok("setTracks", callId=call_id, audio=False)
    await scene.anna.event("onUserAudioAvailable")
    live = await scene.rig.service.control.live(DEFAULT_APP_ID, call_id)
    assert live is not None
    assert await scene.carl.ok("join", callId=call_id) == {"roomId": live.room_id, "mediaType": 2}
    await scene.carl.event("onCallBegin")
    joins = [await scene.carl.event("onUserJoin") for _ in range(2)]
    assert [(join["userId"], join["audioAvailable"]) for join in joins] == [("anna", True), ("bea", False)]
    came = await scene.anna.event("onUserJoin")
    assert (came["userId"], came["audioAvailable"], came["videoAvailable"]) == ("carl", True, False)
    assert await scene.carl.code("join", callId=call_id) == -1203


async def test_who_is_in_a_call_cannot_join_another(scene: Scene) -> None:
    first = await scene.connect("bea")
    second = await scene.carl.ok("calls", userIdList=["dora"], mediaType=1)
    assert await scene.carl.code("join", callId=first) == -1203
    assert await scene.dora.code("join", callId=first) == -1203
    assert await scene.carl.code("hangup", callId=second["callId"]) == 0


@pytest.mark.parametrize("policy", [JoinPolicy.INVITED, JoinPolicy.MEMBERS])
async def test_only_who_was_invited_joins(backing: Backing, policy: JoinPolicy) -> None:
    async with staged(backing, join_policy=policy) as scene:
        call_id = await scene.call("bea", "carl")
        await scene.carl.ok("reject", callId=call_id)
        await scene.bea.ok("accept", callId=call_id)
        assert await scene.dora.code("join", callId=call_id) == 90013
        assert await scene.carl.code("join", callId=call_id) == 0


async def test_a_call_that_is_over_takes_nobody(scene: Scene) -> None:
    call_id = await scene.connect("bea")
    await scene.bea.ok("hangup", callId=call_id)
    assert await scene.carl.code("join", callId=call_id) == 8010
    assert await scene.anna.code("inviteUser", callId=call_id, userIdList=["carl"]) == 8010


@covers(
    "event:onCallMediaTypeChanged",
    "event:onCallMediaTypeChanged.oldMediaType",
    "event:onCallMediaTypeChanged.newMediaType",
)
async def test_two_switch_to_voice(scene: Scene) -> None:
    call_id = await scene.connect("bea")
    await scene.bea.ok("switchMediaType", callId=call_id, mediaType=1)
    for name, other in (("anna", "bea"), ("bea", "anna")):
        changed = await scene.clients[name].event("onCallMediaTypeChanged")
        assert (changed["userId"], changed["oldMediaType"], changed["newMediaType"]) == ("bea", 2, 1)
        dark = await scene.clients[name].event("onUserVideoAvailable")
        assert (dark["userId"], dark["isVideoAvailable"]) == (other, False)
    assert await scene.anna.code("switchMediaType", callId=call_id, mediaType=2) == -1205
    await scene.quiet()


async def test_what_a_member_wants_to_see(scene: Scene) -> None:
    call_id = await scene.connect("bea")
    assert await scene.anna.code("view", callId=call_id, userId="bea", layer="l") == 0
    assert await scene.anna.code("view", callId=call_id, userId="carl") == 90008
    assert await scene.carl.code("view", callId=call_id, userId="bea") == 8010
    reply = await scene.anna.ask("view", callId=call_id, userId="bea", layer="x")
    assert (reply["code"], reply["field"]) == (90001, "layer")


async def test_who_comes_back_is_shown_everybody(scene: Scene) -> None:
    call_id = await scene.connect("bea", "carl")
    await scene.carl.ok("setTracks", callId=call_id, video=False, privacy=True)
    resume = scene.bea.resume
    await scene.bea.abort()
    await until(lambda: scene.rig.is_away(scene.bea))
    async with scene.rig.connect() as back:
        back.seq = scene.bea.seq
        usersig = await scene.rig.usersig("bea")
        await back.login("bea", usersig, "bea-1", resume=resume)
        call = back.session["call"]
        assert (call["callId"], call["placement"], call["epoch"]) == (call_id, "mesh", 2)
        assert {(m["userId"], m["videoAvailable"], m["privacy"]) for m in call["members"]} == {
            ("anna", True, False),
            ("bea", True, False),
            ("carl", False, True),
        }


async def test_a_lost_member_does_not_end_it(scene: Scene) -> None:
    await scene.connect("bea", "carl")
    await scene.carl.abort()
    await until(lambda: scene.rig.is_away(scene.carl))
    scene.rig.pass_time(30)
    for name in ("anna", "bea"):
        left = await scene.clients[name].event("onUserLeave")
        assert (left["userId"], left["reason"]) == ("carl", 4)
        assert (await scene.clients[name].event("onMediaPlan"))["placement"] == "p2p"
        await scene.clients[name].quiet()
