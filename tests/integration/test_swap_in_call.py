# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls bind to slots: what is behind one is swapped under a running call, and the call does not notice."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from callagent.agent.agent import Agent
from callagent.agent.trial_call import STEP_S
from callagent.cli.demo import agent_config, running_agent
from callagent.config import ServerConfig
from callagent.devices.virtual import VirtualCamera, VirtualMicrophone, VirtualSpeaker
from callagent.devices.virtual.tone_meter import tone_db
from callagent.ports import SourceState, VideoFrame
from callagent.protocol.enums import CallState, LoginState, MediaType
from callagent.server.serve import running_service
from tests.standstill import WATCH

VIRTUAL = dict.fromkeys(("camera", "microphone", "speaker"), "virtual")
LONGEST_GAP_S = 0.5


@dataclass
class Arrivals:
    """A screen beside the screen: when pictures came."""

    times: list[float] = field(default_factory=list)

    def put(self, frame: VideoFrame) -> None:
        self.times.append(time.monotonic())

    def longest_gap_s(self, since: float) -> float:
        return WATCH.longest_gap_s([since, *(moment for moment in self.times if moment >= since)])


@dataclass
class Pair:
    """Two agents in a video call; `there` listens to `here`."""

    here: Agent
    there: Agent
    arrivals: Arrivals

    @property
    def epoch(self) -> int:
        return self.there.engine.state.epoch

    async def sees(self, ident: int) -> None:
        await until(lambda: (code := self.there.studio.screen.last_code) is not None and code.ident == ident)

    async def hears(self, tone_hz: float) -> None:
        await until(lambda: (self.there.studio.heard_db(tone_hz) or 0) >= 20)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(STEP_S):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    config = ServerConfig.model_validate(
        {
            "listen": {"https": {"port": 0}, "http": {"port": 0}},
            "storage": {"directory": str(tmp_path)},
        }
    )
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(running_service(config))
        app_id = (await service.service.accounts.apps())[0].app_id
        agents = []
        for user, tone_hz in (("here", 1000.0), ("there", 1500.0)):
            settings = await agent_config(service, app_id, user, devices=VIRTUAL, tone_hz=tone_hz)
            agents.append(await stack.enter_async_context(running_agent(settings)))
        here, there = agents
        arrivals = Arrivals()
        screen_put = there.studio.screen.put

        def put(frame: VideoFrame) -> None:
            arrivals.put(frame)
            screen_put(frame)

        there.studio.screen.put = put  # type: ignore[method-assign]
        await until(lambda: all(a.engine.state.login_state is LoginState.ONLINE for a in agents))
        await here.engine.calls(["there"], MediaType.VIDEO)
        await until(lambda: there.engine.state.call_state is CallState.RINGING)
        await there.engine.accept()
        pair = Pair(here, there, arrivals)
        await pair.sees(1)
        await pair.hears(1000.0)
        yield pair


async def test_another_camera(pair: Pair) -> None:
    epoch, began = pair.epoch, time.monotonic()
    for ident in (9, 23, 7):
        pair.here.studio.camera.set_source(VirtualCamera(ident=ident))
        await pair.sees(ident)
    assert pair.arrivals.longest_gap_s(began) <= LONGEST_GAP_S
    assert pair.epoch == epoch, "the media was negotiated anew"


async def test_a_camera_that_dies_and_one_that_is_gone(pair: Pair) -> None:
    """Slates go on in its place; nothing is negotiated, and the other side sees why."""
    epoch, began = pair.epoch, time.monotonic()
    slot, screen = pair.here.studio.camera, pair.there.studio.screen
    camera = VirtualCamera(ident=9)
    slot.set_source(camera)
    await pair.sees(9)
    unreadable = screen.unreadable
    camera.fail("the cable fell out")
    await until(lambda: screen.unreadable > unreadable)
    assert slot.state in (SourceState.FAILED, SourceState.ABSENT)
    slot.set_source(None, "No camera is plugged in")
    assert (slot.state, slot.reason) == (SourceState.ABSENT, "No camera is plugged in")
    unreadable = screen.unreadable
    await until(lambda: screen.unreadable > unreadable + 3)
    slot.set_source(VirtualCamera(ident=11))
    await pair.sees(11)
    assert pair.arrivals.longest_gap_s(began) <= LONGEST_GAP_S
    assert pair.epoch == epoch


async def test_another_microphone_and_none(pair: Pair) -> None:
    epoch = pair.epoch
    slot = pair.here.studio.microphone
    slot.set_source(VirtualMicrophone(tone_hz=2000.0))
    await pair.hears(2000.0)
    slot.set_source(None, "No microphone is plugged in")
    await until(lambda: (pair.there.studio.heard_db(2000.0) or 0) < 1)
    slot.set_source(VirtualMicrophone(tone_hz=700.0))
    await pair.hears(700.0)
    assert pair.epoch == epoch


async def test_another_speaker_and_none(pair: Pair) -> None:
    epoch = pair.epoch
    slot = pair.there.studio.speaker
    slot.set_source(None, "No speaker is plugged in")
    # Nothing piles up while nobody plays: what comes out of the next one is of now.
    await asyncio.sleep(0.5)
    speaker = VirtualSpeaker(name="another-speaker")
    slot.set_source(speaker)
    await until(lambda: tone_db(speaker.recent(0.3), 1000.0) >= 20)
    assert pair.epoch == epoch


async def test_the_camera_is_switched_off_and_on(pair: Pair) -> None:
    epoch = pair.epoch
    await pair.here.set_camera(False)
    await until(lambda: not pair.there.engine.state.remote_video_available)
    assert pair.here.studio.camera.state is SourceState.OFF
    assert await asyncio.to_thread(pair.here.studio.camera.wait_closed, 5)
    await pair.here.set_camera(True)
    await until(lambda: pair.there.engine.state.remote_video_available)
    seen = pair.there.studio.screen.read
    await until(lambda: pair.there.studio.screen.read > seen + 5)
    assert pair.epoch == epoch
