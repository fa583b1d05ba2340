# SPDX-License-Identifier: GPL-3.0-or-later
"""Hello, resume with replay, superseding, kicking, silence, logout, presence - over real WebSockets."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from callagent.protocol.enums import CallEndReason
from callagent.protocol.events import OnUserLeave
from callagent.protocol.usersig import make_usersig
from callagent.server import connection
from callagent.server.accounts import DEFAULT_APP_ID
from callagent.server.limits import LimitSettings
from callagent.server.storage import event_log
from callagent.server.storage.event_log import MAX_EVENTS, SessionKey
from tests.covers import covers
from tests.integration.conftest import Backing
from tests.unit.server.rig import Client, FakeNow, Json, Rig, fresh, until


@pytest.fixture
async def rig(backing: Backing) -> AsyncIterator[Rig]:
    async with backing.fresh(now=FakeNow()) as rig:
        yield rig


async def status(rig: Rig, user_id: str) -> str:
    (user,) = await rig.service.presence.users(DEFAULT_APP_ID, [user_id])
    return user.status.value


async def ended(rig: Rig, client: Client) -> bool:
    return not await rig.service.sessions.lives(SessionKey(DEFAULT_APP_ID, client.session_id))


@covers("api:login", "api:init")
async def test_hello(rig: Rig) -> None:
    async with rig.login("anna", platform="web", model="phone", capabilities=["x"], madeUp=1) as anna:
        assert len(anna.session_id) == 16
        assert (anna.session["resumed"], anna.session["seq"]) == (False, 0)
        assert (anna.session["pingIdle"], anna.session["pingCall"], anna.session["pingReply"]) == (10, 3, 3)
        assert anna.session["sessionSilence"] == 30
        (own,) = (await anna.ok("getUsers"))["users"]
        assert own["platforms"] == ["web"]
        assert (own["userId"], own["status"], own["inCall"]) == ("anna", "online", False)
        assert await anna.code("hello", **json.loads(HELLO_AGAIN)) == -1203


HELLO_AGAIN = json.dumps(
    {"protocol": 1, "sdkAppId": DEFAULT_APP_ID, "userId": "x", "userSig": "x", "deviceId": "x"}
)


@covers("code:6206")
async def test_failed_hellos_are_answered_and_closed(rig: Rig) -> None:
    secret = await rig.service.accounts.secret(DEFAULT_APP_ID)
    good = await rig.usersig("anna")
    old = make_usersig(DEFAULT_APP_ID, secret, "anna", 60, now=1000)
    forged = make_usersig(DEFAULT_APP_ID, secret[::-1], "anna")
    for sig, more, code in (
        (forged, {}, 70002),
        ("nonsense", {}, 70002),
        (await rig.usersig("bea"), {}, 70002),
        (old, {}, 6206),
        (good, {"sdkAppId": 99}, 90005),
        (good, {"sdkAppId": 10**40}, 90005),
        (good, {"protocol": 2}, 90004),
    ):
        async with rig.connect() as client:
            reply = await client.hello("anna", sig, "d1", **more)
            assert reply["code"] == code
            assert (await client.message("bye"))["code"] == code
            await client.closed.wait()
    assert await status(rig, "anna") == "unknown"


async def test_resume_replays_in_order_and_once(rig: Rig) -> None:
    async with rig.login("anna") as anna, rig.login("bea") as bea:
        first = await anna.ok("calls", userIdList=["bea"], mediaType=2)
        await bea.event("onCallReceived")
        await bea.abort()
        await until(lambda: rig.is_away(bea))
        await anna.ok("hangup", callId=first["callId"])
        second = await anna.ok("calls", userIdList=["bea"], mediaType=1)
        async with rig.connect() as again:
            again.seq = bea.seq
            data = await again.login("bea", await rig.usersig("bea"), "bea-1", resume=bea.resume)
            assert (data["resumed"], data["sessionId"], data["seq"]) == (True, bea.session_id, 3)
            assert data["call"]["callId"] == second["callId"]
            assert [m["status"] for m in data["call"]["members"]] == ["connected", "ringing"]
            assert (await again.event("onCallNotConnected"))["callId"] == first["callId"]
            assert (await again.event("onCallReceived"))["callId"] == second["callId"]
            await again.ok("accept", callId=second["callId"])
            await again.event("onCallBegin")
            assert await rig.away() == set()


async def test_a_resume_closes_the_older_connection_without_a_word(rig: Rig) -> None:
    async with rig.login("anna") as anna, rig.connect() as again:
        data = await again.login("anna", await rig.usersig("anna"), "anna-1", resume=anna.resume)
        assert data["resumed"]
        await anna.closed.wait()
        assert anna.inbox == []
        await again.quiet()
        assert await rig.away() == set()
        assert await status(rig, "anna") == "online"


async def test_what_cannot_be_resumed_is_a_new_session(rig: Rig) -> None:
    async with rig.login("anna") as anna:
        for wrong in (
            {"sessionId": "0" * 16},
            {"resumeToken": "wrong"},
            {"lastSeq": 7},
            {"lastSeq": 2**70},
        ):
            async with rig.connect() as again:
                sig = await rig.usersig("anna")
                data = await again.login("anna", sig, "anna-2", resume=anna.resume | wrong)
                assert data["resumed"] is False
                assert data["sessionId"] != anna.session_id
        async with rig.connect() as other:
            data = await other.login("bea", await rig.usersig("bea"), "anna-1", resume=anna.resume)
            assert data["resumed"] is False
        await anna.quiet()


async def test_acknowledged_events_are_forgotten(rig: Rig) -> None:
    async with rig.login("anna") as anna, rig.login("bea") as bea:
        key = SessionKey(DEFAULT_APP_ID, bea.session_id)
        started = await anna.ok("calls", userIdList=["bea"], mediaType=2)
        await bea.event("onCallReceived")
        await anna.ok("hangup", callId=started["callId"])
        await bea.event("onCallNotConnected")
        assert len(await rig.service.sessions.events_after(key, 0)) == 2
        await bea.ok("ping", ack=1)
        for service in rig.services:
            await service.sessions.trim()
        assert [event.seq for event in await rig.service.sessions.events_after(key, 0)] == [2]
        await bea.ok("ping", ack=10**30)
        for service in rig.services:
            await service.sessions.trim()
        assert await rig.service.sessions.events_after(key, 0) == []
        async with rig.connect() as again:
            stale = bea.resume | {"lastSeq": 1}
            data = await again.login("bea", await rig.usersig("bea"), "bea-1", resume=stale)
            assert data["resumed"] is False


async def test_a_log_is_bounded(rig: Rig) -> None:
    async with rig.login("anna") as anna, rig.login("bea") as bea:
        started = await anna.ok("calls", userIdList=["bea"], mediaType=2)
        await bea.ok("accept", callId=started["callId"])
        leaving = OnUserLeave(call_id=started["callId"], user_id="x", reason=CallEndReason.HANGUP)
        many = {bea.session_id: [leaving] * (MAX_EVENTS + 50)}
        await rig.service.storage.write(lambda c: event_log.append(c, DEFAULT_APP_ID, many, 0.0))
        key = SessionKey(DEFAULT_APP_ID, bea.session_id)
        assert len(await rig.service.sessions.events_after(key, 0)) == MAX_EVENTS


async def test_a_program_that_starts_again_gets_a_new_session(rig: Rig) -> None:
    async with rig.login("anna", "d1") as anna, rig.login("anna", "d1") as again:
        assert (await anna.message("bye"))["code"] == 90009
        await anna.closed.wait()
        assert again.session_id != anna.session_id
        assert await status(rig, "anna") == "online"
        assert await rig.away() == set()


@covers("event:onKickedOffline")
async def test_several_devices_or_one(rig: Rig) -> None:
    async with rig.login("anna", "d1") as first, rig.login("anna", "d2") as second:
        await first.quiet()
        await rig.service.accounts.set_multi_device(DEFAULT_APP_ID, False)
        async with rig.login("anna", "d3") as third:
            for older in (first, second):
                assert (await older.event("onKickedOffline"))["message"]
                assert (await older.message("bye"))["code"] == 90009
                await older.closed.wait()
            await third.quiet()
            async with rig.connect() as again:
                data = await again.login("anna", await rig.usersig("anna"), "d1", resume=first.resume)
                assert data["resumed"] is False


async def test_away_too_long(rig: Rig) -> None:
    async with rig.login("anna") as anna:
        pass
    await until(lambda: rig.is_away(anna))
    assert await status(rig, "anna") == "online"
    rig.pass_time(29.9)
    assert await status(rig, "anna") == "online"
    rig.pass_time(0.1)
    await until(lambda: ended(rig, anna))
    async with rig.connect() as again:
        data = await again.login("anna", await rig.usersig("anna"), "anna-1", resume=anna.resume)
        assert data["resumed"] is False


async def test_silence_ends_a_session() -> None:
    async with fresh(session_silence_s=0.4) as rig, rig.login("bea", "b") as bea:
        async with rig.login("anna") as anna:
            started = await bea.ok("calls", userIdList=["anna"], mediaType=2)
            await anna.ok("accept", callId=started["callId"])
            while not anna.closed.is_set():
                assert await bea.code("ping") == 0
            for name in ("onCallReceived", "onCallBegin", "onUserJoin", "onMediaPlan"):
                await anna.event(name)
            assert (await anna.event("onCallEnd"))["reason"] == 4
            assert (await anna.message("bye"))["code"] == 90011
        for name in ("onCallBegin", "onUserJoin", "onMediaPlan", "onUserLeave", "onCallEnd"):
            await bea.event(name)
        assert await status(rig, "anna") == "offline"


@covers("api:logout")
async def test_logout(rig: Rig) -> None:
    async with rig.login("anna") as anna:
        await anna.ok("logout")
        assert (await anna.message("bye"))["code"] == 0
        await anna.closed.wait()
    assert await status(rig, "anna") == "unlogined"
    assert await rig.away() == set()


@covers("api:setSelfInfo")
async def test_presence(rig: Rig) -> None:
    async def next_of(user_id: str) -> Json:
        while (change := await anna.message("presence"))["userId"] != user_id:
            pass
        return change

    async with rig.login("anna") as anna:
        users = (await anna.ok("getUsers", subscribe=True, userIds=["bea", "anna"]))["users"]
        assert [(user["userId"], user["status"]) for user in users] == [
            ("bea", "unknown"),
            ("anna", "online"),
        ]
        async with rig.login("bea") as bea, rig.login("carl") as carl:
            assert (await next_of("bea"))["status"] == "online"
            await bea.ok("setSelfInfo", nickname="Béa", avatar="https://x/y.png")
            assert (await next_of("bea"))["nickname"] == "Béa"
            started = await bea.ok("calls", userIdList=["carl"], mediaType=1)
            assert (await carl.event("onCallReceived"))["callerName"] == "Béa"
            assert (await next_of("bea"))["inCall"] is True
            await bea.ok("hangup", callId=started["callId"])
            assert (await next_of("bea"))["inCall"] is False
            await bea.ok("logout")
            assert (await next_of("bea"))["status"] == "unlogined"


async def test_media_for_a_session_that_is_away_waits_a_little(rig: Rig) -> None:
    async with rig.login("anna") as anna, rig.login("bea") as bea:
        started = await anna.ok("calls", userIdList=["bea"], mediaType=2)
        await bea.event("onCallReceived")
        await bea.ok("accept", callId=started["callId"])
        await bea.abort()
        await until(lambda: rig.is_away(bea))
        for number in range(70):
            candidate = {"candidate": f"candidate:{number}"}
            media = {"callId": started["callId"], "epoch": 1, "kind": "candidate", "candidate": candidate}
            await anna.ok("media", to=bea.session_id, media=media)
        async with rig.connect() as again:
            bea.seq = 1
            again.seq = 1
            await again.login("bea", await rig.usersig("bea"), "bea-1", resume=bea.resume)
            for name in ("onCallBegin", "onUserJoin", "onMediaPlan"):
                await again.event(name)
            texts = [(await again.message("media"))["media"]["candidate"]["candidate"] for _ in range(64)]
            assert texts == [f"candidate:{number}" for number in range(6, 70)]


async def test_a_removed_account_is_let_go(rig: Rig) -> None:
    async with rig.login("anna") as anna:
        await rig.service.accounts.delete_user(DEFAULT_APP_ID, "anna")
        assert await anna.code("calls", userIdList=["bea"], mediaType=2) == 8021
        for service in rig.services:
            await service.look_after_connections()
        assert (await anna.message("bye"))["code"] == 6014
        await anna.closed.wait()


async def test_who_comes_back_while_connections_are_looked_after_stays(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = rig.service
    read = service.sessions.newest
    async with rig.login("anna") as anna, rig.connect() as again:

        async def newest() -> dict[SessionKey, int]:
            await anna.abort()
            await until(lambda: rig.is_away(anna))
            found = await read()
            await again.login("anna", await rig.usersig("anna"), "anna-1", resume=anna.resume)
            return found

        monkeypatch.setattr(service.sessions, "newest", newest)
        await service.look_after_connections()
        await again.ok("ping", ack=0)


async def test_closing_says_bye_and_keeps_the_session(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/service.db"
    async with fresh(url) as rig:
        anna = await rig.connect().__aenter__()
        await anna.login("anna", await rig.usersig("anna"), "d1")
    assert (await anna.message("bye"))["code"] == 90010
    await anna.disconnect()
    async with fresh(url) as rig, rig.connect() as again:
        data = await again.login("anna", await rig.usersig("anna"), "d1", resume=anna.resume)
        assert data["resumed"] is True


async def test_a_client_that_does_not_read_is_cut_off_and_can_resume(
    backing: Backing, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "SEND_TIMEOUT_S", 0.3)
    async with AsyncExitStack() as stack:
        # As many messages as it takes.
        limits = LimitSettings(requests_per_s=100_000)
        rig = await stack.enter_async_context(backing.fresh(now=FakeNow(), limits=limits))
        anna, bea = [await stack.enter_async_context(rig.login(user)) for user in ("anna", "bea")]
        started = await anna.ok("calls", userIdList=["bea"], mediaType=2)
        await bea.event("onCallReceived")
        await bea.ok("accept", callId=started["callId"])
        for name in ("onCallBegin", "onUserJoin", "onMediaPlan"):
            await bea.event(name)
        bea.socket.transport.pause_reading()
        offer = {"callId": started["callId"], "epoch": 1, "kind": "offer", "sdp": "x" * 49000}
        async with asyncio.timeout(60):
            while not await rig.is_away(bea):
                await anna.ok("media", to=bea.session_id, media=offer)
        async with rig.connect() as again:
            again.seq = bea.seq
            data = await again.login("bea", await rig.usersig("bea"), "bea-1", resume=bea.resume)
            assert data["resumed"] is True
            await again.ok("hangup", callId=started["callId"])
            assert (await again.event("onCallEnd"))["userId"] == "bea"
        bea.socket.transport.abort()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_cut_connections_are_no_failure(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    async with rig.login("bea") as bea:
        for _ in range(5):
            async with rig.login("anna", "d1") as anna:
                await anna.ok("getUsers", subscribe=True)
                await anna.send("getHistory")
                await bea.ok("setSelfInfo", nickname="B")
                await anna.abort()
        await bea.quiet()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
