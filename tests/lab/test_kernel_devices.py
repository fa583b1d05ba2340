# SPDX-License-Identifier: GPL-3.0-or-later
"""The installed service on devices of the real kernel: a camera, sound cards, GPIO lines, keys, in calls."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest

from callagent.devices.virtual.tone_meter import tone_db
from callagent.protocol import control as api
from callagent.protocol.control import SlotState
from tests.lab.kiosk import GuestKiosk
from tests.lab.machine import Machine
from tests.listening import samples
from tests.programs import Kiosk, until

CAMERA = "vivid.0"
ANSWERING = {"mode": "auto", "from": "anyone", "delay_s": 0}
VIVID = "/sys/bus/platform/drivers/vivid"
BUTTON, HANG_UP, RING, ON_AIR, DOOR = range(5)
LINES = ("BUTTON", "HANG_UP", "RING", "ON_AIR", "DOOR")


def plug_camera(machine: Machine) -> None:
    machine.run(f"echo {CAMERA} >{VIVID}/bind && udevadm settle")


def pull_camera(machine: Machine) -> None:
    machine.run(f"echo {CAMERA} >{VIVID}/unbind && udevadm settle")


@pytest.fixture
async def devices(installed: Machine) -> AsyncIterator[Machine]:
    """vivid loaded and its camera pulled, a GPIO chip with named lines; all taken out afterwards."""
    installed.run("modprobe vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0x0")
    pull_camera(installed)
    installed.gpio("up", *LINES)
    installed.run("udevadm settle")
    yield installed
    installed.run("rmmod vivid; lab-gpio down; udevadm settle", check=False)


async def pictures_from(kiosk: GuestKiosk, caller: Kiosk, more: int = 8) -> None:
    """So many more pictures than now arrive at the other side."""

    async def count() -> int:
        status = await caller.status()
        assert status is not None
        pictures: int = status.media["screen"]["pictures"]
        return pictures

    had = await count()

    async def came() -> bool:
        return await count() >= had + more

    await until(came, 60, kiosk.journal)


async def slot(
    kiosk: GuestKiosk, name: str, state: SlotState, what: Callable[[api.SlotStatus], bool] = bool
) -> None:
    await kiosk.until(
        lambda status: status.slots[name].state is state and what(status.slots[name]),
        f"{name} not {state}",
        60,
    )


async def call_in(caller: Kiosk, kiosk: GuestKiosk) -> None:
    async with caller.client() as control:
        await control.call(["kiosk"])
    await kiosk.until_state("ringing")


def line(name: str, **more: Any) -> dict[str, Any]:
    return {"line": name} | more


async def test_a_camera_comes_goes_and_comes_back_in_a_call(
    devices: Machine, kiosk: GuestKiosk, caller: Kiosk
) -> None:
    sound = {"device": "virtual"}
    await kiosk.start(microphone=sound, speaker=sound, answer=ANSWERING)
    plug_camera(devices)

    async def listed() -> bool:
        async with kiosk.client() as control:
            cameras = (await control.devices()).cameras
        return [(camera.name, camera.port) for camera in cameras] == [("vivid", "platform-vivid.0")]

    await until(listed, 30, kiosk.journal)
    async with caller.client() as control:
        await control.call(["kiosk"])
    await caller.until_state("connected", 60)
    await slot(kiosk, "camera", SlotState.LIVE, lambda slot: slot.mode is not None)
    await pictures_from(kiosk, caller)

    pull_camera(devices)
    await slot(kiosk, "camera", SlotState.ABSENT, lambda slot: slot.reason == "No camera is plugged in")
    await pictures_from(kiosk, caller)  # the slate
    plug_camera(devices)
    await slot(kiosk, "camera", SlotState.LIVE, lambda slot: slot.details.get("lost") == 1)
    await pictures_from(kiosk, caller)
    status = await kiosk.status()
    assert status is not None
    assert status.state == "connected"


async def test_the_intercom_button_answers_and_lines_follow(
    devices: Machine, kiosk: GuestKiosk, caller: Kiosk
) -> None:
    virtual = {"device": "virtual"}
    buttons = [
        {"name": "button", "gpio": line("BUTTON"), "dial": {"users": ["anna"]}, "hold_s": 1.0},
    ]
    lights = [
        {"name": "ring", "gpio": line("RING"), "shows": "ring", "pattern": "on"},
        {"name": "on-air", "gpio": line("ON_AIR"), "shows": "on_air"},
    ]
    door = {"gpio": line("DOOR"), "allow": ["anna"], "pulse_s": 10}
    await kiosk.start(
        camera=virtual, microphone=virtual, speaker=virtual, buttons=buttons, lights=lights, door=door
    )
    status = await kiosk.until(lambda status: "button" in status.panel.buttons, "no button")
    assert status.panel.buttons == {"button": "call anna"}
    assert [devices.gpio("value", number) for number in (RING, ON_AIR, DOOR)] == ["0", "0", "0"]

    await call_in(caller, kiosk)
    devices.run(f"timeout 20 sh -c 'until [ $(lab-gpio value {RING}) = 1 ]; do sleep 0.1; done'")
    devices.gpio("high", BUTTON)
    devices.gpio("low", BUTTON)
    await caller.until_state("connected", 60)
    devices.run(f"timeout 40 sh -c 'until [ $(lab-gpio value {ON_AIR}) = 1 ]; do sleep 0.1; done'")
    assert devices.gpio("value", RING) == "0"

    async with caller.client() as control:
        await control.command("kiosk", "openDoor")
    assert devices.gpio("value", DOOR) == "1"

    # A long press hangs up; the lights go out; the door shuts with the agent.
    devices.gpio("high", BUTTON)
    await caller.until_state("idle", 60)
    devices.gpio("low", BUTTON)
    devices.run(f"timeout 20 sh -c 'until [ $(lab-gpio value {ON_AIR}) = 0 ]; do sleep 0.1; done'")
    await kiosk.stop()
    assert devices.gpio("value", DOOR) == "0"


async def test_the_gpio_chip_is_pulled_and_comes_back(
    devices: Machine, kiosk: GuestKiosk, caller: Kiosk
) -> None:
    virtual = {"device": "virtual"}
    button = {"name": "button", "gpio": line("BUTTON")}
    await kiosk.start(camera=virtual, microphone=virtual, speaker=virtual, buttons=[button])
    devices.gpio("down")
    await kiosk.until(lambda status: any("BUTTON" in each for each in status.problems), "not noticed")
    devices.gpio("up", *LINES)
    await kiosk.until(lambda status: "button" in status.panel.buttons, "not taken again")
    await call_in(caller, kiosk)
    devices.gpio("high", BUTTON)
    devices.gpio("low", BUTTON)
    await caller.until_state("connected", 60)


async def test_sound_cards_of_the_kernel_carry_a_call_both_ways(
    devices: Machine, kiosk: GuestKiosk, caller: Kiosk
) -> None:
    """snd-aloop: what the kiosk plays can be recorded at its other end, and what is played there it hears."""
    devices.run("modprobe snd-aloop && udevadm settle")
    try:
        await kiosk.start(
            camera={"device": "none"},
            microphone={"device": "hw:CARD=Loopback,DEV=1,SUBDEV=1"},
            speaker={"device": "hw:CARD=Loopback,DEV=0,SUBDEV=0"},
            answer=ANSWERING,
        )
        tone = "speaker-test -D hw:CARD=Loopback,DEV=0,SUBDEV=1 -c 1 -r 48000 -t sine -f 700"
        devices.background(f"timeout 90 {tone}", "tone.log")
        async with caller.client() as control:
            await control.call(["kiosk"])
        await caller.until_state("connected", 60)
        await slot(kiosk, "speaker", SlotState.LIVE)
        await slot(kiosk, "microphone", SlotState.LIVE)

        async def heard_here() -> bool:
            return tone_db(samples(caller.sound, 0.5), 700.0) >= 20

        await until(heard_here, 60, kiosk.journal)
        form = "-f S16_LE -r 48000 -c 1 -d 3 -t raw /share/kiosk.raw"
        devices.run(f"arecord -q -D plughw:CARD=Loopback,DEV=1,SUBDEV=0 {form}")
        sound = np.fromfile(devices.share / "kiosk.raw", np.int16)
        assert tone_db(sound[-48000:], 1000.0) >= 20
    finally:
        await kiosk.stop()
        devices.run("pkill speaker-test; rmmod snd-aloop; true")


async def test_no_permission_is_told_with_the_group(
    devices: Machine, kiosk: GuestKiosk, caller: Kiosk
) -> None:
    virtual = {"device": "virtual"}
    plug_camera(devices)
    devices.run("chgrp root /dev/video0 && setfacl -b /dev/video0 2>/dev/null; chmod 660 /dev/video0")
    await kiosk.start(microphone=virtual, speaker=virtual, answer=ANSWERING)
    async with caller.client() as control:
        await control.call(["kiosk"])
    await slot(kiosk, "camera", SlotState.FAILED, lambda slot: "belongs to root alone" in slot.reason)
    devices.run("chgrp tape /dev/video0")
    await slot(kiosk, "camera", SlotState.FAILED, lambda slot: "usermod -aG tape callagent" in slot.reason)
    devices.run("chgrp video /dev/video0")
    await slot(kiosk, "camera", SlotState.LIVE)


async def test_an_occupied_camera_names_who_has_it(
    devices: Machine, kiosk: GuestKiosk, caller: Kiosk
) -> None:
    virtual = {"device": "virtual"}
    plug_camera(devices)
    devices.background("v4l2-ctl -d /dev/video0 --stream-mmap --stream-to=/dev/null", "other.log")
    await kiosk.start(microphone=virtual, speaker=virtual, answer=ANSWERING)
    async with caller.client() as control:
        await control.call(["kiosk"])
    await slot(kiosk, "camera", SlotState.FAILED, lambda slot: "is in use by" in slot.reason)
    devices.run("pkill v4l2-ctl")
    await slot(kiosk, "camera", SlotState.LIVE)


def plug_key(machine: Machine, name: str, key: str) -> None:
    """An input device with this key, by uinput."""
    program = f"/opt/callagent/bin/python /share/guest/keys.py '{name}' {key} /run/keys"
    machine.background(f"exec {program}", "keys.log")
    machine.run("timeout 20 sh -c 'until [ -p /run/keys ]; do sleep 0.1; done'")


def pull_key(machine: Machine) -> None:
    machine.run("pkill -f guest/keys.py; rm -f /run/keys; udevadm settle", check=False)


async def test_a_usb_button_comes_late_goes_and_comes_back(
    devices: Machine, kiosk: GuestKiosk, caller: Kiosk
) -> None:
    virtual = {"device": "virtual"}
    button = {"name": "hook", "key": "KEY_F13", "device": [{"name": "Lab Hook"}], "hold_s": 1.0}
    await kiosk.start(camera=virtual, microphone=virtual, speaker=virtual, buttons=[button])
    await kiosk.until(lambda status: any("KEY_F13" in each for each in status.problems), "not missed")
    try:
        for _ in range(2):
            plug_key(devices, "Lab Hook", "KEY_F13")
            await kiosk.until(lambda status: "hook" in status.panel.buttons, "not taken")
            pull_key(devices)
            await kiosk.until(lambda status: "hook" not in status.panel.buttons, "not missed")
        plug_key(devices, "Lab Hook", "KEY_F13")
        await kiosk.until(lambda status: "hook" in status.panel.buttons, "not taken again")
        await call_in(caller, kiosk)
        devices.run("echo down >/run/keys; sleep 0.2; echo up >/run/keys")
        await caller.until_state("connected", 60)
        devices.run("echo down >/run/keys")
        await caller.until_state("idle", 60)
    finally:
        pull_key(devices)


async def test_a_lens_cover_closes_camera_and_microphone(
    devices: Machine, kiosk: GuestKiosk, caller: Kiosk
) -> None:
    virtual = {"device": "virtual"}
    cover = {"name": "cover", "key": "SW_CAMERA_LENS_COVER", "switch": "privacy"}
    plug_key(devices, "Lab Cover", "SW_CAMERA_LENS_COVER")
    try:
        await kiosk.start(
            camera=virtual, microphone=virtual, speaker=virtual, buttons=[cover], answer=ANSWERING
        )
        async with caller.client() as control:
            await control.call(["kiosk"])
        await slot(kiosk, "camera", SlotState.LIVE)
        devices.run("echo down >/run/keys")
        await slot(kiosk, "camera", SlotState.ABSENT, lambda slot: slot.reason == "Privacy is on")
        await slot(kiosk, "microphone", SlotState.ABSENT)
        async with kiosk.client() as control:
            assert (await control.set_privacy(False)).enabled, "the cover keeps it on"
        devices.run("echo up >/run/keys")
        await slot(kiosk, "camera", SlotState.LIVE)
    finally:
        pull_key(devices)
