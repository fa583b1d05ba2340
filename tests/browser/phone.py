# SPDX-License-Identifier: GPL-3.0-or-later
"""The web phone in a page, as a person uses it and as a test measures it."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Locator, Page, expect

PICTURE_DEADLINE_S = 20.0


@dataclass(frozen=True)
class FrameSample:
    """One picture that was shown and read."""

    at_ms: float
    """The page's clock."""
    ident: int
    counter: int
    clock_ms: int


async def wait_until(page: Page, expression: str, argument: object = None, *, deadline_s: float = 20) -> None:
    """Until the JavaScript expression (or function of `argument`) is true in the page.

    Playwright's own `wait_for_function` needs `eval`, which the phone's content security policy forbids.
    """
    end = time.monotonic() + deadline_s
    while not await page.evaluate(expression, argument):
        if time.monotonic() > end:
            raise AssertionError(f"not true within {deadline_s} s: {expression}")
        await asyncio.sleep(0.05)


class Phone:
    """One page with the web phone in it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def __getitem__(self, test_id: str) -> Locator:
        return self.page.get_by_test_id(test_id)

    async def open(self, url: str) -> "Phone":
        await self.page.goto(url)
        return self

    async def open_signed_in(self, link: str) -> "Phone":
        """Follow a sign-in link and wait for the contacts."""
        await self.page.goto(link)
        await expect(self.page.locator("#screen-home")).to_be_visible()
        return self

    async def call(self, user: str, *, video: bool = True) -> None:
        """Press the contact's call button."""
        await self[f"contact-{user}"].get_by_test_id("call-video" if video else "call-audio").click()

    async def wait_for_phase(self, phase: str) -> None:
        """incoming, outgoing, connected or ended."""
        await expect(self.page.locator(f"#screen-call[data-phase={phase}]")).to_be_visible()

    async def wait_for_picture(self, *, shown: bool = True) -> None:
        """Until the other side's picture fills the screen, or does not any more."""
        picture = self.page.locator(f"#screen-call[data-picture={str(shown).lower()}]")
        await expect(picture).to_be_visible(timeout=PICTURE_DEADLINE_S * 1000)

    async def state(self) -> dict[str, Any]:
        """What `window.callagentPhone.state()` says."""
        state: dict[str, Any] = await self.page.evaluate("callagentPhone.state()")
        return state

    async def watch_frames(self) -> None:
        """Start reading the frame code of the remote picture."""
        await self.page.evaluate("void frameCode.of('#remote-video')")

    async def frames(self) -> list[FrameSample]:
        """The frames read since `watch_frames`."""
        rows = await self.page.evaluate(
            "frameCode.of('#remote-video').samples.map((s) => [s.at, s.ident, s.counter, s.clock])"
        )
        return [FrameSample(*row) for row in rows]

    async def wait_for_frames(self, count: int) -> list[FrameSample]:
        """Until that many frames were read."""
        await self.watch_frames()
        await wait_until(
            self.page, "count => frameCode.of('#remote-video').samples.length >= count", count, deadline_s=30
        )
        return await self.frames()

    async def tone(self, hz: float) -> Mapping[str, float] | None:
        """{level, neighbours, margin} in dB of a tone in the remote sound; None without sound."""
        measured: dict[str, float] | None = await self.page.evaluate(
            "hz => audioMeter.measure('#remote-video', hz)", hz
        )
        return measured

    async def wait_for_tone(self, hz: float, *, present: bool, deadline_s: float = 15.0) -> float:
        """Until the tone stands out by 20 dB, or is below -60 dBFS; its margin or level in dB."""
        end = time.monotonic() + deadline_s
        measured: Mapping[str, float] | None = None
        while time.monotonic() < end:
            measured = await self.tone(hz)
            if measured is not None:
                if present and measured["level"] > -50 and measured["margin"] >= 20:
                    return measured["margin"]
                if not present and measured["level"] < -60:
                    return measured["level"]
            await asyncio.sleep(0.1)
        raise AssertionError(
            f"{hz} Hz {'missing' if present else 'still there'} after {deadline_s} s: {measured}"
        )
