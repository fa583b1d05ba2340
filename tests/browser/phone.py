# SPDX-License-Identifier: GPL-3.0-or-later
"""The web phone in a page, as a person uses it and as a test measures it."""

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
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


_SELF = "self"
_OWN_GAP_MS = 150.0
"""Twice a picture's time, which a page that has a processor keeps."""


def _video(user: str | None) -> str:
    """The selector of a member's picture; without a name, of the only other one."""
    return f"[data-testid='tile-{user}'] video" if user else "#stage .remote video"


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

    async def choose(self, users: Sequence[str]) -> None:
        """Tap these contacts, so that they are called together."""
        for user in users:
            await self[f"contact-{user}"].get_by_test_id("choose").click()

    async def call_together(self, users: Sequence[str], *, video: bool = True) -> None:
        await self.choose(users)
        await self["chosen-video" if video else "chosen-audio"].click()

    async def wait_for_phase(self, phase: str) -> None:
        """incoming, outgoing, connected or ended."""
        await expect(self.page.locator(f"#screen-call[data-phase={phase}]")).to_be_visible()

    async def wait_for_picture(self, user: str | None = None, *, shown: bool = True) -> None:
        """Until the picture of that member (of two: of the other side) is shown, or is not any more."""
        state = str(shown).lower()
        if user is None:
            picture = self.page.locator(f"#screen-call[data-picture={state}]")
            await expect(picture).to_be_visible(timeout=PICTURE_DEADLINE_S * 1000)
        else:
            tile = self[f"tile-{user}"]
            await expect(tile).to_have_attribute("data-picture", state, timeout=PICTURE_DEADLINE_S * 1000)

    async def wait_for_layout(self, layout: str) -> None:
        """solo, grid or focus."""
        await expect(self["stage"]).to_have_attribute("data-layout", layout)

    async def state(self) -> dict[str, Any]:
        """What `window.callagentPhone.state()` says."""
        state: dict[str, Any] = await self.page.evaluate("callagentPhone.state()")
        return state

    async def watch_frames(self, user: str | None = None) -> None:
        """Start reading the frame code of a member's picture."""
        await self.page.evaluate("video => void frameCode.of(video)", _video(user))

    async def frames(self, user: str | None = None) -> list[FrameSample]:
        """The frames read since `watch_frames`."""
        rows = await self.page.evaluate(
            "video => frameCode.of(video).samples.map((s) => [s.at, s.ident, s.counter, s.clock])",
            _video(user),
        )
        return [FrameSample(*row) for row in rows]

    async def wait_for_frames(self, count: int, user: str | None = None) -> list[FrameSample]:
        """Until that many frames were read."""
        await self.watch_frames(user)
        await wait_until(
            self.page,
            "([video, count]) => frameCode.of(video).samples.length >= count",
            [_video(user), count],
            deadline_s=30,
        )
        return await self.frames(user)

    async def now_ms(self) -> float:
        """The page's clock."""
        now: float = await self.page.evaluate("performance.now()")
        return now

    async def wait_for_pictures_after(self, at_ms: float, count: int, user: str | None = None) -> None:
        """Until that many pictures, readable or not, were shown after a time of the page's clock."""
        await self.watch_frames(user)
        await wait_until(
            self.page,
            "([video, at, count]) => frameCode.of(video).times.filter((time) => time > at).length >= count",
            [_video(user), at_ms, count],
            deadline_s=30,
        )

    async def watch_own_picture(self) -> None:
        """A witness of how the page itself is doing: its own picture, which no network brings."""
        await self.watch_frames(_SELF)
        await self.wait_for_pictures_after(await self.now_ms(), 5, _SELF)

    async def gap_without_own_ms(self, since_ms: float, user: str | None = None) -> float:
        """The longest gap of a member's picture, less what the page was late with its own meanwhile."""
        late = await self.longest_gap_ms(since_ms, _SELF) - _OWN_GAP_MS
        return await self.longest_gap_ms(since_ms, user) - max(0.0, late)

    async def longest_gap_ms(self, since_ms: float, user: str | None = None) -> float:
        """Between two pictures that were shown one after the other, since a time of the page's clock."""
        times: list[float] = await self.page.evaluate("video => frameCode.of(video).times", _video(user))
        before = [time for time in times if time <= since_ms][-1:]
        shown = before + [time for time in times if time > since_ms]
        return max(after - at for at, after in itertools.pairwise(shown))

    async def tone(self, hz: float, user: str | None = None) -> Mapping[str, float] | None:
        """{level, neighbours, margin} in dB of a tone in a member's sound; None without sound."""
        measured: dict[str, float] | None = await self.page.evaluate(
            "([video, hz]) => audioMeter.measure(video, hz)", [_video(user), hz]
        )
        return measured

    async def wait_for_tone(
        self, hz: float, user: str | None = None, *, present: bool, deadline_s: float = 15.0
    ) -> float:
        """Until the tone stands out by 20 dB, or is below -60 dBFS; its margin or level in dB."""
        end = time.monotonic() + deadline_s
        measured: Mapping[str, float] | None = None
        while time.monotonic() < end:
            measured = await self.tone(hz, user)
            if measured is not None:
                if present and measured["level"] > -50 and measured["margin"] >= 20:
                    return measured["margin"]
                if not present and measured["level"] < -60:
                    return measured["level"]
            await asyncio.sleep(0.1)
        raise AssertionError(
            f"{hz} Hz {'missing' if present else 'still there'} after {deadline_s} s: {measured}"
        )
