# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing in, the contacts, the settings and the look of every screen."""

import asyncio
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Page, expect

from callagent.protocol.requests import PROTOCOL_VERSION
from tests.browser.chromium import FOREIGN_HOST, Chromium, chromium
from tests.browser.phone import Phone, wait_until
from tests.browser.service import RunningService
from tests.programs import APP_ID

_OVERFLOW = """() => {
  const wide = document.documentElement.scrollWidth > innerWidth;
  const outside = [...document.querySelectorAll("button, input, select, textarea, a, strong, h1, p")]
    .filter((e) => e.checkVisibility({ checkVisibilityCSS: true }) && !e.closest(".hidden-label"))
    .filter((e) => {
      const box = e.getBoundingClientRect();
      return box.width > 0 && (box.left < -1 || box.right > innerWidth + 1);
    });
  return [wide, outside.map((e) => e.id || e.dataset.testid || e.outerHTML)];
}"""
_UNNAMED = """() => [...document.querySelectorAll("button, a, input, select, textarea")]
  .filter((e) => e.checkVisibility())
  .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.[0]?.textContent.trim()))
  .map((e) => e.outerHTML)"""
_SMALL_TARGETS = """() => [...document.querySelectorAll("button")]
  .filter((e) => e.checkVisibility())
  .filter((e) => e.getBoundingClientRect().width < 40 || e.getBoundingClientRect().height < 40)
  .map((e) => e.outerHTML)"""


async def assert_sound_layout(page: Page) -> None:
    """Nothing sticks out, everything has a name, every button can be hit by a thumb."""
    assert await page.evaluate(_OVERFLOW) == [False, []]
    assert await page.evaluate(_UNNAMED) == []
    assert await page.evaluate(_SMALL_TARGETS) == []


async def test_sign_in_by_link_hides_and_remembers_the_ticket(
    browser: Chromium, service: RunningService
) -> None:
    (anna_id,) = service.people("anna")
    phone = Phone(await browser.page())
    await phone.open_signed_in(service.link(anna_id))
    assert "sig" not in phone.page.url
    assert service.ticket(anna_id) not in await phone.page.evaluate(
        "JSON.stringify(history.state) + location.href"
    )
    await expect(phone["connection"]).to_have_text("Ready for calls")
    state = await phone.state()
    assert (state["userId"], state["connection"], state["screen"]) == (anna_id, "online", "home")

    await phone.page.reload()
    await expect(phone["connection"]).to_have_text("Ready for calls")

    await phone["sign-out"].click()
    await expect(phone["login-user"]).to_be_visible()
    await phone.page.reload()
    await expect(phone["login-user"]).to_be_visible()
    await expect(phone["login-user"]).to_have_value("")


async def test_sign_in_by_form_names_what_is_wrong(browser: Chromium, service: RunningService) -> None:
    anna_id, ben_id = service.people("anna", "ben")
    phone = Phone(await browser.page())
    await phone.open(service.url)
    error = phone["login-error"]
    await phone["login-submit"].click()
    await expect(error).to_contain_text("Enter your user ID")
    await expect(phone["login-user"]).to_be_focused()
    await phone["login-user"].fill(anna_id)
    await phone["login-submit"].click()
    await expect(error).to_contain_text("Enter your UserSig")

    await phone["login-sig"].fill("forged")
    await phone["login-submit"].click()
    await expect(error).to_contain_text("not valid for this user")
    await phone["login-sig"].fill(service.ticket(ben_id))  # good, but another user's
    await phone["login-submit"].click()
    await expect(error).to_contain_text("not valid for this user")
    await phone.page.locator("summary").click()
    await phone["login-app"].fill("7")
    await phone["login-submit"].click()
    await expect(error).to_contain_text("does not know this app ID")

    await phone["login-app"].fill(str(APP_ID))
    await phone["login-sig"].fill(service.ticket(anna_id))
    await phone["login-submit"].click()
    await expect(phone["connection"]).to_have_text("Ready for calls")


async def test_an_expired_ticket_is_called_expired(browser: Chromium, service: RunningService) -> None:
    (anna,) = service.people("anna")
    phone = Phone(await browser.page())
    await phone.open(service.url)
    await phone["login-user"].fill(anna)
    await phone["login-sig"].fill(service.ticket(anna, expire_s=60, age_s=120))
    await phone["login-submit"].click()
    await expect(phone["login-error"]).to_contain_text("ticket has expired")


async def test_the_command_lines_ticket_signs_in(browser: Chromium, service: RunningService) -> None:
    (anna,) = service.people("anna")
    phone = Phone(await browser.page())
    ticket = service.command("token", anna)
    await phone.open_signed_in(f"{service.url}#user={anna}&sig={ticket}&app={APP_ID}")


async def test_a_service_that_is_away_is_tried_again(browser: Chromium, service: RunningService) -> None:
    (anna_id,) = service.people("anna")
    blocked = asyncio.Event()
    page = await browser.page()

    async def gate(socket: object) -> None:
        if not blocked.is_set():
            await socket.close()  # type: ignore[attr-defined]
        else:
            socket.connect_to_server()  # type: ignore[attr-defined]

    await page.route_web_socket("**/v1/signal", gate)
    phone = Phone(page)
    await phone.open(service.link(anna_id))
    await expect(phone["login-error"]).to_contain_text("cannot be reached")
    blocked.set()
    await expect(phone["connection"]).to_have_text("Ready for calls", timeout=15_000)


async def test_an_insecure_origin_is_explained_in_one_sentence(
    browser: Chromium, service: RunningService
) -> None:
    page = await browser.page()
    address = service.url.replace("127.0.0.1", FOREIGN_HOST)
    await page.goto(f"{address}#user=anna&sig=x")
    notice = Phone(page)["insecure"]
    await expect(notice).to_be_visible()
    text = (await notice.locator("p").inner_text()).strip()
    assert f"https://{FOREIGN_HOST}:8443/phone/" in text
    assert text.count(". ") == 0
    assert text.endswith(".")
    await expect(page.locator("#login-user")).to_be_hidden()
    assert (
        await notice.locator("a").get_attribute("href")
        == f"https://{FOREIGN_HOST}:8443/phone/#user=anna&sig=x"
    )
    assert browser.log(page).errors == []


async def test_contacts_show_who_is_there_as_it_changes(browser: Chromium, service: RunningService) -> None:
    anna_id, ben_id = service.people("anna", "ben")
    anna = await Phone(await browser.page()).open_signed_in(service.link(anna_id))
    ben = await Phone(await browser.page()).open_signed_in(service.link(ben_id))
    row = anna[f"contact-{ben_id}"]
    await expect(row).to_have_attribute("data-presence", "online")
    await expect(ben[f"contact-{anna_id}"]).to_have_attribute("data-presence", "online")
    await expect(anna[f"contact-{anna_id}"]).to_have_count(0)

    await anna["contact-search"].fill("nobody-like-this")
    await expect(row).to_be_hidden()
    await expect(anna.page.locator("#contacts-empty")).to_contain_text("nobody-like-this")
    await anna["contact-search"].fill("BE")
    await expect(row).to_be_visible()

    await ben["sign-out"].click()
    await expect(row).to_have_attribute("data-presence", "offline")


async def test_a_second_sign_in_elsewhere_takes_over_when_only_one_is_allowed(
    browser: Chromium, service: RunningService
) -> None:
    """The same device id in two places: the older session ends, says why and does not fight back."""
    (anna_id,) = service.people("anna")
    first = Phone(await browser.page())
    await first.open_signed_in(service.link(anna_id))
    device = await first.page.evaluate("sessionStorage.getItem('callagent.device')")
    second = Phone(
        await browser.page(init_scripts=(f"sessionStorage.setItem('callagent.device', '{device}')",))
    )
    await second.open_signed_in(service.link(anna_id))
    await expect(first["login-error"]).to_contain_text("somewhere else")
    await expect(second["connection"]).to_have_text("Ready for calls")


async def test_sound_settings_reach_the_microphone(browser: Chromium, service: RunningService) -> None:
    anna_id, ben_id = service.people("anna", "ben")
    record = """
      const real = MediaDevices.prototype.getUserMedia;
      window.opened = [];
      MediaDevices.prototype.getUserMedia = async function (constraints) {
        const stream = await real.call(this, constraints);
        window.opened.push(stream.getTracks()[0]);
        return stream;
      };"""
    anna = Phone(await browser.page(raw_sound=False, init_scripts=(record,)))
    await anna.open_signed_in(service.link(anna_id))
    await Phone(await browser.page()).open_signed_in(service.link(ben_id))
    await anna.call(ben_id, video=False)
    await anna.wait_for_phase("outgoing")
    settings = """opened.map((t) => [t, t.getSettings()]).map(([t, { echoCancellation, noiseSuppression }]) =>
      [t.kind, t.readyState, echoCancellation, noiseSuppression])"""
    await wait_until(anna.page, "opened.length === 1")
    assert await anna.page.evaluate(settings) == [["audio", "live", True, True]], (
        "an audio call opens no camera"
    )

    await anna["call-settings"].click()
    await assert_sound_layout(anna.page)
    await anna["setting-echo-cancellation"].click()
    await wait_until(anna.page, "opened.length === 2")
    await anna["setting-noise-suppression"].click()
    await wait_until(anna.page, "opened.length === 3")
    tracks = await anna.page.evaluate(settings)
    assert tracks[1][2:] == [False, True]
    assert tracks[2][1:] == ["live", False, False]
    assert [track[1] for track in tracks[:2]] == ["ended", "ended"]
    await anna["settings-close"].click()
    await anna["hangup"].click()
    await wait_until(anna.page, "opened.every((t) => t.readyState === 'ended')")


async def test_device_errors_are_sentences(service: RunningService, tmp_path: Path) -> None:
    anna_id, ben_id = service.people("anna", "ben")
    async with chromium(extra_arguments=("--use-fake-ui-for-media-stream=deny",)) as browser:
        anna = await Phone(await browser.page()).open_signed_in(service.link(anna_id))
        await Phone(await browser.page()).open_signed_in(service.link(ben_id))
        await anna.call(ben_id)
        await expect(anna["notices"]).to_contain_text("does not let this page use the camera")
        await expect(anna["notices"]).to_contain_text("does not let this page use the microphone")
        await anna.wait_for_phase("outgoing")
        await anna["hangup"].click()
        await expect(anna[f"contact-{ben_id}"]).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("name", "width", "height"), [("phone", 360, 740), ("desktop", 1280, 800)])
async def test_every_screen_fits_and_keeps_its_policy(
    browser: Chromium,
    service: RunningService,
    screenshots: Path,
    name: str,
    width: int,
    height: int,
    scheme: Literal["light", "dark"],
) -> None:
    anna_id, ben_id = service.people("anna", "ben")
    page = await browser.page(viewport=(width, height), color_scheme=scheme)
    anna, ben = Phone(page), Phone(await browser.page())

    async def look(screen: str) -> None:
        await assert_sound_layout(page)
        await page.screenshot(path=screenshots / f"{screen}-{name}-{scheme}.png")

    await anna.open(service.url)
    await expect(anna["login-user"]).to_be_visible()
    await look("login")
    await anna.open_signed_in(service.link(anna_id))
    await ben.open_signed_in(service.link(ben_id))
    await expect(anna[f"contact-{ben_id}"]).to_have_attribute("data-presence", "online")
    await look("contacts")

    await ben.call(anna_id)
    await anna.wait_for_phase("incoming")
    await look("incoming")
    await anna["reject"].click()
    await ben.wait_for_phase("ended")
    await expect(ben["call-status"]).to_contain_text("declined")
    if name == "phone":
        await anna["tab-history"].click()
    await expect(anna["history-list"]).to_contain_text(ben_id)
    await look("history")
    if name == "phone":
        await anna["tab-contacts"].click()

    await anna.call(ben_id)
    await anna.wait_for_phase("outgoing")
    await expect(anna["local-video"]).to_be_visible()
    await look("outgoing")
    await ben["answer-video"].click()
    await anna.wait_for_picture()
    await look("connected")
    await ben["camera"].click()
    await anna.wait_for_picture(shown=False)
    await look("camera-off")
    await anna["call-settings"].click()
    await expect(anna["settings"]).to_be_visible()
    await look("settings")
    await anna["settings-close"].click()
    await ben["hangup"].click()
    await anna.wait_for_phase("ended")
    await look("ended")

    log = browser.log(page)
    assert log.csp == []
    assert log.errors == []
    await page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'var ran = 1'}))"
    )
    assert await page.evaluate("typeof ran") == "undefined", "the policy does not stop inline scripts"


async def test_the_sdk_knows_the_protocols_numbers(browser: Chromium, service: RunningService) -> None:
    from callagent.protocol.enums import CallEndReason, MediaType
    from callagent.protocol.errors import ErrorCode

    page = await browser.page()
    await page.goto(service.url)
    sdk = await page.evaluate(
        "import('/sdk/index.js').then(({ ErrorCode, CallEndReason, MediaType }) => "
        "({ ErrorCode, CallEndReason, MediaType }))"
    )
    for enum in (ErrorCode, CallEndReason, MediaType):
        assert sdk[enum.__name__] == {member.name: int(member) for member in enum}
    signalling = await page.evaluate("import('/sdk/signalling.js').then((m) => m.PROTOCOL_VERSION)")
    assert signalling == PROTOCOL_VERSION
