# SPDX-License-Identifier: GPL-3.0-or-later
"""A kiosk with its screen in the guest, and what a test does with it."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtGui import QImage

from tests.lab.kiosk import CONFIG, GuestKiosk
from tests.lab_screen.expected import LANDSCAPE, Expected
from tests.lab_screen.panel import Panel
from tests.programs import Kiosk
from tests.screen.likeness import likeness

VIRTUAL = {"device": "virtual"}
DEADLINE_S = 60.0
SHOWN = {
    "place": "Ward 3 West",
    # What moves by itself has no place in a comparison.
    "clock": False,
    "animations": False,
    "contacts": [{"name": "Reception", "users": ["anna"]}],
}


class Site:
    def __init__(
        self, kiosk: GuestKiosk, panel: Panel, caller: Kiosk, expect: Callable[..., Expected]
    ) -> None:
        self.kiosk, self.panel, self.caller = kiosk, panel, caller
        self._expect = expect
        self._shown: dict[str, Any] = {}
        self._page: Expected | None = None

    async def start(self, **screen: Any) -> None:
        """The program with these settings, until the idle page stands on the glass."""
        self._shown = SHOWN | screen
        file = self.panel.machine.share / "callagent.yaml"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"screen": self._shown}))
        await self.panel.run(f"cat /share/{file.name} >{CONFIG}")
        await self.panel.start()
        await self.shows("idle")

    async def close(self) -> None:
        """No call, no screen, no touch screen."""
        for side in (self.caller, self.kiosk):
            status = await side.status()
            if status is not None and status.state != "idle":
                async with side.client() as control:
                    await control.hangup()
        await self.kiosk.until_state("idle", DEADLINE_S)
        await self.panel.stop()
        await self.panel.pull_touch()

    def expected(self, size: tuple[int, int] = LANDSCAPE, **screen: Any) -> Expected:
        """The page of an agent that says nothing yet."""
        self._page = self._expect(self._shown | screen, size)
        return self._page

    async def shows(self, state: str, size: tuple[int, int] = LANDSCAPE, touched: str = "") -> QImage:
        """Wait until the agent is in this state and its page on the glass; `touched`: that of the page."""
        status = await self.kiosk.until_state(state, DEADLINE_S)
        page = self.expected(size)
        page.hear(status)
        if touched:
            await self.touch(touched)
        return await self.panel.shows(page.picture, f"not the page {state}", DEADLINE_S)

    async def shows_starting(self) -> None:
        """Wait until it says that it waits for the agent."""
        await self.panel.shows(self.expected().picture, "not the page of a kiosk that starts", DEADLINE_S)

    async def likest(self, languages: Sequence[str], seen: QImage) -> str:
        """The language in which this page would be most like what was seen."""
        status = await self.kiosk.status()
        assert status is not None
        found = {each: likeness(seen, self.expected(language=each).hear(status)) for each in languages}
        return max(found, key=found.__getitem__)

    async def ring(self) -> None:
        """The caller calls, and it is seen."""
        async with self.caller.client() as control:
            await control.call(["kiosk"])
        await self.shows("ringing")

    async def touch(self, name: str) -> None:
        """A control of the page that was shown last."""
        assert self._page is not None
        await self.panel.tap(self._page.middle_of(name))
