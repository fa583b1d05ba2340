# SPDX-License-Identifier: GPL-3.0-or-later
"""The screen as a unit on the real kernel's display: under cage and on the bare frame buffer."""

import pytest

from callagent.screen.texts import languages
from tests.lab_screen.expected import LANDSCAPE, PORTRAIT
from tests.lab_screen.panel import is_dark, is_off
from tests.lab_screen.site import DEADLINE_S, Site

pytestmark = [pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]
each_platform = pytest.mark.parametrize("platform", ["wayland", "linuxfb"])


@each_platform
async def test_a_call_by_touch_with_the_display_unplugged_meanwhile(site: Site, platform: str) -> None:
    await site.start(platform=platform)
    shown = await site.panel.run("systemctl show callagent-screen -p ActiveState -p User -p NRestarts")
    assert {"ActiveState=active", "User=callagent", "NRestarts=0"} <= set(shown.split())
    pid = await site.panel.pid()
    await site.ring()
    await site.touch("control_answer")
    await site.shows("connected")
    machine = site.panel.machine
    machine.plug_display(0, 0)
    await site.panel.becomes(is_off, "the display still gets a picture")
    machine.plug_display(*LANDSCAPE)
    await site.shows("connected")
    if platform == "wayland":
        # A compositor follows the display's size; the kernel's frame buffer keeps the one it had at first.
        machine.plug_display(0, 0)
        machine.plug_display(*PORTRAIT)
        await site.shows("connected", PORTRAIT)
        machine.plug_display(0, 0)
        machine.plug_display(*LANDSCAPE)
        await site.shows("connected")
    await site.kiosk.until_state("connected", DEADLINE_S)
    await site.touch("control_hang_up")
    await site.caller.until_state("idle", DEADLINE_S)
    await site.shows("idle")
    assert await site.panel.pid() == pid
    await site.panel.run("systemctl stop callagent-screen")
    assert await site.panel.run("systemctl show callagent-screen -p Result --value") == "success\n"
    await site.panel.becomes(is_dark, "a picture stays on the glass")


@each_platform
async def test_touch_is_turned_with_the_page(site: Site, platform: str) -> None:
    await site.start(platform=platform, turn=90)
    await site.ring()
    await site.touch("control_answer")
    await site.shows("connected")
    await site.touch("control_hang_up")
    await site.shows("idle")


async def test_it_speaks_every_language(site: Site) -> None:
    for language in languages():
        await site.start(platform="linuxfb", language=language)
        await site.ring()
        assert await site.likest(languages(), site.panel.shot()) == language
        async with site.kiosk.client() as control:
            await control.reject()
        await site.caller.until_state("idle", DEADLINE_S)


@each_platform
async def test_it_sleeps_when_idle_and_wakes_when_it_rings(site: Site, platform: str) -> None:
    await site.start(platform=platform, sleep_after_s=3)
    await site.panel.becomes(is_off, "the display does not sleep")
    await site.ring()
    await site.touch("control_answer")
    await site.shows("connected")
    await site.touch("control_hang_up")
    await site.caller.until_state("idle", DEADLINE_S)
    await site.panel.becomes(is_off, "the display does not sleep again")
    # A touch on a dark display wakes it, and presses nothing.
    await site.shows("idle", touched="contact_0")


@each_platform
async def test_killed_it_leaves_the_panel_dark_and_comes_back(site: Site, platform: str) -> None:
    await site.start(platform=platform)
    await site.panel.run(f"kill -9 {await site.panel.pid()}")
    await site.panel.becomes(is_dark, "a picture stays on the glass")
    await site.shows("idle")
    await site.panel.stop()
    await site.panel.becomes(is_dark, "a picture stays on the glass")


async def test_it_may_be_there_before_the_agent_and_after_it(site: Site) -> None:
    await site.start(platform="linuxfb")
    await site.kiosk.stop()
    await site.shows_starting()
    await site.panel.stop()
    await site.panel.run("test ! -e /run/callagent")
    await site.panel.start()
    await site.shows_starting()
    await site.panel.run("systemctl start callagent")
    await site.shows("idle")


async def test_a_touch_screen_plugged_in_later_works_under_a_compositor(site: Site) -> None:
    await site.panel.pull_touch()
    await site.start(platform="wayland")
    await site.panel.plug_touch(*LANDSCAPE)
    await site.touch("contact_0")
    await site.caller.until_state("ringing", DEADLINE_S)
