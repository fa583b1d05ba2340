# SPDX-License-Identifier: GPL-3.0-or-later
"""USB devices on the kernel's own drivers (uvcvideo, snd-usb-audio, usbhid), pulled and plugged in calls."""

import asyncio
from collections.abc import Iterator
from typing import TypeVar

import pytest

from callagent.protocol import control as api
from callagent.protocol.control import SlotState
from tests.lab.kernel_events import KernelEvents
from tests.lab.limits import Limits
from tests.lab.machine import Machine
from tests.lab.scene import ANSWERING, CALLERS_TONE_HZ, VIRTUAL, Scene
from tests.lab.usbip.button import Button
from tests.lab.usbip.camera import Camera
from tests.lab.usbip.device import UsbDevice
from tests.lab.usbip.speakerphone import MICROPHONE_UNIT, MUTE, SPEAKER_UNIT, VOLUME, Speakerphone
from tests.lab.waiting import until

Device = TypeVar("Device", bound=UsbDevice)

FRONT, SPARE = 7, 9
"""In the cameras' pictures."""


@pytest.fixture
def front() -> Iterator[Camera]:
    yield from _closing(Camera(ident=FRONT))


@pytest.fixture
def spare() -> Iterator[Camera]:
    """With the serial number of the other one."""
    yield from _closing(Camera(ident=SPARE))


@pytest.fixture
def phone() -> Iterator[Speakerphone]:
    yield from _closing(Speakerphone(tone_hz=1300.0))


@pytest.fixture
def button() -> Iterator[Button]:
    yield from _closing(Button())


def _closing(device: Device) -> Iterator[Device]:
    yield device
    device.close()


def port(number: int) -> str:
    """What udev calls a port of the virtual controller."""
    return f"platform-vhci_hcd.0-usb-0:{number + 1}:1.0"


def time_of(slot: api.SlotStatus, event: str) -> float:
    """The newest such moment, in seconds on the guest's monotonic clock."""
    return max(moment.time_s for moment in slot.history if moment.event == event)


async def test_a_camera_moves_to_another_port_in_a_call(
    installed: Machine, scene: Scene, kernel_events: KernelEvents, limits: Limits, front: Camera
) -> None:
    await scene.kiosk.start(microphone=VIRTUAL, speaker=VIRTUAL, answer=ANSWERING)
    front.plug(installed, 0)

    async def listed() -> bool:
        async with scene.kiosk.client() as control:
            cameras = (await control.devices()).cameras
        return [(camera.serial, camera.port) for camera in cameras] == [("C1", port(0))]

    await until(listed, 30, scene.kiosk.journal)
    await scene.call()
    await scene.sees(FRONT)

    front.unplug()
    gone = await scene.slot("camera", SlotState.ABSENT, lambda slot: slot.details.get("lost") == 1)
    await scene.pictures()
    removed = kernel_events.last("remove", r"video4linux/video\d+$")
    slate_s = time_of(await scene.slot("camera", SlotState.ABSENT), "filled") - removed
    assert gone.reason == "No camera is plugged in"

    front.plug(installed, 3)
    await scene.sees(FRONT)
    added = kernel_events.last("add", r"video4linux/video\d+$")
    back = await scene.slot("camera", SlotState.LIVE)
    assert back.device is not None
    assert back.device.endswith(port(3))
    limits.hold("camera pulled: slate", slate_s, 0.2)
    limits.hold("camera in another port: picture", time_of(back, "live") - added, 1.0)


async def test_equal_serial_numbers_are_told_apart_by_port(
    installed: Machine,
    scene: Scene,
    kernel_events: KernelEvents,
    limits: Limits,
    front: Camera,
    spare: Camera,
) -> None:
    chosen = [{"serial": "C1", "port": port(2)}, {"serial": "C1"}]
    await scene.kiosk.start(camera={"device": chosen}, microphone=VIRTUAL, speaker=VIRTUAL, answer=ANSWERING)
    spare.plug(installed, 1)
    front.plug(installed, 2)
    await scene.kiosk.until(
        lambda status: any("have the serial number C1" in each for each in status.problems), "no warning"
    )
    await scene.call()
    await scene.sees(FRONT)

    front.unplug()
    await scene.sees(SPARE)
    removed = kernel_events.last("remove", r"video4linux/video\d+$")
    limits.hold("camera pulled: the next", time_of(await live(scene), "live") - removed, 1.0)
    front.plug(installed, 2)
    await scene.sees(FRONT)
    added = kernel_events.last("add", r"video4linux/video\d+$")
    limits.hold("camera back: swapped", time_of(await live(scene), "swapped") - added, 1.0)


async def live(scene: Scene) -> api.SlotStatus:
    return await scene.slot("camera", SlotState.LIVE)


async def test_an_occupied_camera_gives_way_to_the_next(
    installed: Machine, scene: Scene, front: Camera, spare: Camera
) -> None:
    front.plug(installed, 0)
    spare.plug(installed, 1)
    node = f"/dev/v4l/by-path/{port(0)}-video-index0"
    installed.run("udevadm settle")
    installed.background(f"exec v4l2-ctl -d {node} --stream-mmap --stream-to=/dev/null", "other.log")
    await scene.kiosk.start(
        camera={"device": [{"port": port(0)}, {"port": port(1)}]},
        microphone=VIRTUAL,
        speaker=VIRTUAL,
        answer=ANSWERING,
    )
    await scene.call()
    await scene.sees(SPARE)
    status = await scene.kiosk.until(
        lambda status: any("is in use by another program" in each for each in status.problems), "not told"
    )
    assert status.state == "connected"
    installed.run("pkill v4l2-ctl")
    await scene.sees(FRONT)


async def test_a_speakerphone_moves_to_another_port_in_a_call(
    installed: Machine, scene: Scene, kernel_events: KernelEvents, limits: Limits, phone: Speakerphone
) -> None:
    """Both directions of sound are back, and its mixer is as configured again."""
    await scene.kiosk.start(
        camera={"device": "none"}, microphone={"level": 90}, speaker={"level": 70}, answer=ANSWERING
    )
    phone.plug(installed, 1)
    await scene.call()

    async def plays() -> bool:
        return phone.plays(CALLERS_TONE_HZ)

    for attempt in range(2):
        await scene.hears(1300.0)
        await until(plays, 60, scene.kiosk.journal)
        mutes = [phone.settings[unit, MUTE] for unit in (SPEAKER_UNIT, MICROPHONE_UNIT)]
        levels = [phone.settings[unit, VOLUME] / 256 for unit in (SPEAKER_UNIT, MICROPHONE_UNIT)]
        assert mutes == [0, 0]
        # Of 60 dB, by amixer's percentage of the raw range.
        assert levels == [pytest.approx(-18, abs=1), pytest.approx(-6, abs=1)]
        if attempt:
            break
        phone.unplug()
        await scene.slot("speaker", SlotState.ABSENT)
        await scene.slot("microphone", SlotState.ABSENT)
        phone.plug(installed, 4)
    added = kernel_events.last("add", r"sound/card\d+/pcmC\d+D\d+p$")
    for name in ("speaker", "microphone"):
        back = await scene.slot(name, SlotState.LIVE)
        limits.hold(f"{name} in another port: sound", time_of(back, "live") - added, 1.0)


async def test_a_button_answers_hangs_up_and_moves_to_another_port(
    installed: Machine, scene: Scene, button: Button
) -> None:
    bell = {"name": "bell", "key": "KEY_F13", "device": [{"name": "*Lab Button*"}], "hold_s": 1.0}
    await scene.kiosk.start(camera=VIRTUAL, microphone=VIRTUAL, speaker=VIRTUAL, buttons=[bell])
    for usb_port in (2, 5):
        button.plug(installed, usb_port)
        await scene.kiosk.until(lambda status: "bell" in status.panel.buttons, "not taken")
        await scene.ring()
        await scene.kiosk.until_state("ringing")
        button.press()
        await asyncio.sleep(0.1)  # shorter is a bounce
        button.release()
        await scene.caller.until_state("connected", 60)
        button.press()
        await scene.caller.until_state("idle", 60)
        button.release()
        button.unplug()
        await scene.kiosk.until(lambda status: "bell" not in status.panel.buttons, "not missed")
