# SPDX-License-Identifier: GPL-3.0-or-later
"""Three web phones, and the connections their pages make."""

from tests.browser.chromium import Chromium
from tests.browser.phone import Phone
from tests.browser.service import RunningService

OPEN_CONNECTIONS = "count => connections.filter((pc) => pc.connectionState !== 'closed').length === count"
"""Whether the page of a phone has this many."""
KEEP_CONNECTIONS = """
  window.connections = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) { super(...args); connections.push(this); }
  };"""


class Three:
    """Anna and Cleo in one browser, Ben in another, so that what he sends is told apart."""

    def __init__(self, ids: tuple[str, ...], phones: tuple[Phone, ...]) -> None:
        self.anna_id, self.ben_id, self.cleo_id = ids
        self.anna, self.ben, self.cleo = phones

    async def call(self) -> None:
        """Anna calls both, both answer, everybody sees everybody."""
        await self.anna.call_together([self.ben_id, self.cleo_id])
        for phone in (self.ben, self.cleo):
            await phone.wait_for_phase("incoming")
            await phone["answer-video"].click()
        await self.all_see_all()

    async def all_see_all(self) -> None:
        everybody = {self.anna_id: self.anna, self.ben_id: self.ben, self.cleo_id: self.cleo}
        for user, phone in everybody.items():
            await phone.wait_for_phase("connected")
            await phone.wait_for_layout("grid")
            for other in everybody:
                if other != user:
                    await phone.wait_for_picture(other)


async def open_three(browser: Chromium, other_browser: Chromium, service: RunningService) -> Three:
    """Signed in; Cleo's is a telephone."""
    ids = service.people("anna", "ben", "cleo")
    pages = (
        await browser.page(init_scripts=(KEEP_CONNECTIONS,)),
        await other_browser.page(),
        await browser.page(viewport=(390, 844), touch=True),
    )
    anna, ben, cleo = [
        await Phone(page).open_signed_in(service.link(user)) for page, user in zip(pages, ids, strict=True)
    ]
    return Three(ids, (anna, ben, cleo))
