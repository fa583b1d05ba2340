# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that dies without a word, and the next one: nothing acknowledged is lost.

The files of a running service are copied as they are, which is what kill -9
leaves behind, and another service opens the copy.
"""

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sqlalchemy import update

from callagent.server.accounts import DEFAULT_APP_ID
from callagent.server.service import CallService
from callagent.server.storage.tables import TimerRow
from callagent.server.storage.timers import TimerKind
from tests.unit.server.rig import Client, FakeNow, Json, Rig, running


class Site:
    """A service with two users, its clock, and what it leaves when it dies."""

    def __init__(self, directory: Path, stack: AsyncExitStack) -> None:
        self.now = FakeNow()
        self._directory = directory
        self._stack = stack
        self._lives = 0

    @property
    def path(self) -> Path:
        return self._directory / f"life{self._lives}"

    async def open(self) -> CallService:
        return await CallService.open(f"sqlite:///{self.path}/service.db", now=self.now)

    async def start(self) -> Rig:
        return await self._stack.enter_async_context(running(await self.open()))

    def die(self) -> None:
        before = self.path
        self._lives += 1
        shutil.copytree(before, self.path, ignore=shutil.ignore_patterns("*-shm"))

    async def login(self, rig: Rig, user_id: str) -> Client:
        return await self._stack.enter_async_context(rig.login(user_id))

    async def resume(self, rig: Rig, client: Client, user_id: str) -> Client:
        again = await self._stack.enter_async_context(rig.connect())
        again.seq = client.seq
        sig = await rig.usersig(user_id)
        data = await again.login(user_id, sig, f"{user_id}-1", resume=client.resume)
        assert data["resumed"] is True
        return again


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        yield Site(tmp_path, stack)


async def ringing(site: Site) -> tuple[Client, Client, str]:
    rig = await site.start()
    anna, bea = await site.login(rig, "anna"), await site.login(rig, "bea")
    started = await anna.ok("calls", userIdList=["bea"], mediaType=2, timeout=20)
    await bea.event("onCallReceived")
    return anna, bea, started["callId"]


async def connected(site: Site) -> tuple[Client, Client, str]:
    anna, bea, call_id = await ringing(site)
    await bea.ok("accept", callId=call_id)
    for client in (anna, bea):
        for name in ("onCallBegin", "onUserJoin", "onMediaPlan"):
            await client.event(name)
    return anna, bea, call_id


async def last_call(client: Client) -> Json:
    calls: list[Json] = (await client.ok("getHistory"))["calls"]
    return calls[0]


async def test_ringing_ends_on_time(site: Site) -> None:
    anna, bea, call_id = await ringing(site)
    site.die()
    site.now.at += 5
    rig = await site.start()
    anna, bea = await site.resume(rig, anna, "anna"), await site.resume(rig, bea, "bea")
    assert bea.session["call"]["callId"] == call_id
    assert anna.session["call"]["callId"] == call_id
    rig.pass_time(14.9)
    await anna.quiet()
    rig.pass_time(0.1)
    await anna.event("onUserNoResponse")
    for client in (anna, bea):
        assert (await client.event("onCallNotConnected"))["reason"] == 3
    assert (await last_call(anna))["callResult"] == "NotAnswer"


async def test_ringing_that_is_overdue_ends_at_once(site: Site) -> None:
    anna, _, _ = await ringing(site)
    site.die()
    site.now.at += 500
    rig = await site.start()
    anna = await site.resume(rig, anna, "anna")
    await anna.event("onUserNoResponse")
    assert (await anna.event("onCallNotConnected"))["reason"] == 3


async def test_a_timer_that_was_being_fired_fires(site: Site) -> None:
    anna, _, _ = await ringing(site)
    site.die()
    service = await site.open()
    claim = update(TimerRow).values(claimed_until=site.now.at + 1000)
    await service.storage.write(lambda connection: connection.execute(claim))
    await service.close()
    rig = await site.start()
    anna = await site.resume(rig, anna, "anna")
    rig.pass_time(20)
    await anna.event("onUserNoResponse")


async def test_an_answer_after_the_restart(site: Site) -> None:
    anna, bea, call_id = await ringing(site)
    site.die()
    rig = await site.start()
    bea = await site.resume(rig, bea, "bea")
    await bea.ok("accept", callId=call_id)
    anna = await site.resume(rig, anna, "anna")
    for client in (anna, bea):
        for name in ("onCallBegin", "onUserJoin", "onMediaPlan"):
            await client.event(name)
    rig.pass_time(20)
    await anna.quiet()


async def test_a_call_goes_on_and_is_recorded(site: Site) -> None:
    anna, bea, call_id = await connected(site)
    site.now.at += 10
    site.die()
    site.now.at += 10
    rig = await site.start()
    anna, bea = await site.resume(rig, anna, "anna"), await site.resume(rig, bea, "bea")
    assert anna.session["call"]["beganSecondsAgo"] == 20
    rig.pass_time(40)
    await anna.ok("hangup", callId=call_id)
    for client in (anna, bea):
        assert (await client.event("onCallEnd"))["totalTime"] == 60
    site.die()
    rig = await site.start()
    bea = await site.resume(rig, bea, "bea")
    entry = await last_call(bea)
    assert (entry["callResult"], entry["totalTime"], entry["result"]) == ("NormalEnd", 60, "incoming")


async def test_a_call_of_several_goes_on(site: Site) -> None:
    """It dies while two are connected and one is being rung, and again with three."""
    rig = await site.start()
    anna, bea, carl = [await site.login(rig, user) for user in ("anna", "bea", "carl")]
    call_id = (await anna.ok("calls", userIdList=["bea", "carl"], mediaType=2))["callId"]
    for client in (bea, carl):
        await client.event("onCallReceived")
    await bea.ok("accept", callId=call_id)
    for client in (anna, bea):
        for name in ("onCallBegin", "onUserJoin", "onMediaPlan"):
            await client.event(name)
    await bea.ok("setTracks", callId=call_id, audio=False, commands=["openDoor"])
    for name in ("onUserAudioAvailable", "onUserCommands"):
        await anna.event(name)

    site.die()
    rig = await site.start()
    anna, bea = await site.resume(rig, anna, "anna"), await site.resume(rig, bea, "bea")
    carl = await site.resume(rig, carl, "carl")
    assert {m["userId"]: m["status"] for m in carl.session["call"]["members"]} == {
        "anna": "connected",
        "bea": "connected",
        "carl": "ringing",
    }
    await carl.ok("accept", callId=call_id)
    await carl.event("onCallBegin")
    joins = {join["userId"]: join for join in [await carl.event("onUserJoin") for _ in range(2)]}
    assert (joins["anna"]["audioAvailable"], joins["anna"]["commands"]) == (True, [])
    assert (joins["bea"]["audioAvailable"], joins["bea"]["commands"]) == (False, ["openDoor"])
    for client in (anna, bea):
        assert (await client.event("onUserJoin"))["userId"] == "carl"
    for client in (anna, bea, carl):
        plan = await client.event("onMediaPlan")
        assert (plan["placement"], plan["epoch"], len(plan["peers"])) == ("mesh", 2, 2)

    site.die()
    rig = await site.start()
    bea, carl = await site.resume(rig, bea, "bea"), await site.resume(rig, carl, "carl")
    assert (carl.session["call"]["placement"], carl.session["call"]["epoch"]) == ("mesh", 2)
    # The caller stays away; the others go on.
    rig.pass_time(30)
    for client in (bea, carl):
        assert (await client.event("onUserLeave"))["userId"] == "anna"
        plan = await client.event("onMediaPlan")
        assert (plan["placement"], plan["epoch"]) == ("p2p", 3)
    await carl.ok("hangup", callId=call_id)
    assert (await bea.event("onCallEnd"))["userId"] == "carl"
    entry = await last_call(bea)
    assert (entry["callId"], entry["callResult"]) == (call_id, "NormalEnd")


async def test_who_does_not_come_back_is_lost_after_30_s(site: Site) -> None:
    anna, _, _ = await connected(site)
    site.die()
    site.now.at += 300
    rig = await site.start()
    anna = await site.resume(rig, anna, "anna")
    rig.pass_time(29.9)
    await anna.quiet()
    rig.pass_time(0.1)
    assert (await anna.event("onUserLeave"))["userId"] == "bea"
    assert (await anna.event("onCallEnd"))["reason"] == 4
    assert (await last_call(anna))["callResult"] == "Interrupt"
    (bea,) = await rig.service.presence.users(DEFAULT_APP_ID, ["bea"])
    assert bea.status == "offline"


async def test_events_that_never_arrived_are_replayed(site: Site) -> None:
    anna, bea, call_id = await ringing(site)
    await bea.abort()
    await anna.ok("hangup", callId=call_id)
    site.die()
    rig = await site.start()
    bea = await site.resume(rig, bea, "bea")
    assert (await bea.event("onCallNotConnected"))["reason"] == 6
    assert "call" not in bea.session


async def test_an_ended_call_leaves_no_timer(site: Site) -> None:
    anna, _, call_id = await ringing(site)
    await anna.ok("hangup", callId=call_id)
    site.die()
    rig = await site.start()
    assert len(await rig.away()) == 2
    armed = rig.service.timers.armed
    assert {key.kind for key in armed} == {TimerKind.AWAY}
