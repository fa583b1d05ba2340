# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way: a person at the web phone and a kiosk, each hearing and seeing the other."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from callagent.devices.virtual.tone_meter import tone_db
from callagent.protocol import control as api
from callagent.protocol.enums import CallResult, RecentCallResult
from tests.browser.chromium import Chromium
from tests.browser.clips import write_clip
from tests.browser.conftest import CLIP_IDENT, TONE_HZ
from tests.browser.phone import Phone
from tests.browser.service import RunningService, own_address
from tests.listening import samples
from tests.programs import Kiosk, running, until

KIOSK_TONE_HZ = 1000.0
KIOSK_IDENT = 3
LEAST_FPS = 15.0
SENT_FPS = 24
CLIP_S = 20
LONGEST_GAP_S = 0.5
WATCH_S = 5.0
SETTLE_S = 2.0


@pytest.fixture
async def kiosk(service: RunningService, tmp_path: Path) -> AsyncIterator[Kiosk]:
    kiosk = Kiosk(
        "kiosk",
        service.ticket("kiosk"),
        f"http://127.0.0.1:{service.http_port}",
        tmp_path,
        camera={"device": "virtual", "fps": SENT_FPS, "virtual": {"ident": KIOSK_IDENT}},
        video={"fps": SENT_FPS},
        microphone={"device": "virtual", "virtual": {"tone_hz": KIOSK_TONE_HZ}},
    )
    async with running(kiosk):
        yield kiosk


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Faster than the rate that is asked for, so that a lost picture is not a failure by itself."""
    path = tmp_path_factory.mktemp("clips") / "fast.y4m"
    return write_clip(path, ident=CLIP_IDENT, fps=SENT_FPS, seconds=CLIP_S)


@pytest.fixture
async def phone(browser: Chromium, service: RunningService) -> Phone:
    return await Phone(await browser.page()).open_signed_in(service.link("operator"))


async def calls(phone: Phone, kiosk: Kiosk) -> None:
    await phone.call("kiosk")
    await kiosk.until_state("ringing")
    async with kiosk.client() as control:
        await control.answer()
    await phone.wait_for_phase("connected")
    await kiosk.until_state("connected")


async def tone_at(kiosk: Kiosk, *, present: bool) -> None:
    async def heard() -> bool:
        sound = samples(kiosk.sound, 0.5)
        return len(sound) > 0 and (tone_db(sound, TONE_HZ) >= 20) is present

    await until(heard, 15, lambda: f"the page's tone is {'missing' if present else 'still there'}")


async def record_at(kiosk: Kiosk) -> Any:
    async with kiosk.client() as control:
        return (await control.history(limit=1)).calls[0]


def judge(times_s: list[float], counters: list[int], wrap: int) -> None:
    """At least the wanted rate, counters rising, no gap over 500 ms."""
    took = times_s[-1] - times_s[0]
    assert len(times_s) / took >= LEAST_FPS, f"{len(times_s) / took:.1f} pictures per second"
    steps = [(after - before) % wrap for before, after in itertools.pairwise(counters)]
    assert all(0 < step < wrap / 2 for step in steps), counters
    gaps = [after - before for before, after in itertools.pairwise(times_s)]
    assert max(gaps) <= LONGEST_GAP_S, f"{max(gaps):.3f} s"


async def both_see_and_hear(phone: Phone, kiosk: Kiosk) -> None:
    await phone.wait_for_picture()
    await phone.wait_for_frames(1)

    async def kiosk_sees() -> bool:
        return bool(kiosk.seen())

    await until(kiosk_sees, 15, lambda: f"no picture at the kiosk\n{kiosk.program.tail()}")
    # The first two seconds are the codecs' own; from then on it has to be steady.
    await asyncio.sleep(SETTLE_S)
    in_page, at_kiosk = len(await phone.frames()), len(kiosk.seen())
    await asyncio.sleep(WATCH_S)
    frames = (await phone.frames())[in_page:]
    assert {frame.ident for frame in frames} == {KIOSK_IDENT}
    judge([frame.at_ms / 1000 for frame in frames], [frame.counter for frame in frames], 65536)
    seen = kiosk.seen()[at_kiosk:]
    assert {picture["ident"] for picture in seen} == {CLIP_IDENT}
    # The clip is played in a loop.
    counters = [picture["counter"] for picture in seen]
    judge([picture["time"] for picture in seen], counters, SENT_FPS * CLIP_S)
    assert await phone.wait_for_tone(KIOSK_TONE_HZ, present=True) >= 20
    await tone_at(kiosk, present=True)


@pytest.mark.parametrize("way", [pytest.param("loopback", marks=pytest.mark.smoke), "https"])
async def test_the_page_calls_the_kiosk(
    browser: Chromium, service: RunningService, kiosk: Kiosk, way: str, screenshots: Path
) -> None:
    """Over HTTPS by the machine's own address, and plain on loopback."""
    page = await browser.page()
    link = service.link("operator", https=way == "https")
    if way == "https":
        link = link.replace("127.0.0.1", own_address())
    phone = await Phone(page).open_signed_in(link)
    await calls(phone, kiosk)
    await both_see_and_hear(phone, kiosk)
    await page.screenshot(path=screenshots / f"kiosk-call-{way}.png")

    await phone["mute"].click()
    await tone_at(kiosk, present=False)
    await phone["mute"].click()
    await tone_at(kiosk, present=True)
    async with kiosk.client() as control:
        await control.set_microphone(False)
        await phone.wait_for_tone(KIOSK_TONE_HZ, present=False)
        await control.set_microphone(True)
        await phone.wait_for_tone(KIOSK_TONE_HZ, present=True)

    await phone["hangup"].click()
    await kiosk.until_state("idle")
    record = await record_at(kiosk)
    assert (record.call_result, record.result) == (CallResult.NORMAL_END, RecentCallResult.INCOMING)
    assert record.total_time > WATCH_S
    log = browser.log(page)
    assert (log.errors, log.csp) == ([], [])


async def test_the_kiosk_calls_the_page(phone: Phone, kiosk: Kiosk) -> None:
    async with kiosk.client() as control:
        await control.call(["operator"])
    await phone.wait_for_phase("incoming")
    await phone["answer-video"].click()
    await kiosk.until_state("connected")
    await both_see_and_hear(phone, kiosk)
    async with kiosk.client() as control:
        await control.hangup()
    await phone.wait_for_phase("ended")
    assert (await record_at(kiosk)).call_result == CallResult.NORMAL_END


async def test_the_page_answers_without_its_camera(phone: Phone, kiosk: Kiosk) -> None:
    async with kiosk.client() as control:
        await control.call(["operator"])
    await phone.wait_for_phase("incoming")
    await phone["answer-audio"].click()
    await kiosk.until(
        lambda status: (
            status.call is not None
            and bool(status.call.peers)
            and status.call.peers[0].audio_available
            and not status.call.peers[0].video_available
        ),
        "the kiosk was not told that the page sends no picture",
    )
    await phone.wait_for_picture()
    await tone_at(kiosk, present=True)
    assert kiosk.seen() == []
    await phone["hangup"].click()
    await kiosk.until_state("idle")


async def test_the_page_rejects(phone: Phone, kiosk: Kiosk) -> None:
    async with kiosk.client() as control:
        await control.call(["operator"])
    await phone.wait_for_phase("incoming")
    await phone["reject"].click()
    await kiosk.until_state("idle")
    assert (await record_at(kiosk)).call_result == CallResult.REJECT


async def test_the_page_cancels_while_it_rings(phone: Phone, kiosk: Kiosk) -> None:
    await phone.call("kiosk")
    await kiosk.until_state("ringing")
    await phone["hangup"].click()
    await kiosk.until_state("idle")
    record = await record_at(kiosk)
    assert (record.call_result, record.result) == (CallResult.CANCEL, RecentCallResult.MISSED)


async def test_the_kiosk_rejects(phone: Phone, kiosk: Kiosk) -> None:
    await phone.call("kiosk")
    await kiosk.until_state("ringing")
    async with kiosk.client() as control:
        await control.reject()
    await phone.wait_for_phase("ended")
    assert (await record_at(kiosk)).call_result == CallResult.REJECT


async def test_nobody_answers_at_the_page(phone: Phone, kiosk: Kiosk) -> None:
    began = time.monotonic()
    async with kiosk.client() as control:
        await control.call(["operator"], timeout_s=10)
    await phone.wait_for_phase("incoming")
    await kiosk.until_state("idle", 20)
    assert time.monotonic() - began >= 9.5
    await expect(phone.page.locator("#screen-call[data-phase=incoming]")).to_be_hidden()
    assert (await record_at(kiosk)).call_result == CallResult.NOT_ANSWER


async def test_the_page_is_told_when_the_kiosk_dies(phone: Phone, kiosk: Kiosk) -> None:
    """The kiosk's program is killed and comes back at once: the call cannot be its any more."""
    await calls(phone, kiosk)
    await phone.wait_for_picture()
    kiosk.program.kill()
    await kiosk.start()
    await phone.wait_for_phase("ended")
    assert (await record_at(kiosk)).call_result == CallResult.INTERRUPT
    status = await kiosk.status()
    assert status is not None
    assert status.slots["camera"].state is api.SlotState.OFF
