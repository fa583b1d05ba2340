# SPDX-License-Identifier: GPL-3.0-or-later
"""A kiosk in a call with two web phones: it has no way to a media server, so each is connected with each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from callagent.devices.virtual.tone_meter import tone_db
from tests.browser.chromium import Chromium
from tests.browser.clips import write_small_clip
from tests.browser.conftest import CLIP_IDENT, OTHER_CLIP_IDENT, OTHER_TONE_HZ, TONE_HZ
from tests.browser.phone import Phone
from tests.browser.service import RunningService
from tests.listening import samples
from tests.programs import Kiosk, running, until

KIOSK_TONE_HZ = 1000.0
KIOSK_IDENT = 3


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_clip(tmp_path_factory.mktemp("clips"), CLIP_IDENT)


@pytest.fixture(scope="session")
def other_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_clip(tmp_path_factory.mktemp("clips"), OTHER_CLIP_IDENT)


@pytest.fixture
async def kiosk(service: RunningService, tmp_path: Path) -> AsyncIterator[Kiosk]:
    (user,) = service.people("kiosk")
    kiosk = Kiosk(
        user,
        service.ticket(user),
        service.http_url,
        tmp_path,
        camera={"device": "virtual", "width": 640, "height": 360, "virtual": {"ident": KIOSK_IDENT}},
        video={"resolution": "640x360"},
        microphone={"device": "virtual", "virtual": {"tone_hz": KIOSK_TONE_HZ}},
        answer={"mode": "auto", "delay_s": 0, "from": "anyone"},
    )
    async with running(kiosk):
        yield kiosk


async def hears(kiosk: Kiosk, hz: float) -> None:
    async def heard() -> bool:
        sound = samples(kiosk.sound, 0.5)
        return len(sound) > 0 and tone_db(sound, hz) >= 20

    await until(heard, 20, lambda: f"the kiosk does not hear {hz} Hz\n{kiosk.program.tail()}")


async def sees(kiosk: Kiosk, ident: int, after: int = 0) -> None:
    async def seen() -> bool:
        return any(picture["ident"] == ident for picture in kiosk.seen()[after:])

    await until(seen, 20, lambda: f"the kiosk does not see {ident}\n{kiosk.program.tail()}")


async def test_two_pages_and_a_kiosk(
    browser: Chromium, other_browser: Chromium, service: RunningService, kiosk: Kiosk
) -> None:
    anna_id, ben_id = service.people("anna", "ben")
    anna = await Phone(await browser.page()).open_signed_in(service.link(anna_id))
    ben = await Phone(await other_browser.page()).open_signed_in(service.link(ben_id))
    await expect(anna[f"contact-{kiosk.user}"]).to_have_attribute("data-presence", "online")
    await anna.call_together([kiosk.user, ben_id])
    await ben.wait_for_phase("incoming")
    await ben["answer-video"].click()
    await kiosk.until_state("connected")
    await anna.wait_for_layout("grid")
    assert (await anna.state())["call"]["placement"] == "mesh"

    for phone, other, ident, hz in (
        (anna, ben_id, OTHER_CLIP_IDENT, OTHER_TONE_HZ),
        (ben, anna_id, CLIP_IDENT, TONE_HZ),
    ):
        await phone.wait_for_picture(kiosk.user)
        await phone.wait_for_picture(other)
        assert {f.ident for f in await phone.wait_for_frames(10, kiosk.user)} == {KIOSK_IDENT}
        assert {f.ident for f in await phone.wait_for_frames(10, other)} == {ident}
        await phone.wait_for_tone(KIOSK_TONE_HZ, kiosk.user, present=True)
        await phone.wait_for_tone(hz, other, present=True)
    for ident in (CLIP_IDENT, OTHER_CLIP_IDENT):
        await sees(kiosk, ident)
    for hz in (TONE_HZ, OTHER_TONE_HZ):
        await hears(kiosk, hz)

    await ben["hangup"].click()
    await anna.wait_for_layout("solo")
    await anna.wait_for_picture()
    await sees(kiosk, CLIP_IDENT, after=len(kiosk.seen()))
    count = len(await anna.frames(kiosk.user))
    await anna.wait_for_frames(count + 20, kiosk.user)
    await anna["hangup"].click()
    await kiosk.until_state("idle")
