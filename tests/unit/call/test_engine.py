# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine against a scripted service: ordering, observers, closing, what it tells of itself."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from callagent.call import engine as engine_module
from callagent.call import network_quality
from callagent.call.credentials import FixedUserSig
from callagent.call.engine import CallEngine, EngineSettings
from callagent.call.notifications import EngineEvent, OnUserReconnecting
from callagent.ports import MediaSessionState
from callagent.protocol.enums import (
    CallEndReason,
    CallRole,
    CallState,
    LoginState,
    MediaType,
    NetworkQuality,
)
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.events import OnCallEnd, OnUserLeave
from tests.covers import covers
from tests.unit.call.fake_media import FakeMedia
from tests.unit.call.scripted_service import DEADLINE_S, Line, ScriptedService, scripted_service
from tests.unit.call.test_state import CALL, begin, ended, invite, joined, plan


class Rig:
    """One engine, its media and everything it told."""

    def __init__(self, service: ScriptedService) -> None:
        self.media = FakeMedia()
        settings = EngineSettings(
            url=service.url,
            app_id=1,
            user_id="kiosk",
            device_id="box",
            credentials=FixedUserSig("sig"),
        )
        self.engine = CallEngine(settings, self.media)
        self.events: list[EngineEvent] = []
        self._more = asyncio.Event()
        self.engine.add_observer(self._note)

    def _note(self, event: EngineEvent) -> None:
        self.events.append(event)
        self._more.set()

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events if event.name != "onStatusChanged"]

    async def wait(self, name: str, count: int = 1) -> EngineEvent:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                found = [event for event in self.events if event.name == name]
                if len(found) >= count:
                    return found[count - 1]
                self._more.clear()
                await self._more.wait()


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The scripted service seldom answers a farewell; most tests need not wait for that."""
    with monkeypatch.context() as patch:
        patch.setattr(engine_module, "FAREWELL_WAIT_S", 0.05)
        patch.setattr(engine_module, "CLOSE_WAIT_S", 0.5)
        yield patch


@pytest.fixture
async def service() -> AsyncIterator[ScriptedService]:
    async with scripted_service() as running:
        yield running


@asynccontextmanager
async def online(service: ScriptedService) -> AsyncIterator[tuple[Rig, Line]]:
    rig = Rig(service)
    await rig.engine.start()
    line = await service.line()
    await line.greet()
    await rig.engine.wait_online(DEADLINE_S)
    try:
        yield rig, line
    finally:
        await rig.engine.close()


async def connect(rig: Rig, line: Line) -> None:
    """An incoming call, accepted, with media."""
    await line.event(1, invite())
    await rig.wait("onCallReceived")
    accepting = asyncio.create_task(rig.engine.accept())
    await line.reply(await line.receive("accept"))
    await line.event(2, begin(CallRole.CALLED))
    await line.event(3, joined())
    await line.event(4, plan(1))
    await accepting
    await rig.wait("onMediaPlan")


async def test_before_login_nothing_works_and_says_why(service: ScriptedService) -> None:
    rig = Rig(service)
    for work in (rig.engine.accept(), rig.engine.get_users(), rig.engine.calls(["anna"], MediaType.AUDIO)):
        with pytest.raises(CallAgentError) as refused:
            await work
        assert refused.value.code is ErrorCode.INIT_FAIL
    await rig.engine.close()
    with pytest.raises(RuntimeError):
        await rig.engine.start()


async def test_a_call_from_ring_to_hangup(service: ScriptedService) -> None:
    async with online(service) as (rig, line):
        await connect(rig, line)
        state = rig.engine.state
        assert (state.login_state, state.call_state) == (LoginState.ONLINE, CallState.CONNECTED)
        assert (state.call_id, state.role, state.peer_ids) == (CALL, CallRole.CALLED, ("anna",))
        assert (state.microphone, state.camera, state.epoch) == (True, True, 1)
        assert state.remote_audio_available
        assert state.began is not None
        offer = {"callId": CALL, "epoch": 1, "kind": "offer", "sdp": "offer 1", "tracks": []}
        await line.send({"type": "media", "sender": "a" * 16, "media": offer})
        answer = (await line.receive("media"))["media"]
        assert (answer["kind"], answer["epoch"]) == ("answer", 1)
        (session,) = await rig.media.wait_open(1, MediaSessionState.CONNECTED)
        session.first_frame("video")
        assert (await rig.wait("onFirstFrame")).data == {"callId": CALL, "userId": "anna", "kind": "video"}
        hanging_up = asyncio.create_task(rig.engine.hangup())
        assert (await line.receive("hangup"))["callId"] == CALL
        await hanging_up
        end = await rig.wait("onCallEnd")
        assert isinstance(end.payload, OnCallEnd)
        assert (end.payload.reason, end.payload.user_id) == (CallEndReason.HANGUP, "kiosk")
        assert 0 < end.payload.total_time < DEADLINE_S
        assert end.data["totalTime"] == end.payload.total_time
        assert rig.engine.state.call_state is CallState.IDLE
        await rig.media.wait_open(0)
        assert rig.names == [
            *("onCallReceived", "onCallBegin", "onUserJoin", "onMediaPlan", "onFirstFrame", "onCallEnd"),
        ]


@covers("api:createInstance", "api:addObserver")
async def test_events_come_in_order_and_with_the_state_already_moved_on(service: ScriptedService) -> None:
    async with online(service) as (rig, line):
        seen: list[tuple[str, CallState, bool]] = []

        def look(event: EngineEvent) -> None:
            state = rig.engine.state
            seen.append((event.name, state.call_state, state.began is not None))
            if event.name == "onCallBegin":
                raise RuntimeError("an observer that fails disturbs nobody")

        leave = rig.engine.add_observer(look)
        await connect(rig, line)
        await line.event(5, OnUserLeave(call_id=CALL, user_id="anna", reason=CallEndReason.HANGUP))
        await line.event(6, ended())
        await rig.wait("onCallEnd")
        leave()
        leave()
        assert [entry for entry in seen if entry[0] != "onStatusChanged"] == [
            ("onCallReceived", CallState.RINGING, False),
            ("onCallBegin", CallState.CONNECTED, True),
            ("onUserJoin", CallState.CONNECTED, True),
            ("onMediaPlan", CallState.CONNECTED, True),
            ("onUserLeave", CallState.CONNECTED, True),
            ("onCallEnd", CallState.IDLE, False),
        ]


async def test_an_observer_may_call_the_engine(service: ScriptedService) -> None:
    async with online(service) as (rig, line):
        answers: list[asyncio.Task[None]] = []

        def answer(event: EngineEvent) -> None:
            if event.name == "onCallReceived":
                answers.append(asyncio.create_task(rig.engine.accept()))

        rig.engine.add_observer(answer)
        await line.event(1, invite())
        await line.reply(await line.receive("accept"))
        await answers[0]


@covers("event:SDK_READY", "event:statusChanged")
async def test_status_changes_are_told(service: ScriptedService) -> None:
    async with online(service) as (rig, line):
        await line.event(1, invite())
        await rig.wait("onCallReceived")
        accepting = asyncio.create_task(rig.engine.accept())
        await line.receive("accept")
        assert rig.engine.state.accepting
        line.drop()
        again = await service.line()
        assert rig.engine.state.service_away
        await again.greet(resumed=False, sessionId="c" * 16)
        with pytest.raises(CallAgentError):
            await accepting
        await rig.wait("onCallNotConnected")
        states = [
            (event.data["loginState"], event.data["callState"])
            for event in rig.events
            if event.name == "onStatusChanged"
        ]
        assert states == [
            ("connecting", "idle"),
            ("online", "idle"),
            ("online", "ringing"),
            ("online", "ringing"),  # accepting
            ("reconnecting", "ringing"),
            ("online", "idle"),
        ]


async def test_dead_media_asks_for_a_new_epoch(service: ScriptedService) -> None:
    async with online(service) as (rig, line):
        await connect(rig, line)
        (session,) = await rig.media.wait_open(1)
        session.become(MediaSessionState.FAILED)
        assert (await line.receive("renegotiate"))["epoch"] == 1
        told = await rig.wait("onUserReconnecting")
        assert told.payload == OnUserReconnecting(call_id=CALL, user_id="anna")
        assert rig.engine.state.reconnecting_ids == ("anna",)
        await rig.engine.renegotiate("silence")
        assert (await line.receive("renegotiate"))["reason"] == "silence"


async def test_the_quality_of_the_network_is_told(
    service: ScriptedService, hasty: pytest.MonkeyPatch
) -> None:
    hasty.setattr(network_quality, "LOOK_INTERVAL_S", 0.02)
    async with online(service) as (rig, line):
        await connect(rig, line)
        (session,) = await rig.media.wait_open(1)
        session.figures = {"state": "connected", "audio_packets_received": 0, "round_trip_s": 0.02}
        await rig.wait("onUserNetworkQualityChanged")
        session.figures = session.figures | {"audio_packets_received": 50, "audio_packets_lost": 5}
        for count in itertools.count(2):
            told = await rig.wait("onUserNetworkQualityChanged", count)
            if told.data["networkQualityList"][0]["quality"] == NetworkQuality.BAD:
                break
        assert told.data["callId"] == CALL
        assert [each["userId"] for each in told.data["networkQualityList"]] == ["anna", "kiosk"]


@covers("api:destroyInstance", "api:unInit", "api:destroyed")
async def test_close_hangs_up_logs_out_and_leaves_nothing(
    service: ScriptedService, hasty: pytest.MonkeyPatch
) -> None:
    hasty.undo()
    async with online(service) as (rig, line):
        await connect(rig, line)
        closing = asyncio.create_task(rig.engine.close())
        await line.reply(await line.receive("hangup"))
        await line.reply(await line.receive("logout"))
        await closing
        assert "onCallEnd" in rig.names
        assert rig.engine.state.login_state is LoginState.LOGGED_OUT
        assert not rig.media.open


async def test_close_does_not_wait_for_a_service_that_is_silent(
    service: ScriptedService, hasty: pytest.MonkeyPatch
) -> None:
    hasty.undo()
    async with online(service) as (rig, line):
        await connect(rig, line)
        began = asyncio.get_running_loop().time()
        await rig.engine.close()
        assert asyncio.get_running_loop().time() - began < 4.0
        assert rig.names[-1] == "onCallEnd"


async def test_presence_is_asked_for_again_after_a_reconnect(service: ScriptedService) -> None:
    async with online(service) as (rig, line):
        asking = asyncio.create_task(rig.engine.get_users(subscribe=True))
        anna: dict[str, Any] = {"userId": "anna", "nickname": "", "avatar": "", "status": "online"}
        anna |= {"inCall": False, "platforms": ["web"]}
        await line.reply(await line.receive("getUsers"), users=[anna])
        assert [user.user_id for user in await asking] == ["anna"]
        line.drop()
        again = await service.line()
        await again.greet(resumed=True)
        await again.reply(await again.receive("getUsers"), users=[anna | {"status": "offline"}])
        assert (await rig.wait("onPresence")).data["status"] == "offline"
        await again.send({"type": "presence", "userId": "anna", "nickname": "", "status": "online"})
        assert (await rig.wait("onPresence", 2)).data["status"] == "online"


@covers("event:onError")
async def test_an_unreachable_service_is_told_once(service: ScriptedService) -> None:
    await service.stop()
    rig = Rig(service)
    await rig.engine.start()
    await rig.wait("onError")
    with pytest.raises(TimeoutError):
        await rig.engine.wait_online(0.5)
    assert rig.names == ["onError"]
    assert rig.engine.state.last_error
    await rig.engine.close()
