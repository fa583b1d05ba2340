# SPDX-License-Identifier: GPL-3.0-or-later
"""Displays of the real kernel: hot-plug, size, and sound that leaves with them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from callagent.protocol import control as api
from callagent.protocol.control import SlotState
from tests.lab.kiosk import guest_kiosk, install
from tests.lab.machine import Machine, image
from tests.lab.scene import ANSWERING, VIRTUAL, Scene
from tests.programs import Service

JACK = "/run/jack"


@pytest.fixture
def display(installed: Machine) -> Iterator[Machine]:
    yield installed
    installed.plug_display(800, 480)


async def test_the_screen_stands_as_its_display_does(display: Machine, scene: Scene) -> None:
    await scene.kiosk.start(camera=VIRTUAL, microphone=VIRTUAL, speaker=VIRTUAL, answer=ANSWERING)

    async def until_stands(screen: str, reason: str) -> None:
        def stands(status: api.StatusData) -> bool:
            now = status.orientation
            return now is not None and (now.screen, now.reason) == (screen, reason)

        await scene.kiosk.until(stands, f"not {screen}: {reason}")

    await until_stands("landscape", "display Virtual-1 is 800x480")
    await scene.call()
    display.plug_display(480, 800)
    await until_stands("portrait", "display Virtual-1 is 480x800")
    display.plug_display(0, 0)
    await until_stands("landscape", "no display is connected")
    display.plug_display(480, 800)
    await until_stands("portrait", "display Virtual-1 is 480x800")
    await scene.pictures()
    status = await scene.kiosk.status()
    assert status is not None
    assert status.state == "connected"


@pytest.mark.timeout(300)
async def test_a_panel_that_is_built_in_turned(service: Service, tmp_path: Path) -> None:
    """The kernel tells of it by a property of the connector; only booting can give it one here."""
    with Machine(image(), boot="video=Virtual-1:panel_orientation=right_side_up") as turned:
        install(turned)
        async with guest_kiosk(turned, service, tmp_path) as kiosk:
            await kiosk.start(camera=VIRTUAL, microphone=VIRTUAL, speaker=VIRTUAL)
            reason = "display Virtual-1 is 800x480, panel orientation right side up"

            def stands(status: api.StatusData) -> bool:
                now = status.orientation
                return now is not None and (now.screen, now.reason) == ("portrait", reason)

            await kiosk.until(stands, f"not portrait: {reason}")


async def test_sound_leaves_an_output_whose_display_is_gone(installed: Machine, scene: Scene) -> None:
    """A jack control on snd-aloop, told by the real control interface; the other card is snd-dummy."""
    installed.run("modprobe snd-aloop id=Hdmi && modprobe snd-dummy id=Analog && udevadm settle")
    program = f"/opt/callagent/bin/python /share/guest/jack.py Hdmi {JACK}"
    installed.background(f"exec {program}", "jack.log")
    installed.run(f"timeout 20 sh -c 'until [ -p {JACK} ]; do sleep 0.1; done'; echo plug >{JACK}")
    try:
        await scene.kiosk.start(
            camera={"device": "none"},
            microphone=VIRTUAL,
            speaker={"device": [{"path": "hw:CARD=Hdmi,DEV=0"}, {"path": "hw:CARD=Analog,DEV=0"}]},
            answer=ANSWERING,
        )
        await scene.call()
        await scene.speaker_is("Hdmi")
        installed.run(f"echo pull >{JACK}")
        await scene.speaker_is("Analog")
        async with scene.kiosk.client() as control:
            speakers = {each.path: each.plugged for each in (await control.devices()).speakers}
        assert speakers["hw:CARD=Hdmi,DEV=0"] is False
        installed.run(f"echo plug >{JACK}")
        await scene.speaker_is("Hdmi")
        await scene.slot("speaker", SlotState.LIVE)
    finally:
        await scene.kiosk.stop()
        # Only when the last program has let go of them can the modules leave; the next test needs other ones.
        installed.run(f"pkill -f guest/jack.py; rm -f {JACK}", check=False)
        installed.run("timeout 20 sh -c 'until rmmod snd-aloop snd-dummy; do sleep 0.2; done'")
