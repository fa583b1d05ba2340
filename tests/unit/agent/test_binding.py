# SPDX-License-Identifier: GPL-3.0-or-later
"""A binding keeps the best device behind its slot: real slots and registry, scripted devices."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from callagent.agent import candidates as rules
from callagent.agent.binding import Binding, Wanted
from callagent.config.selectors import DeviceSelector
from callagent.devices.errors import CAMERA_OCCUPY
from callagent.devices.inventory import DeviceInfo, DeviceKind
from callagent.devices.registry import Registry
from callagent.devices.settings import CameraSettings
from callagent.devices.virtual import VirtualMicrophone, framecode
from callagent.devices.virtual.scripted import ScriptedDevice, ScriptedHardware
from callagent.media import CameraSlot, MicrophoneSlot
from callagent.media.slot_log import SlotEvent
from callagent.ports import SourceError, SourceState, VideoFrame, VideoMode, VideoSource

DEADLINE_S = 10.0
MODE = VideoMode(320, 240, 30)
BETTER, WORSE = "Better", "Worse"
SELECTORS = [DeviceSelector(name="Better*"), DeviceSelector(name="*")]


class Rig:
    """A camera slot bound to scripted cameras, and what it gives."""

    def __init__(self, **wanted: object) -> None:
        self.hardware = ScriptedHardware()
        self.registry = Registry(self.hardware.udev)
        self.slot = CameraSlot()
        self.changes = 0
        self.idents: list[int | None] = []
        """Of every picture; None for a slate."""
        self.times: list[float] = []
        settings = Wanted(DeviceKind.CAMERA, SELECTORS, economies=1)
        self.binding: Binding[VideoSource] = Binding(
            self.slot,
            self.registry,
            Wanted(**({name: getattr(settings, name) for name in Wanted.__slots__} | wanted)),
            lambda choice: self.hardware.camera(choice.device, CameraSettings(economy=choice.economy)),
            self._changed,
        )
        self.slot.on_change = self.binding.slot_changed
        self.slot.subscribe(self)

    def put(self, frame: VideoFrame) -> None:
        code = framecode.read_frame(frame)
        self.idents.append(None if code is None else code.ident)
        self.times.append(time.monotonic())

    def _changed(self) -> None:
        self.changes += 1

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.005)

    async def sees(self, ident: int | None) -> None:
        count = len(self.idents)
        await self.until(lambda: len(self.idents) > count and self.idents[-1] == ident)

    async def says(self, problem: str) -> None:
        """The slot's word comes to the binding after the picture has come to us."""
        await self.until(lambda: bool(self.binding.problems) and problem in self.binding.problems[0])

    def camera(self, name: str, ident: int, serial: str = "") -> ScriptedDevice:
        return self.hardware.new_camera(name, ident=ident, serial=serial)

    async def start(self) -> None:
        await self.registry.start()
        self.binding.start()
        self.slot.start(MODE)

    async def close(self) -> None:
        self.binding.close()
        self.slot.stop()
        await self.registry.close()
        assert await asyncio.to_thread(self.slot.wait_closed, 5)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    yield made
    await made.close()


async def test_without_a_camera_then_with_one_then_a_better_one(rig: Rig) -> None:
    await rig.start()
    await rig.sees(None)
    assert rig.slot.reason == "No camera is plugged in"
    worse, better = rig.camera(WORSE, 1), rig.camera(BETTER, 2)
    worse.plug("1")
    await rig.sees(1)
    since = len(rig.idents)
    better.plug("2")
    await rig.sees(2)
    assert None not in rig.idents[since:], "no slate while the better one took over"
    await rig.until(lambda: worse.closed == 1)  # on a thread, once nobody needs it
    since = len(rig.idents)
    better.unplug()
    await rig.sees(1)
    assert rig.idents[since:].count(None) <= 3
    worse.unplug()
    await rig.sees(None)
    assert rig.slot.reason == "No camera is plugged in"
    assert rig.binding.chosen is None


async def test_back_in_another_port_it_is_the_same_camera(rig: Rig) -> None:
    camera = rig.camera(BETTER, 3, serial="A1")
    camera.plug("1")
    await rig.start()
    await rig.sees(3)
    for port in ("2", "1", "7"):
        camera.unplug()
        await rig.sees(None)
        camera.plug(port)
        await rig.sees(3)
        assert rig.binding.chosen is not None
        assert rig.binding.chosen.port.endswith(f":{port}:1.0")


async def test_a_node_that_dies_before_udev_says_so(rig: Rig) -> None:
    better, worse = rig.camera(BETTER, 1), rig.camera(WORSE, 2)
    better.plug("1")
    worse.plug("2")
    await rig.start()
    await rig.sees(1)
    better.unplug(tell=False)
    await rig.sees(2)
    better.tell_unplugged()
    better.plug("3")
    await rig.sees(1)


@pytest.mark.parametrize("spare", [False, True])
async def test_a_loss_that_udev_tells_first_counts_too(rig: Rig, spare: bool) -> None:
    better, worse = rig.camera(BETTER, 1), rig.camera(WORSE, 2)
    better.plug("1")
    if spare:
        worse.plug("2")
    await rig.start()
    await rig.sees(1)
    better.unplug(die=False)
    await rig.sees(2 if spare else None)
    assert rig.slot.log.counts[SlotEvent.LOST] == 1


async def test_an_occupied_one_is_passed_over_and_used_when_it_is_free(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "FIRST_PAUSE_S", 0.1)
    better, worse = rig.camera(BETTER, 1), rig.camera(WORSE, 2)
    better.refusal = SourceError("Better is in use by obs (pid 7)", CAMERA_OCCUPY)
    better.plug("1")
    worse.plug("2")
    await rig.start()
    await rig.sees(2)
    await rig.until(lambda: rig.binding.problems == ["Better is in use by obs (pid 7)"])
    # Tried again and again, without a slate in between.
    since = len(rig.idents)
    await rig.until(lambda: better.opened >= 3)
    assert set(rig.idents[since:]) == {2}
    better.refusal = None
    await rig.sees(1)
    assert None not in rig.idents[since:]
    await rig.until(lambda: rig.binding.problems == [])


async def test_a_stalled_one_is_opened_in_a_smaller_mode_then_replaced(rig: Rig) -> None:
    better, worse = rig.camera(BETTER, 1), rig.camera(WORSE, 2)
    better.plug("1")
    worse.plug("2")
    await rig.start()
    await rig.sees(1)
    better.freeze()
    await rig.sees(2)
    assert better.opened >= 2
    await rig.says("gives no picture")
    better.thaw()
    await rig.sees(1)
    assert rig.slot.mode == VideoMode(160, 120, 30), "as carefully as it was opened last"
    await rig.says("smaller mode")
    rig.slot.stop()
    rig.binding.as_configured()
    rig.slot.start(MODE)
    await rig.until(lambda: rig.slot.mode == MODE)


async def test_too_little_usb_bandwidth_means_a_smaller_mode(rig: Rig) -> None:
    camera = rig.camera(BETTER, 1)
    camera.refuses_economy_below = 1
    camera.plug("1")
    await rig.start()
    await rig.until(lambda: rig.slot.mode == VideoMode(160, 120, 30))
    await rig.says("bandwidth")


async def test_a_hung_driver_holds_up_nobody(rig: Rig) -> None:
    better, worse = rig.camera(BETTER, 1), rig.camera(WORSE, 2)
    better.plug("1")
    worse.plug("2")
    await rig.start()
    await rig.sees(1)
    better.let_close.clear()
    try:
        began = time.monotonic()
        better.unplug()
        await rig.sees(2)
        assert time.monotonic() - began < 1.0
    finally:
        better.let_close.set()


async def test_chosen_by_hand_and_back_as_configured(rig: Rig) -> None:
    better, worse = rig.camera(BETTER, 1), rig.camera(WORSE, 2)
    better.plug("1")
    worse.plug("2")
    await rig.start()
    await rig.sees(1)
    (device,) = [device for device in rig.binding.ranked if device.name == WORSE]
    rig.binding.prefer(device.id)
    await rig.sees(2)
    rig.binding.prefer(None)
    await rig.sees(1)
    rig.binding.select([DeviceSelector(name=WORSE)])
    await rig.sees(2)
    rig.binding.as_configured()
    await rig.sees(1)
    assert rig.changes >= 4


async def test_privacy_closes_the_device_and_nothing_opens_it(rig: Rig) -> None:
    camera = rig.camera(BETTER, 1)
    camera.plug("1")
    await rig.start()
    await rig.sees(1)
    rig.binding.block("Privacy is on")
    await rig.sees(None)
    assert rig.slot.reason == "Privacy is on"
    await rig.until(lambda: camera.closed == 1)
    camera.unplug()
    camera.plug("2")
    rig.camera(WORSE, 2).plug("3")
    rig.binding.prefer(None)
    await rig.until(lambda: len(rig.registry.present.devices) == 2)
    assert camera.opened == 1
    rig.binding.unblock()
    await rig.sees(1)


async def test_without_follow_the_one_in_use_stays() -> None:
    rig = Rig(follow=False)
    worse, better = rig.camera(WORSE, 1), rig.camera(BETTER, 2)
    worse.plug("1")
    await rig.start()
    try:
        await rig.sees(1)
        better.plug("2")
        await rig.until(lambda: len(rig.binding.ranked) == 2)
        await rig.sees(1)
        worse.unplug()
        await rig.sees(2)
    finally:
        await rig.close()


async def test_selectors_that_match_nothing_say_so() -> None:
    rig = Rig(selectors=[DeviceSelector(serial="Z9")])
    rig.camera(BETTER, 1).plug("1")
    await rig.start()
    try:
        await rig.sees(None)
        assert rig.slot.reason == "No camera matches the selectors"
    finally:
        await rig.close()


async def test_none_is_configured() -> None:
    rig = Rig(none=True)
    rig.camera(BETTER, 1).plug("1")
    await rig.start()
    try:
        await rig.sees(None)
        assert rig.slot.reason == "No camera is configured"
    finally:
        await rig.close()


async def test_a_fixed_device_that_fails_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "FIRST_PAUSE_S", 0.05)
    made: list[VirtualMicrophone] = []

    def make(_: object) -> VirtualMicrophone:
        made.append(VirtualMicrophone())
        return made[-1]

    slot = MicrophoneSlot()
    registry = Registry(ScriptedHardware().udev)
    fixed = DeviceInfo(DeviceKind.MICROPHONE, "default", "default", "default")
    binding: Binding[VirtualMicrophone] = Binding(
        slot, registry, Wanted(DeviceKind.MICROPHONE, fixed=fixed), make
    )
    slot.on_change = binding.slot_changed
    binding.start()
    slot.start()
    try:
        for count in (1, 2, 3):
            async with asyncio.timeout(DEADLINE_S):
                while slot.state is not SourceState.LIVE or len(made) < count:
                    await asyncio.sleep(0.005)
            made[-1].fail("broken")
            async with asyncio.timeout(DEADLINE_S):
                while slot.log.counts[SlotEvent.LOST] < count:
                    await asyncio.sleep(0.005)
    finally:
        binding.close()
        slot.stop()
        assert await asyncio.to_thread(slot.wait_closed, 5)


async def test_a_slot_that_speaks_before_and_after_disturbs_nobody(rig: Rig) -> None:
    rig.binding.slot_changed()
    await rig.start()
    rig.binding.close()
    rig.binding.slot_changed()
    rig.binding.close()
