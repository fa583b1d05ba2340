# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboard of calls and devices, and the page of the REST commands, as an administrator sees them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from callagent.server.accounts import ADMINISTRATOR
from tests.browser.chromium import Chromium
from tests.browser.service import RunningService, running_service
from tests.browser.test_pages import assert_sound_layout
from tests.unit.server.rig import Client


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Of its own: its figures are those of the calls made here."""
    # Nobody listens there.
    servers = [{"url": "ws://127.0.0.1:9"}]
    with running_service(tmp_path_factory.mktemp("service"), media_servers=servers) as running:
        yield running


async def sign_in(page: Page, service: RunningService) -> None:
    await page.goto(f"{service.http_url}/admin/")
    await page.locator("#login-sig").fill(service.ticket(ADMINISTRATOR))
    await page.locator("#login button").click()
    await expect(page.locator("#board")).to_be_visible()


def client(service: RunningService) -> Client:
    return Client(f"ws://127.0.0.1:{service.http_port}/v1/signal")


async def test_an_administrator_sees_calls_and_devices(
    browser: Chromium, service: RunningService, screenshots: Path
) -> None:
    anna_id, ben_id = service.people("anna", "ben")
    async with client(service) as anna, client(service) as ben:
        await anna.login(anna_id, service.ticket(anna_id), "desk", platform="web", version="browser")
        await ben.login(ben_id, service.ticket(ben_id), "k1", platform="linux", version="1.2", model="Lobby")
        call = await anna.ok("calls", userIdList=[ben_id], mediaType=1)
        await ben.ok("accept", callId=call["callId"])
        await anna.ok("hangup", callId=call["callId"])
        page = await browser.page()
        await sign_in(page, service)
        kiosk = page.locator(f'[data-device="{ben_id}/k1"]')
        await expect(kiosk).to_contain_text("online")
        await expect(kiosk).to_contain_text("Lobby")
        await expect(kiosk).to_contain_text("1.2")
        await expect(page.locator('[data-figure="answered"] strong')).to_have_text("1")
        await expect(page.locator("#days rect.answered")).not_to_have_count(0)
        await expect(page.locator("#media-servers li")).to_contain_text(["ws://127.0.0.1:9"])
        await expect(page.locator("#media-servers .bad")).not_to_be_empty()
        await assert_sound_layout(page)
        await page.screenshot(path=screenshots / "admin.png", full_page=True)
        await page.set_viewport_size({"width": 390, "height": 800})
        await assert_sound_layout(page)
        await page.screenshot(path=screenshots / "admin-phone.png", full_page=True)
        await ben.ok("logout")

    await page.locator("#type").select_option("MultiCall")
    await expect(page.locator('[data-figure="calls"] strong')).to_have_text("0")
    await page.reload()
    await expect(kiosk).to_contain_text("offline")
    await page.locator("#sign-out").click()
    await page.reload()
    await expect(page.locator("#login")).to_be_visible()


async def test_who_is_no_administrator_is_told(browser: Chromium, service: RunningService) -> None:
    (anna_id,) = service.people("anna")
    page = await browser.page()
    await page.goto(f"{service.http_url}/admin/")
    await page.locator("#login-user").fill(anna_id)
    await page.locator("#login-sig").fill(service.ticket(anna_id))
    await page.locator("#login button").click()
    await expect(page.locator("#login-error")).to_contain_text("no administrator")
    await expect(page.locator("#board")).to_be_hidden()


async def test_the_commands_are_described_without_the_internet(
    browser: Chromium, service: RunningService, screenshots: Path
) -> None:
    page = await browser.page()
    foreign: list[str] = []
    page.on("request", lambda request: foreign.append(request.url))
    await page.goto(f"{service.http_url}/docs")
    await expect(page.get_by_text("/v4/call_engine_http_srv/get_call_info")).to_be_visible()
    assert [url for url in foreign if not url.startswith((service.http_url, "data:"))] == []
    await page.screenshot(path=screenshots / "docs.png")
