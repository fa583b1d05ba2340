# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices come and go in a call between two whole agents, at real speed; the other side sees and hears on.

Only udev and the nodes are scripted: registry, selection, slots, encoders, WebRTC and service are real.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gpiozero.pins.mock import MockFactory
from numpy.typing import NDArray

from callagent.agent.agent import Agent
from callagent.agent.sign_in import identify
from callagent.agent.trial_call import STEP_S
from callagent.cli.demo import agent_config, running_agent
from callagent.config import AgentConfig, ServerConfig
from callagent.devices.virtual import framecode
from callagent.devices.virtual.scripted import ScriptedDevice, ScriptedHardware
from callagent.devices.virtual.tone_meter import tone_db
from callagent.media.slot_log import SlotEvent
from callagent.ports import SourceState, VideoFrame
from callagent.protocol import control as api
from callagent.protocol.enums import CallState, LoginState, MediaType
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.server.serve import running_service
from tests.covers import covers
from tests.standstill import WATCH

SLATE_LIMIT_S, NEXT_LIMIT_S, BACK_LIMIT_S = 0.2, 1.0, 1.0
PATH_S = 0.35
"""What encoding, the network and a busy test machine may add on the way to the other side's screen."""
FRONT, SPARE = "Front", "Spare"


class Scene:
    """A kiosk on scripted devices in a video call with an agent on virtual ones."""

    def __init__(self, kiosk: Agent, other: Agent, hardware: ScriptedHardware) -> None:
        self.kiosk, self.other, self.hardware = kiosk, other, hardware
        self.pictures: list[tuple[float, int | None]] = []
        """When each picture reached the other side's screen, and whose it was; None: a slate."""
        screen_put = other.studio.screen.put

        def put(frame: VideoFrame) -> None:
            code = framecode.read_frame(frame)
            self.pictures.append((time.monotonic(), None if code is None else code.ident))
            screen_put(frame)

        other.studio.screen.put = put  # type: ignore[method-assign]

    async def until(self, condition: Callable[[], bool]) -> float:
        """Wait for it; returns when it was seen to hold."""
        async with asyncio.timeout(STEP_S):
            while not condition():
                await asyncio.sleep(0.01)
        return time.monotonic()

    async def other_sees(self, ident: int | None) -> float:
        """Until a picture of that camera (None: a slate) arrives from now on; when it came."""
        count = len(self.pictures)
        found: list[float] = []

        def came() -> bool:
            found.extend(moment for moment, whose in self.pictures[count:] if whose == ident)
            return bool(found)

        await self.until(came)
        return found[0]

    async def other_hears(self, tone_hz: float) -> float:
        return await self.until(lambda: (self.other.studio.heard_db(tone_hz) or 0) >= 20)

    async def is_heard_at(self, card: ScriptedDevice, tone_hz: float = 1500.0) -> float:
        def heard() -> bool:
            sound: NDArray[np.int16] = card.recent(0.3)
            return len(sound) > 4800 and tone_db(sound, tone_hz) >= 20

        return await self.until(heard)

    def longest_gap_s(self, since: float) -> float:
        return WATCH.longest_gap_s([since, *(moment for moment, _ in self.pictures if moment >= since)])


async def connect(caller: Agent, callee: Agent) -> None:
    await caller.engine.calls([callee.user_id], MediaType.VIDEO)
    async with asyncio.timeout(STEP_S):
        while callee.engine.state.call_state is not CallState.RINGING:
            await asyncio.sleep(0.01)
    await callee.engine.accept()


def devices(config: AgentConfig, **sections: Any) -> AgentConfig:
    """The same agent with real device sections in place of the virtual ones."""
    plain = config.model_dump(mode="python", by_alias=True, include={"service", "identity"})
    return AgentConfig.model_validate(plain | sections)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    config = ServerConfig.model_validate(
        {"listen": {"https": {"port": 0}, "http": {"port": 0}}, "storage": {"directory": str(tmp_path)}}
    )
    hardware = ScriptedHardware()
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(running_service(config))
        app_id = (await service.service.accounts.apps())[0].app_id
        virtual = dict.fromkeys(("camera", "microphone", "speaker"), "virtual")
        other = await stack.enter_async_context(
            running_agent(await agent_config(service, app_id, "other", devices=virtual, tone_hz=1500.0))
        )
        named = [{"name": f"{FRONT}*"}, {"name": "*"}]
        settings = devices(
            await agent_config(service, app_id, "kiosk", devices=virtual),
            camera={"device": named, "back": [{"name": SPARE}], "rotation": 0},
            microphone={"device": named},
            speaker={"device": named},
            buttons=[{"name": "lever", "gpio": {"line": "GPIO6"}, "switch": "privacy", "debounce_ms": 0}],
        )
        factory = MockFactory()
        kiosk = Agent(
            settings, await identify(settings), udev=hardware.udev, nodes=hardware, gpio_factory=factory
        )
        stack.push_async_callback(kiosk.close)
        await kiosk.start()
        async with asyncio.timeout(STEP_S):
            while any(each.engine.state.login_state is not LoginState.ONLINE for each in (kiosk, other)):
                await asyncio.sleep(0.01)
        made = Scene(kiosk, other, hardware)
        await connect(other, kiosk)
        await made.other_sees(None)
        yield made


async def test_a_camera_is_pulled_and_plugged_into_another_port(scene: Scene) -> None:
    epoch = scene.other.engine.state.epoch
    camera = scene.hardware.new_camera(FRONT, serial="A1", ident=7)
    began = time.monotonic()
    camera.plug("1")
    assert await scene.other_sees(7) - began <= BACK_LIMIT_S + PATH_S
    for port in ("4", "1"):
        pulled = time.monotonic()
        camera.unplug()
        assert await scene.other_sees(None) - pulled <= SLATE_LIMIT_S + PATH_S
        plugged = time.monotonic()
        camera.plug(port)
        assert await scene.other_sees(7) - plugged <= BACK_LIMIT_S + PATH_S
    assert scene.longest_gap_s(began) <= 0.6, "pictures never stop"
    assert scene.other.engine.state.epoch == epoch, "nothing was negotiated anew"


async def test_the_spare_camera_steps_in_and_the_better_one_takes_over_without_a_slate(scene: Scene) -> None:
    front = scene.hardware.new_camera(FRONT, serial="A1", ident=7)
    spare = scene.hardware.new_camera(SPARE, serial="B2", ident=9)
    front.plug("1")
    spare.plug("2")
    await scene.other_sees(7)
    pulled = time.monotonic()
    front.unplug()
    assert await scene.other_sees(9) - pulled <= NEXT_LIMIT_S + PATH_S
    seen = len(scene.pictures)
    front.plug("3")
    await scene.other_sees(7)
    assert None not in [whose for _, whose in scene.pictures[seen:]]


async def test_a_stalled_camera_is_replaced_and_said(scene: Scene) -> None:
    front = scene.hardware.new_camera(FRONT, ident=7)
    spare = scene.hardware.new_camera(SPARE, ident=9)
    front.plug("1")
    spare.plug("2")
    await scene.other_sees(7)
    front.freeze()
    await scene.other_sees(9)
    status = await scene.kiosk.status()
    assert any("gives no picture" in problem for problem in status.problems)
    assert status.slots["camera"].details["stalled"] >= 1


async def test_a_headset_is_pulled_and_plugged(scene: Scene) -> None:
    epoch = scene.other.engine.state.epoch
    headset = scene.hardware.new_card(FRONT, serial="H1", tone_hz=2000.0)
    built_in = scene.hardware.new_card(SPARE, tone_hz=700.0)
    built_in.plug("9")
    await scene.other_hears(700.0)
    await scene.is_heard_at(built_in)
    headset.plug("1")
    await scene.other_hears(2000.0)
    await scene.is_heard_at(headset)
    headset.unplug()
    await scene.other_hears(700.0)
    await scene.is_heard_at(built_in)
    headset.plug("5")
    await scene.other_hears(2000.0)
    await scene.is_heard_at(headset)
    assert scene.other.engine.state.epoch == epoch
    gaps = [
        slot.log.last_gap_s or 0.0 for slot in (scene.kiosk.studio.microphone, scene.kiosk.studio.speaker)
    ]
    assert max(gaps) <= NEXT_LIMIT_S


async def test_volume_and_mute_outlive_a_plug(scene: Scene) -> None:
    """What users hit, 12: volume, route and mute reset by hot-plug."""
    headset = scene.hardware.new_card(FRONT, serial="H1", tone_hz=2000.0)
    headset.plug("1")
    await scene.other_hears(2000.0)
    await scene.kiosk.set_volume(api.VolumeRequest(volume=40))
    await scene.kiosk.set_microphone(False)
    headset.unplug()
    headset.plug("2")
    await scene.is_heard_at(headset)
    assert scene.kiosk.studio.speaker.volume == 40
    assert scene.kiosk.studio.microphone.muted
    await scene.until(lambda: (scene.other.studio.heard_db(2000.0) or 0) < 3)


@covers("api:getDeviceList", "api:switchDevice", "event:DEVICED_UPDATED")
async def test_the_device_list_is_never_stale(scene: Scene) -> None:
    """What users hit, 3: the device listed as current is not the one in use."""
    told: list[dict[str, Any]] = []
    scene.kiosk._tell = lambda name, data: told.append(data) if name == api.DEVICE_CHANGED_EVENT else None  # type: ignore[method-assign]
    front = scene.hardware.new_camera(FRONT, serial="A1", ident=7)
    spare = scene.hardware.new_camera(SPARE, serial="B2", ident=9)
    front.plug("1")
    spare.plug("2")
    await scene.other_sees(7)
    listed = await scene.kiosk.devices()
    by_name = {camera.name: camera for camera in listed.cameras}
    assert listed.current.camera == by_name[FRONT].id
    assert (by_name[FRONT].in_use, by_name[SPARE].in_use) == (True, False)
    await scene.kiosk.select(api.SelectRequest(slot="camera", device_id=by_name[SPARE].id))
    await scene.other_sees(9)
    assert (await scene.kiosk.devices()).current.camera == by_name[SPARE].id
    spare.unplug()
    await scene.other_sees(7)
    after = await scene.kiosk.devices()
    assert [camera.name for camera in after.cameras] == [FRONT]
    assert after.current.camera == by_name[FRONT].id
    await scene.until(lambda: bool(told) and told[-1] == after.wire())
    with pytest.raises(CallAgentError) as refused:
        await scene.kiosk.select(api.SelectRequest(slot="camera", device_id="nonsense"))
    assert refused.value.code is ErrorCode.PARAM_INVALID


@covers("api:switchCamera")
async def test_front_and_back_camera_for_this_call_only(scene: Scene) -> None:
    scene.hardware.new_camera(FRONT, ident=7).plug("1")
    scene.hardware.new_camera(SPARE, ident=9).plug("2")
    await scene.other_sees(7)
    await scene.kiosk.switch_camera(api.SideRequest())
    await scene.other_sees(9)
    await scene.kiosk.engine.hangup()
    await scene.until(lambda: scene.other.engine.state.call_state is CallState.IDLE)
    await connect(scene.other, scene.kiosk)
    await scene.other_sees(7)


async def test_privacy_closes_the_devices_and_nobody_remote_has_them_back(scene: Scene) -> None:
    camera = scene.hardware.new_camera(FRONT, ident=7)
    headset = scene.hardware.new_card(FRONT, tone_hz=2000.0)
    camera.plug("1")
    headset.plug("2")
    await scene.other_sees(7)
    await scene.other_hears(2000.0)
    scene.kiosk.panel._factory.pin("GPIO6").drive_high()  # type: ignore[union-attr]
    await scene.other_sees(None)
    await scene.until(lambda: camera.closed == 1)
    await scene.until(lambda: scene.other.engine.state.members[0].privacy)
    await scene.until(lambda: (scene.other.studio.heard_db(2000.0) or 0) < 3)
    assert scene.kiosk.studio.camera.reason == "Privacy is on"
    for work in (scene.kiosk.set_camera(True), scene.kiosk.set_microphone(True)):
        with pytest.raises(CallAgentError) as refused:
            await work
        assert refused.value.code is ErrorCode.REQUEST_REFUSED
    assert (await scene.kiosk.set_privacy(False)).enabled, "the lever keeps it on"
    opened = camera.opened
    scene.kiosk.panel._factory.pin("GPIO6").drive_low()  # type: ignore[union-attr]
    await scene.other_sees(7)
    await scene.other_hears(2000.0)
    assert camera.opened == opened + 1
    await scene.until(lambda: scene.other.engine.state.remote_video_available)


async def test_a_hung_driver_never_blocks_the_loop(scene: Scene) -> None:
    front = scene.hardware.new_camera(FRONT, ident=7)
    spare = scene.hardware.new_camera(SPARE, ident=9)
    front.plug("1")
    await scene.other_sees(7)
    slowest = 0.0

    async def beat() -> None:
        nonlocal slowest
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            slowest = max(slowest, time.monotonic() - before)

    heart = asyncio.create_task(beat())
    front.let_close.clear()
    try:
        spare.plug("2")
        front.unplug()
        await scene.other_sees(9)
        assert slowest < 0.5
    finally:
        heart.cancel()
        front.let_close.set()


async def test_ringing_moves_to_the_speaker_that_is_left(scene: Scene) -> None:
    first, second = (scene.hardware.new_card(name, tone_hz=None) for name in (FRONT, SPARE))
    first.plug("1")
    second.plug("2")
    await scene.kiosk.engine.hangup()
    await scene.until(lambda: scene.other.engine.state.call_state is CallState.IDLE)
    await scene.other.engine.calls(["kiosk"], MediaType.AUDIO)

    def rings(card: ScriptedDevice) -> bool:
        sound = card.recent(1.0)
        return len(sound) > 9600 and int(np.abs(sound).max()) > 1000

    await scene.until(lambda: rings(first))
    first.unplug()
    await scene.until(lambda: rings(second))
    assert scene.kiosk.engine.state.call_state is CallState.RINGING


async def test_an_audio_call_opens_no_camera_however_many_come(scene: Scene) -> None:
    await scene.kiosk.engine.hangup()
    await scene.until(lambda: scene.other.engine.state.call_state is CallState.IDLE)
    await scene.other.engine.calls(["kiosk"], MediaType.AUDIO)
    await scene.until(lambda: scene.kiosk.engine.state.call_state is CallState.RINGING)
    await scene.kiosk.engine.accept()
    camera = scene.hardware.new_camera(FRONT, ident=7)
    for port in "123":
        camera.plug(port)
        await scene.until(lambda: scene.kiosk.studio.bindings["camera"].chosen is not None)
        camera.unplug()
        await scene.until(lambda: scene.kiosk.studio.bindings["camera"].chosen is None)
    assert camera.opened == 0
    assert scene.kiosk.studio.camera.state is SourceState.OFF
    assert scene.kiosk.studio.camera.log.counts[SlotEvent.OPENING] == 0


async def test_a_warm_camera_is_open_while_it_rings_and_nothing_is_sent(scene: Scene) -> None:
    await scene.kiosk.engine.hangup()
    await scene.until(lambda: scene.other.engine.state.call_state is CallState.IDLE)
    camera = scene.hardware.new_camera(FRONT, ident=7)
    camera.plug("1")
    pictures = len(scene.pictures)
    scene.kiosk.studio._config = scene.kiosk.studio._config.model_copy(
        update={"camera": scene.kiosk.studio._config.camera.model_copy(update={"warm": "ringing"})}
    )
    await scene.other.engine.calls(["kiosk"], MediaType.VIDEO)
    await scene.until(lambda: scene.kiosk.studio.camera.state is SourceState.LIVE)
    assert scene.kiosk.engine.state.call_state is CallState.RINGING
    assert len(scene.pictures) == pictures
    await scene.kiosk.engine.accept()
    await scene.other_sees(7)
    assert camera.opened == 1
    await scene.kiosk.engine.hangup()
    await scene.until(lambda: camera.closed == 1)


async def test_the_picture_is_turned_upright_for_the_other_side(scene: Scene) -> None:
    scene.hardware.new_camera(FRONT, ident=7).plug("1")
    await scene.other_sees(7)
    scene.kiosk.studio.local.orientation = "auto"
    scene.kiosk.studio.camera.rotation = 90

    def stands_on_its_side() -> bool:
        frame = scene.other.studio.screen.last_frame
        return frame is not None and frame.height > frame.width

    await scene.until(stands_on_its_side)
    scene.kiosk.studio.camera.rotation = 0
    await scene.other_sees(7)


async def test_screen_and_camera_follow_the_display_and_the_box(scene: Scene) -> None:
    """The other side sees it upright however the box is turned; nothing is negotiated."""
    told: list[dict[str, Any]] = []

    def tell(name: str, data: dict[str, Any]) -> None:
        if name == api.ORIENTATION_CHANGED_EVENT:
            told.append(data)

    scene.kiosk._tell = tell  # type: ignore[method-assign]
    epoch = scene.other.engine.state.epoch
    scene.kiosk.studio.local.orientation = "auto"
    scene.hardware.new_camera(FRONT, ident=7).plug("1")
    scene.hardware.new_camera(SPARE, ident=9).plug("2")
    await scene.other_sees(7)
    scene.hardware.new_display("DSI-1").plug("800x480")
    chip = scene.hardware.new_accelerometer()
    upright = "display DSI-1 is 800x480, accelerometer says normal"
    await scene.until(lambda: bool(told) and told[-1]["reason"] == upright)

    def shape() -> tuple[int, int]:
        frame = scene.other.studio.screen.last_frame
        assert frame is not None
        return (frame.width, frame.height)

    wide = shape()
    chip.gravity = (9.81, 0, 0)
    await scene.until(lambda: shape() == wide[::-1])
    status = (await scene.kiosk.status()).orientation
    assert status is not None
    assert status.wire() == told[-1]
    assert (status.screen, status.camera_rotation) == ("portrait", 270)
    # The other camera looks the other way.
    await scene.kiosk.switch_camera(api.SideRequest())
    status = (await scene.kiosk.status()).orientation
    assert status is not None
    assert status.camera_rotation == 90
    await scene.kiosk.switch_camera(api.SideRequest())
    chip.gravity = (0, -9.81, 0)
    await scene.other_sees(7)
    assert shape() == wide
    assert told[-1]["cameraRotation"] == 0
    assert scene.other.engine.state.epoch == epoch


@covers("api:selectAudioPlaybackDevice")
async def test_sound_leaves_a_display_that_goes_and_returns_to_it(scene: Scene) -> None:
    television, spare = (
        scene.hardware.new_card(FRONT, tone_hz=None),
        scene.hardware.new_card(SPARE, tone_hz=None),
    )
    television.plug("1")
    spare.plug("2")
    await scene.is_heard_at(television)
    gone = time.monotonic()
    television.connect_display(takes_sound=False)
    assert await scene.is_heard_at(spare) - gone <= NEXT_LIMIT_S + PATH_S
    listed = await scene.kiosk.devices()
    by_name = {speaker.name: speaker for speaker in listed.speakers}
    assert (by_name[FRONT].plugged, by_name[FRONT].in_use, by_name[SPARE].in_use) == (False, False, True)
    # Not by hand either.
    await scene.kiosk.select(api.SelectRequest(slot="speaker", device_id=by_name[FRONT].id))
    assert (await scene.kiosk.devices()).current.speaker == by_name[SPARE].id
    await scene.kiosk.select(api.SelectRequest(slot="speaker"))
    back = time.monotonic()
    television.connect_display(takes_sound=True)
    assert await scene.is_heard_at(television) - back <= BACK_LIMIT_S + PATH_S
    television.connect_display(takes_sound=False)
    spare.unplug()
    await scene.until(lambda: scene.kiosk.studio.speaker.state is SourceState.ABSENT)
    assert scene.kiosk.studio.speaker.reason == "No speaker has anything connected that takes sound"
