# SPDX-License-Identifier: GPL-3.0-or-later
"""Two kiosks and the service, each a process of its own: whole calls, and what happens when one is killed."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from callagent.devices.virtual.tone_meter import tone_db
from callagent.ports import Stage
from callagent.protocol import control as api
from callagent.protocol.enums import CallResult, LoginState, MediaType, RecentCallResult
from tests.covers import covers
from tests.listening import samples
from tests.programs import Kiosk, Service, running, until

TONES_HZ = {"anna": 1000.0, "ben": 1500.0}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    service = Service(tmp_path)
    async with running(service):
        yield service


def kiosk(service: Service, user: str, **sections: Any) -> Kiosk:
    tone = {"microphone": {"virtual": {"tone_hz": TONES_HZ[user]}}}
    return Kiosk(user, service.ticket(user), service.http_url, service.folder, **(tone | sections))


async def connect(caller: Kiosk, callee: Kiosk) -> None:
    async with caller.client() as control:
        await control.call([callee.user])
    await callee.until_state("ringing")
    async with callee.client() as control:
        await control.answer()
    for side in (caller, callee):
        await side.until_state("connected")


async def media_flows(listener: Kiosk, speaker: Kiosk) -> None:
    """New pictures with rising counters, and the other side's tone, arrive at the listener."""
    had = len(listener.seen())

    async def pictures() -> bool:
        return len(listener.seen()) >= had + 15

    await until(pictures, 20, lambda: f"{len(listener.seen()) - had} pictures\n{listener.program.tail()}")
    counters = [picture["counter"] for picture in listener.seen()[had:]]
    assert counters == sorted(set(counters))

    async def tone() -> bool:
        return tone_db(samples(listener.sound, 0.5), TONES_HZ[speaker.user]) >= 20

    await until(tone, 10, lambda: f"no tone at {listener.user}\n{listener.program.tail()}")


async def last_record(kiosk: Kiosk) -> Any:
    async with kiosk.client() as control:
        return (await control.history(limit=1)).calls[0]


@pytest.mark.parametrize("codec", ["H264", "VP8"])
@pytest.mark.smoke
async def test_a_whole_call_between_two_kiosks(service: Service, codec: str) -> None:
    video = {"video": {"codecs": [codec]}}
    anna, ben = kiosk(service, "anna", **video), kiosk(service, "ben", **video)
    async with running(anna, ben):
        await connect(anna, ben)
        await media_flows(ben, anna)
        await media_flows(anna, ben)
        status = await anna.until_state("connected")
        assert codec in str(status.media), status.media
        async with anna.client() as control:
            stats = await control.stats(1.0)
        assert [each.stage for each in stats.stages] == list(Stage)
        assert min(each.count for each in stats.stages) >= 5
        async with ben.client() as control:
            await control.hangup()
        for side in (anna, ben):
            status = await side.until_state("idle")
            assert {name: slot.state for name, slot in status.slots.items() if name != "speaker"} == {
                "camera": api.SlotState.OFF,
                "microphone": api.SlotState.OFF,
            }
        record = await last_record(anna)
        assert (record.call_result, record.result) == (CallResult.NORMAL_END, RecentCallResult.OUTGOING)
        assert record.total_time > 0


@covers(
    "event:onUserVoiceVolumeChanged",
    "event:onUserVoiceVolumeChanged.volumeMap",
    "event:onUserNetworkQualityChanged",
    "event:onUserNetworkQualityChanged.networkQualityList",
)
async def test_how_loud_and_how_good_is_told(service: Service) -> None:
    anna, ben = kiosk(service, "anna"), kiosk(service, "ben")
    async with running(anna, ben):
        await connect(anna, ben)
        told: dict[str, dict[str, Any]] = {}
        async with asyncio.timeout(20), anna.client() as control:
            async for message in control.events():
                told[message.event] = message.data
                loud = told.get("onUserVoiceVolumeChanged", {}).get("volumeMap", {})
                graded = told.get("onUserNetworkQualityChanged", {}).get("networkQualityList", [])
                good = {each["userId"]: each["quality"] for each in graded}
                if min(loud.get("anna", 0), loud.get("ben", 0)) > 20 and good.get("ben") == 1:
                    break
        assert set(loud) == set(good) == {"anna", "ben"}


async def test_an_audio_call_opens_no_camera(service: Service) -> None:
    anna, ben = kiosk(service, "anna"), kiosk(service, "ben")
    async with running(anna, ben):
        async with anna.client() as control:
            await control.call(["ben"], media_type=MediaType.AUDIO)
        await ben.until_state("ringing")
        async with ben.client() as control:
            await control.answer()
        status = await ben.until(
            lambda status: status.slots["microphone"].state is api.SlotState.LIVE, "microphone not live"
        )
        assert status.slots["camera"].state is api.SlotState.OFF

        async def tone() -> bool:
            return tone_db(samples(ben.sound, 0.5), TONES_HZ["anna"]) >= 20

        await until(tone, 10, ben.program.tail)
        assert ben.seen() == []


async def test_mute_and_camera_off_are_for_this_call_only(service: Service) -> None:
    """Behaviour.md, what users hit, 2: the second call inherits the first one's state."""
    anna, ben = kiosk(service, "anna"), kiosk(service, "ben")
    async with running(anna, ben):
        await connect(anna, ben)
        await media_flows(ben, anna)
        async with anna.client() as control:
            await control.set_microphone(False)
            await control.set_camera(False)
        await ben.until(
            lambda status: (
                status.call is not None
                and not status.call.peers[0].audio_available
                and not status.call.peers[0].video_available
            ),
            "ben was not told",
        )
        status = await anna.until_state("connected")
        assert status.slots["camera"].state is api.SlotState.OFF

        async def silent() -> bool:
            heard = samples(ben.sound, 0.3)
            return len(heard) > 0 and int(abs(heard).max()) <= 2

        await until(silent, 10, ben.program.tail)
        async with anna.client() as control:
            await control.hangup()
        await ben.until_state("idle")
        await anna.until_state("idle")
        await connect(ben, anna)
        await media_flows(ben, anna)


async def test_reject_and_cancel_are_told_and_recorded(service: Service) -> None:
    anna, ben = kiosk(service, "anna"), kiosk(service, "ben")
    async with running(anna, ben):
        for by, result, seen_as in (
            (ben, CallResult.REJECT, RecentCallResult.INCOMING),
            (anna, CallResult.CANCEL, RecentCallResult.MISSED),
        ):
            async with anna.client() as control:
                await control.call(["ben"])
            await ben.until_state("ringing")
            async with by.client() as control:
                await control.hangup()
            for side in (anna, ben):
                await side.until_state("idle")
            assert (await last_record(anna)).call_result == result
            assert (await last_record(ben)).result == seen_as


async def test_a_policy_answers_by_itself(service: Service) -> None:
    anna = kiosk(service, "anna")
    ben = kiosk(service, "ben", answer={"mode": "auto", "from": ["anna"], "delay_s": 0.5})
    async with running(anna, ben):
        async with anna.client() as control:
            await control.call(["ben"])
        for side in (anna, ben):
            await side.until_state("connected")
        await media_flows(anna, ben)


async def test_the_service_is_killed_while_it_rings(service: Service) -> None:
    """The ring timer is durable: ringing ends on time, although the service died in between."""
    anna, ben = kiosk(service, "anna"), kiosk(service, "ben")
    async with running(anna, ben):
        began = time.monotonic()
        async with anna.client() as control:
            await control.call(["ben"], timeout_s=10)
        await ben.until_state("ringing")
        service.program.kill()
        await service.start()
        for side in (anna, ben):
            await side.until_state("idle", 20)
        took = time.monotonic() - began
        assert 9.5 <= took <= 14, took
        for side in (anna, ben):
            await side.until(lambda status: status.login is LoginState.ONLINE, "not back")
        assert (await last_record(anna)).call_result == CallResult.NOT_ANSWER


async def test_the_service_is_killed_in_a_call(service: Service) -> None:
    """Media goes on while the service is away; the hang-up afterwards is recorded."""
    anna, ben = kiosk(service, "anna"), kiosk(service, "ben")
    async with running(anna, ben):
        await connect(anna, ben)
        await media_flows(ben, anna)
        service.program.kill()
        await ben.until(lambda status: status.login is not LoginState.ONLINE, "did not notice")
        await media_flows(ben, anna)
        await media_flows(anna, ben)
        await service.start()
        for side in (anna, ben):
            await side.until(lambda status: status.login is LoginState.ONLINE, "not back", 30)
            await side.until_state("connected")
        async with anna.client() as control:
            await control.hangup()
        await ben.until_state("idle")
        assert (await last_record(ben)).call_result == CallResult.NORMAL_END


async def test_an_agent_is_killed_in_a_call(service: Service) -> None:
    """The program started anew means the old session is lost: the other side is told at once."""
    anna, ben = kiosk(service, "anna"), kiosk(service, "ben")
    async with running(anna, ben):
        await connect(anna, ben)
        await media_flows(ben, anna)
        anna.program.kill()
        await anna.start()
        await ben.until_state("idle")
        record = await last_record(ben)
        assert record.call_result == CallResult.INTERRUPT
        await connect(ben, anna)
        await media_flows(anna, ben)


async def test_an_agent_that_never_comes_back_is_lost_after_its_time(service: Service) -> None:
    anna, ben = kiosk(service, "anna"), kiosk(service, "ben")
    async with running(anna, ben):
        await connect(anna, ben)
        async with _events_of(ben) as events:
            anna.program.kill()
            await ben.until_state("idle", 45)
            end = await _end_event(events)
        assert (end.event, end.data["reason"], end.data["userId"]) == ("onCallEnd", 4, "anna")
        assert (await last_record(ben)).call_result == CallResult.INTERRUPT


async def test_sigterm_hangs_up_with_an_end_event(service: Service) -> None:
    anna, ben = kiosk(service, "anna"), kiosk(service, "ben")
    async with running(anna, ben):
        await connect(anna, ben)
        async with _events_of(ben) as events:
            began = time.monotonic()
            assert await anna.program.stop() == 0
            assert time.monotonic() - began < 5
            end = await _end_event(events)
        assert (end.event, end.data["reason"], end.data["userId"]) == ("onCallEnd", 1, "anna")
        assert not anna.socket.exists()
        assert (await last_record(ben)).call_result == CallResult.NORMAL_END


@contextlib.asynccontextmanager
async def _events_of(kiosk: Kiosk) -> AsyncIterator[AsyncIterator[api.EventMessage]]:
    """All of its events from now on: the first message tells that nothing is missed any more."""
    async with kiosk.client() as control, contextlib.aclosing(control.events()) as events:
        async with asyncio.timeout(60):
            assert (await anext(events)).event == api.STATUS_EVENT
        yield events


async def _end_event(events: AsyncIterator[api.EventMessage]) -> api.EventMessage:
    async with asyncio.timeout(60):
        async for message in events:
            if message.event in ("onCallEnd", "onCallNotConnected"):
                return message
    raise AssertionError("the agent ended its events")
