# SPDX-License-Identifier: GPL-3.0-or-later
"""How the screen stands and the camera is turned: by configuration, display and accelerometer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.agent.orientation import Orientation, resolve
from callagent.agent.orientation_watch import OrientationWatch
from callagent.devices.accelerometer import Tilt
from callagent.devices.displays import Display, PanelOrientation
from callagent.devices.registry import Registry
from callagent.devices.virtual.scripted import ScriptedHardware
from callagent.ports import Rotation

DEADLINE_S = 10.0
TALL, WIDE = Display("HDMI-A-1", (1080, 1920)), Display("HDMI-A-1", (1920, 1080))
TABLET = Display("DSI-1", (800, 1280), PanelOrientation.RIGHT_UP)


@pytest.mark.parametrize(
    ("displays", "tilt", "screen", "reason"),
    [
        ([TALL], None, "portrait", "display HDMI-A-1 is 1080x1920"),
        ([WIDE], None, "landscape", "display HDMI-A-1 is 1920x1080"),
        ([TABLET], None, "landscape", "display DSI-1 is 800x1280, panel orientation right side up"),
        (
            [Display("DSI-1", (800, 1280), PanelOrientation.NORMAL)],
            None,
            "portrait",
            "display DSI-1 is 800x1280",
        ),
        ([Display("VGA-1", (1024, 1024))], None, "landscape", "display VGA-1 is 1024x1024"),
        # The first that tells.
        ([Display("DP-1"), TALL], None, "portrait", "display HDMI-A-1 is 1080x1920"),
        ([Display("DP-1")], None, "landscape", "display DP-1 does not tell its size"),
        ([], None, "landscape", "no display is connected"),
        ([], Tilt.LEFT_UP, "portrait", "no display is connected, accelerometer says left-up"),
        ([TALL], Tilt.NORMAL, "portrait", "display HDMI-A-1 is 1080x1920, accelerometer says normal"),
        ([TALL], Tilt.BOTTOM_UP, "portrait", "display HDMI-A-1 is 1080x1920, accelerometer says bottom-up"),
        ([TALL], Tilt.RIGHT_UP, "landscape", "display HDMI-A-1 is 1080x1920, accelerometer says right-up"),
    ],
)
def test_how_the_screen_stands_by_itself(
    displays: list[Display], tilt: Tilt | None, screen: str, reason: str
) -> None:
    found = resolve("auto", displays, tilt)
    assert (found.screen, found.reason) == (screen, reason)


@given(
    st.sampled_from(["portrait", "landscape"]),
    st.lists(st.sampled_from([TALL, WIDE, TABLET])),
    st.none() | st.sampled_from(Tilt),
)
def test_what_is_configured_is_so(
    configured: Literal["portrait", "landscape"], displays: list[Display], tilt: Tilt | None
) -> None:
    assert resolve(configured, displays, tilt) == Orientation(configured, "configured", 0)


@pytest.mark.parametrize(
    ("tilt", "front", "back"),
    [
        (None, 0, 0),
        (Tilt.NORMAL, 0, 0),
        (Tilt.LEFT_UP, 270, 90),
        (Tilt.BOTTOM_UP, 180, 180),
        (Tilt.RIGHT_UP, 90, 270),
    ],
)
@pytest.mark.parametrize("built_in", [0, 90, 180, 270])
def test_the_camera_turns_with_the_box(tilt: Tilt | None, front: int, back: int, built_in: Rotation) -> None:
    found = resolve("auto", [], tilt)
    assert found.camera_rotation(built_in, "front") == (built_in + front) % 360
    assert found.camera_rotation(built_in, "back") == (built_in + back) % 360


class Rig:
    """A watch on a scripted machine, and what it told."""

    def __init__(self) -> None:
        self.hardware = ScriptedHardware()
        self.registry = Registry(self.hardware.udev)
        self.told: list[Orientation] = []
        self.watch = OrientationWatch("auto", self.registry, self.hardware, self._told, ask_s=0.01)

    def _told(self) -> None:
        self.told.append(self.watch.current)

    async def start(self) -> None:
        await self.registry.start()
        await self.watch.start()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.002)

    async def until_it_stands(self, screen: str) -> None:
        await self.until(lambda: self.watch.current.screen == screen)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    yield made
    await made.watch.close()
    await made.registry.close()


async def test_a_display_is_plugged_changed_and_pulled(rig: Rig) -> None:
    display = rig.hardware.new_display()
    display.plug("1080x1920")
    await rig.start()
    assert rig.watch.current.screen == "portrait"
    display.plug("1920x1080")
    await rig.until_it_stands("landscape")
    display.plug("480x800")
    await rig.until_it_stands("portrait")
    display.unplug()
    await rig.until(lambda: rig.watch.current.reason == "no display is connected")
    assert [each.screen for each in rig.told] == ["portrait", "landscape", "portrait", "landscape"]


async def test_a_connector_that_cannot_be_read_still_has_its_mode(rig: Rig) -> None:
    display = rig.hardware.new_display("DSI-1", panel=PanelOrientation.LEFT_UP)
    display.readable = False
    display.plug("800x1280")
    await rig.start()
    assert rig.watch.current == Orientation("portrait", "display DSI-1 is 800x1280")
    display.readable = True
    rig.hardware.new_display("HDMI-A-1").plug("640x480")
    await rig.until_it_stands("landscape")
    assert "panel orientation left side up" in rig.watch.current.reason


async def test_the_box_is_turned_and_its_chip_fails(rig: Rig) -> None:
    rig.hardware.new_display().plug("1920x1080")
    await rig.start()
    assert rig.told == [rig.watch.current]
    chip = rig.hardware.new_accelerometer()
    await rig.until(lambda: "normal" in rig.watch.current.reason)
    chip.gravity = (9.81, 0, 0)
    await rig.until_it_stands("portrait")
    assert rig.watch.current.turn == 270
    # Laid flat, or without an answer, it stays as it was.
    chip.gravity = (0.1, 0.2, -9.8)
    chip.broken = True
    chip.gravity = (0, 9.81, 0)
    count = len(rig.told)
    asked = asyncio.Event()
    rig.hardware.gravity = _noting(rig.hardware.gravity, asked)  # type: ignore[method-assign, assignment]
    await asyncio.wait_for(asked.wait(), DEADLINE_S)
    assert rig.watch.current.turn == 270
    assert len(rig.told) == count
    chip.broken = False
    await rig.until(lambda: rig.watch.current.turn == 180)
    assert rig.watch.current.screen == "landscape"
    chip.unplug()
    await rig.until(lambda: rig.watch.current == Orientation("landscape", "display HDMI-A-1 is 1920x1080"))


def _noting(ask: Callable[..., object], asked: asyncio.Event) -> Callable[..., object]:
    loop, calls = asyncio.get_running_loop(), [0]

    def gravity(device: object) -> object:
        calls[0] += 1
        if calls[0] == 3:
            loop.call_soon_threadsafe(asked.set)
        return ask(device)

    return gravity


async def test_nothing_is_watched_where_it_is_configured() -> None:
    hardware = ScriptedHardware()
    registry = Registry(hardware.udev)
    watch = OrientationWatch("portrait", registry, hardware, lambda: pytest.fail("told of a change"))
    await registry.start()
    await watch.start()
    hardware.new_display().plug("1920x1080")
    hardware.new_accelerometer()
    async with asyncio.timeout(DEADLINE_S):
        while len(registry.present.devices) < 2:
            await asyncio.sleep(0.002)
    assert watch.current == Orientation("portrait", "configured")
    await watch.close()
    await registry.close()
