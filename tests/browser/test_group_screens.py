# SPDX-License-Identifier: GPL-3.0-or-later
"""The look of every screen of a call of several."""

from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import expect

from tests.browser.chromium import Chromium
from tests.browser.clients import Clients
from tests.browser.phone import Phone
from tests.browser.service import RunningService
from tests.browser.test_pages import assert_sound_layout


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("name", "width", "height"), [("narrow", 390, 844), ("wide", 1280, 800)])
async def test_every_screen_of_a_group_call_fits(
    browser: Chromium,
    other_browser: Chromium,
    service: RunningService,
    clients: Clients,
    screenshots: Path,
    name: str,
    width: int,
    height: int,
    scheme: Literal["light", "dark"],
) -> None:
    people = service.people("anna", "ben_carter", "cleo", "dora_with-a-long-name", "emil", "frida")
    anna_id, ben_id, *others = people
    page = await browser.page(viewport=(width, height), color_scheme=scheme)
    anna = await Phone(page).open_signed_in(service.link(anna_id))
    ben = await Phone(await other_browser.page()).open_signed_in(service.link(ben_id))
    cleo, dora, emil, frida = [await clients.login(user) for user in others]

    async def look(screen: str) -> None:
        await assert_sound_layout(page)
        await page.screenshot(path=screenshots / f"group-{screen}-{name}-{scheme}.png")

    call = await frida.ok("calls", userIdList=[anna_id, ben_id, others[0]], mediaType=2)
    await anna.wait_for_phase("incoming")
    await look("incoming")
    await cleo.event("onCallReceived")
    await frida.ok("hangup", callId=call["callId"])
    await cleo.event("onCallNotConnected")
    await expect(anna.page.locator("#screen-home")).to_be_visible()

    await anna.choose([ben_id, others[0], others[1]])
    await look("chosen")
    await anna["open-join"].click()
    await anna["join-field"].fill("nonsense")
    await anna["join-submit"].click()
    await look("join")
    await anna["join-close"].click()
    await anna["chosen-video"].click()
    await expect(anna["local-video"]).to_be_visible()
    await look("outgoing")
    await ben["answer-video"].click()
    await anna.wait_for_picture(ben_id)
    await look("grid-with-ringing")
    await clients.accept(cleo)
    await expect(anna[f"tile-{others[0]}"]).to_have_attribute("data-muted", "true")
    await clients.accept(dora)
    await expect(anna[f"tile-{others[1]}"]).to_have_attribute("data-muted", "true")
    await anna["people"].click()
    await anna[f"invite-{others[2]}"].locator("input").check()
    await look("people")
    await anna["people-invite"].click()
    await emil.event("onCallReceived")
    await expect(anna[f"tile-{others[2]}"]).to_have_attribute("data-ringing", "true")
    await anna.wait_for_picture(ben_id)
    await look("grid-of-five")
    await page.get_by_role("button", name=f"Show {ben_id} large").click()
    await anna.wait_for_layout("focus")
    # The tiles slide to their places.
    await page.evaluate(
        """() => Promise.all(
          document.getAnimations().filter((a) => a instanceof CSSTransition).map((a) => a.finished),
        ).then(() => null)"""
    )
    await look("focus")
    await anna["hangup"].click()
    await anna.wait_for_phase("ended")
    await look("ended")
    log = browser.log(page)
    assert (log.errors, log.csp) == ([], [])
