# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person at the web phone may do at the kiosk's door, and what they see of its privacy switch."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory
from playwright.async_api import expect

from callagent.agent.agent import Agent
from callagent.agent.sign_in import identify
from callagent.config import AgentConfig
from tests.browser.chromium import Chromium
from tests.browser.phone import Phone
from tests.browser.service import RunningService
from tests.programs import APP_ID, until

LINE = "GPIO22"


class Intercom:
    """An agent in this process whose door hangs on gpiozero's mock pins."""

    def __init__(self, agent: Agent, factory: MockFactory) -> None:
        self.agent, self._factory = agent, factory

    async def until_door(self, *, driven: bool) -> None:
        async def so() -> bool:
            return bool(self._factory.pin(LINE).state) is driven

        await until(so, 15, lambda: f"the door's line is {'not driven' if driven else 'still driven'}")


@asynccontextmanager
async def intercom(service: RunningService, user: str, **door: Any) -> AsyncIterator[Intercom]:
    devices = {name: {"device": "virtual"} for name in ("camera", "microphone", "speaker")}
    config = AgentConfig.model_validate(
        {
            "service": {"url": service.http_url, "sdk_app_id": APP_ID},
            "identity": {"user": user, "usersig": service.ticket(user)},
            "answer": {"mode": "auto", "from": "anyone", "delay_s": 0},
            "door": {"gpio": {"line": LINE}, "pulse_s": 0.5, "min_interval_s": 0} | door,
            **devices,
        }
    )
    factory = MockFactory()
    agent = Agent(config, await identify(config), gpio_factory=factory)
    try:
        await agent.start()
        yield Intercom(agent, factory)
    finally:
        await agent.close()


@pytest.fixture
def users(service: RunningService) -> tuple[str, ...]:
    return service.people("operator", "door")


async def connected(phone: Phone, user: str) -> None:
    await phone.call(user)
    await phone.wait_for_phase("connected")
    await phone.wait_for_picture()


async def test_the_door_is_opened_from_the_page(
    browser: Chromium, service: RunningService, users: tuple[str, ...]
) -> None:
    operator, door = users
    async with intercom(service, door, allow=[operator]) as box:
        phone = await Phone(await browser.page()).open_signed_in(service.link(operator))
        await connected(phone, door)
        await expect(phone["open-door"]).to_be_visible()
        await phone["open-door"].click()
        await box.until_door(driven=True)
        await expect(phone["notices"]).to_contain_text("The door was opened")
        await box.until_door(driven=False)


async def test_a_door_that_is_not_for_this_person_is_refused_with_a_word(
    browser: Chromium, service: RunningService, users: tuple[str, ...]
) -> None:
    operator, door = users
    async with intercom(service, door, allow=["porter"]) as box:
        phone = await Phone(await browser.page()).open_signed_in(service.link(operator))
        await connected(phone, door)
        await phone["open-door"].click()
        await expect(phone["notices"]).to_contain_text("not allowed")
        await box.until_door(driven=False)


async def test_the_page_says_that_privacy_is_on_at_the_other_side(
    browser: Chromium, service: RunningService, users: tuple[str, ...]
) -> None:
    operator, door = users
    async with intercom(service, door, allow=[operator]) as box:
        phone = await Phone(await browser.page()).open_signed_in(service.link(operator))
        await connected(phone, door)
        await box.agent.set_privacy(True)
        await expect(phone.page.locator("#screen-call")).to_contain_text("privacy", ignore_case=True)
        await box.agent.set_privacy(False)
        await expect(phone.page.locator("#screen-call")).not_to_contain_text("privacy", ignore_case=True)
        await phone.wait_for_picture()
