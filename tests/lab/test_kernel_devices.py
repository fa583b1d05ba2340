# SPDX-License-Identifier: GPL-3.0-or-later
"""The installed service on devices of the real kernel: a camera, sound cards, GPIO lines, keys, in calls."""

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from callagent.devices.virtual.tone_meter import tone_db
from callagent.protocol.control import SlotState
from tests.lab.machine import Machine
from tests.lab.scene import ANSWERING, VIRTUAL, Scene
from tests.lab.waiting import until
from tests.listening import samples

CAMERA = "vivid.0"
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


def line(name: str, **more: Any) -> dict[str, Any]:
    return {"line": name} | more


async def test_a_camera_comes_goes_and_comes_back_in_a_call(devices: Machine, scene: Scene) -> None:
    await scene.kiosk.start(microphone=VIRTUAL, speaker=VIRTUAL, answer=ANSWERING)
    plug_camera(devices)

    async def listed() -> bool:
        async with scene.kiosk.client() as control:
            cameras = (await control.devices()).cameras
        return [(camera.name, camera.port) for camera in cameras] == [("vivid", "platform-vivid.0")]

    await until(listed, 30, scene.kiosk.journal)
    await scene.call()
    await scene.slot("camera", SlotState.LIVE, lambda slot: slot.mode is not None)
    await scene.pictures()

    pull_camera(devices)
    await scene.slot("camera", SlotState.ABSENT, lambda slot: slot.reason == "No camera is plugged in")
    await scene.pictures()  # the slate
    plug_camera(devices)
    await scene.slot("camera", SlotState.LIVE, lambda slot: slot.details.get("lost") == 1)
    await scene.pictures()
    status = await scene.kiosk.status()
    assert status is not None
    assert status.state == "connected"


async def test_the_intercom_button_answers_and_lines_follow(devices: Machine, scene: Scene) -> None:
    buttons = [
        {"name": "button", "gpio": line("BUTTON"), "dial": {"users": ["anna"]}, "hold_s": 1.0},
    ]
    lights = [
        {"name": "ring", "gpio": line("RING"), "shows": "ring", "pattern": "on"},
        {"name": "on-air", "gpio": line("ON_AIR"), "shows": "on_air"},
    ]
    door = {"gpio": line("DOOR"), "allow": ["anna"], "pulse_s": 10}
    await scene.kiosk.start(
        camera=VIRTUAL, microphone=VIRTUAL, speaker=VIRTUAL, buttons=buttons, lights=lights, door=door
    )
    status = await scene.kiosk.until(lambda status: "button" in status.panel.buttons, "no button")
    assert status.panel.buttons == {"button": "call anna"}
    assert [devices.gpio("value", number) for number in (RING, ON_AIR, DOOR)] == ["0", "0", "0"]

    await scene.ring()
    await scene.kiosk.until_state("ringing")
    devices.run(f"timeout 20 sh -c 'until [ $(lab-gpio value {RING}) = 1 ]; do sleep 0.1; done'")
    devices.gpio("high", BUTTON)
    devices.gpio("low", BUTTON)
    await scene.caller.until_state("connected", 60)
    devices.run(f"timeout 40 sh -c 'until [ $(lab-gpio value {ON_AIR}) = 1 ]; do sleep 0.1; done'")
    assert devices.gpio("value", RING) == "0"

    async with scene.caller.client() as control:
        await control.command("kiosk", "openDoor")
    assert devices.gpio("value", DOOR) == "1"

    # A long press hangs up; the lights go out; the door shuts with the agent.
    devices.gpio("high", BUTTON)
    await scene.caller.until_state("idle", 60)
    devices.gpio("low", BUTTON)
    devices.run(f"timeout 20 sh -c 'until [ $(lab-gpio value {ON_AIR}) = 0 ]; do sleep 0.1; done'")
    await scene.kiosk.stop()
    assert devices.gpio("value", DOOR) == "0"


async def test_the_gpio_chip_is_pulled_and_comes_back(devices: Machine, scene: Scene) -> None:
    button = {"name": "button", "gpio": line("BUTTON")}
    await scene.kiosk.start(camera=VIRTUAL, microphone=VIRTUAL, speaker=VIRTUAL, buttons=[button])
    devices.gpio("down")
    await scene.kiosk.until(lambda status: any("BUTTON" in each for each in status.problems), "not noticed")
    devices.gpio("up", *LINES)
    await scene.kiosk.until(lambda status: "button" in status.panel.buttons, "not taken again")
    await scene.ring()
    await scene.kiosk.until_state("ringing")
    devices.gpio("high", BUTTON)
    devices.gpio("low", BUTTON)
    await scene.caller.until_state("connected", 60)


async def test_sound_cards_of_the_kernel_carry_a_call_both_ways(devices: Machine, scene: Scene) -> None:
    """snd-aloop: what the kiosk plays can be recorded at its other end, and what is played there it hears."""
    devices.run("modprobe snd-aloop && udevadm settle")
    try:
        await scene.kiosk.start(
            camera={"device": "none"},
            microphone={"device": "hw:CARD=Loopback,DEV=1,SUBDEV=1"},
            speaker={"device": "hw:CARD=Loopback,DEV=0,SUBDEV=0"},
            answer=ANSWERING,
        )
        tone = "speaker-test -D hw:CARD=Loopback,DEV=0,SUBDEV=1 -c 1 -r 48000 -t sine -f 700"
        devices.background(f"timeout 90 {tone}", "tone.log")
        await scene.call()
        await scene.slot("speaker", SlotState.LIVE)
        await scene.slot("microphone", SlotState.LIVE)

        async def heard_here() -> bool:
            return tone_db(samples(scene.caller.sound, 0.5), 700.0) >= 20

        await until(heard_here, 60, scene.kiosk.journal)
        form = "-f S16_LE -r 48000 -c 1 -d 3 -t raw /share/scene.kiosk.raw"
        devices.run(f"arecord -q -D plughw:CARD=Loopback,DEV=1,SUBDEV=0 {form}")
        sound = np.fromfile(devices.share / "scene.kiosk.raw", np.int16)
        assert tone_db(sound[-48000:], 1000.0) >= 20
    finally:
        await scene.kiosk.stop()
        devices.run("pkill speaker-test; rmmod snd-aloop; true")


async def test_no_permission_is_told_with_the_group(devices: Machine, scene: Scene) -> None:
    plug_camera(devices)
    devices.run("chgrp root /dev/video0 && setfacl -b /dev/video0 2>/dev/null; chmod 660 /dev/video0")
    await scene.kiosk.start(microphone=VIRTUAL, speaker=VIRTUAL, answer=ANSWERING)
    await scene.ring()
    await scene.slot(
        "camera", SlotState.FAILED, lambda slot: slot.code == -1314 and "belongs to root alone" in slot.reason
    )
    devices.run("chgrp tape /dev/video0")
    await scene.slot("camera", SlotState.FAILED, lambda slot: "usermod -aG tape callagent" in slot.reason)
    devices.run("chgrp video /dev/video0")
    await scene.slot("camera", SlotState.LIVE)


async def test_an_occupied_camera_names_who_has_it(devices: Machine, scene: Scene) -> None:
    plug_camera(devices)
    devices.background("v4l2-ctl -d /dev/video0 --stream-mmap --stream-to=/dev/null", "other.log")
    await scene.kiosk.start(microphone=VIRTUAL, speaker=VIRTUAL, answer=ANSWERING)
    await scene.ring()
    await scene.slot(
        "camera", SlotState.FAILED, lambda slot: slot.code == -1316 and "is in use by" in slot.reason
    )
    devices.run("pkill v4l2-ctl")
    await scene.slot("camera", SlotState.LIVE)


def plug_key(machine: Machine, name: str, key: str) -> None:
    """An input device with this key, by uinput."""
    program = f"/opt/callagent/bin/python /share/guest/keys.py '{name}' {key} /run/keys"
    machine.background(f"exec {program}", "keys.log")
    machine.run("timeout 20 sh -c 'until [ -p /run/keys ]; do sleep 0.1; done'")


def pull_key(machine: Machine) -> None:
    machine.run("pkill -f guest/keys.py; rm -f /run/keys; udevadm settle", check=False)


async def test_a_usb_button_comes_late_goes_and_comes_back(devices: Machine, scene: Scene) -> None:
    button = {"name": "hook", "key": "KEY_F13", "device": [{"name": "Lab Hook"}], "hold_s": 1.0}
    await scene.kiosk.start(camera=VIRTUAL, microphone=VIRTUAL, speaker=VIRTUAL, buttons=[button])
    await scene.kiosk.until(lambda status: any("KEY_F13" in each for each in status.problems), "not missed")
    try:
        for _ in range(2):
            plug_key(devices, "Lab Hook", "KEY_F13")
            await scene.kiosk.until(lambda status: "hook" in status.panel.buttons, "not taken")
            pull_key(devices)
            await scene.kiosk.until(lambda status: "hook" not in status.panel.buttons, "not missed")
        plug_key(devices, "Lab Hook", "KEY_F13")
        await scene.kiosk.until(lambda status: "hook" in status.panel.buttons, "not taken again")
        await scene.ring()
        await scene.kiosk.until_state("ringing")
        devices.run("echo down >/run/keys; sleep 0.2; echo up >/run/keys")
        await scene.caller.until_state("connected", 60)
        devices.run("echo down >/run/keys")
        await scene.caller.until_state("idle", 60)
    finally:
        pull_key(devices)


async def test_a_lens_cover_closes_camera_and_microphone(devices: Machine, scene: Scene) -> None:
    cover = {"name": "cover", "key": "SW_CAMERA_LENS_COVER", "switch": "privacy"}
    plug_key(devices, "Lab Cover", "SW_CAMERA_LENS_COVER")
    try:
        await scene.kiosk.start(
            camera=VIRTUAL, microphone=VIRTUAL, speaker=VIRTUAL, buttons=[cover], answer=ANSWERING
        )
        await scene.ring()
        await scene.slot("camera", SlotState.LIVE)
        devices.run("echo down >/run/keys")
        await scene.slot("camera", SlotState.ABSENT, lambda slot: slot.reason == "Privacy is on")
        await scene.slot("microphone", SlotState.ABSENT)
        async with scene.kiosk.client() as control:
            assert (await control.set_privacy(False)).enabled, "the cover keeps it on"
        devices.run("echo up >/run/keys")
        await scene.slot("camera", SlotState.LIVE)
    finally:
        pull_key(devices)
