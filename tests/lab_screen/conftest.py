# SPDX-License-Identifier: GPL-3.0-or-later
"""One guest for the whole session, one agent in it for a module; its screen is started for each test."""

import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.lab.kiosk import GuestKiosk, guest_kiosk, lab_caller
from tests.lab.machine import Machine
from tests.lab_screen.expected import LANDSCAPE, Expected
from tests.lab_screen.machine import image, install
from tests.lab_screen.panel import Panel
from tests.lab_screen.site import VIRTUAL, Site
from tests.programs import Kiosk, Service, running

MakeExpected = Callable[..., Expected]


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """The running guest, with callagent and its screen installed."""
    if os.geteuid() != 0 or shutil.which("qemu-system-x86_64") is None:
        pytest.exit("the laboratory needs root and QEMU: run make lab", returncode=1)
    with Machine(image()) as guest:
        install(guest)
        yield guest


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """The call service, here."""
    there = Service(tmp_path_factory.mktemp("service"))
    async with running(there):
        yield there


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def caller(service: Service) -> AsyncIterator[Kiosk]:
    """The other side of calls: an agent here, on virtual devices."""
    anna = lab_caller(service)
    async with running(anna):
        yield anna


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kiosk(machine: Machine, service: Service) -> AsyncIterator[GuestKiosk]:
    """The guest's agent, online."""
    async with guest_kiosk(machine, service, service.folder) as guest:
        await guest.start(camera=VIRTUAL, microphone=VIRTUAL, speaker=VIRTUAL)
        yield guest


@pytest.fixture
def expect() -> Iterator[MakeExpected]:
    """Makes pages as they have to be."""
    made: list[Expected] = []

    def make(*arguments: object, **more: object) -> Expected:
        # Qt has one application for all: one page at a time.
        for before in made:
            before.close()
        made[:] = [Expected(*arguments, **more)]  # type: ignore[arg-type]
        return made[0]

    yield make
    for page in made:
        page.close()


@pytest_asyncio.fixture(loop_scope="module")
async def site(
    machine: Machine, kiosk: GuestKiosk, caller: Kiosk, expect: MakeExpected, tmp_path: Path
) -> AsyncIterator[Site]:
    """The screen, not started yet, on a display of 800x480 with a touch screen."""
    machine.plug_display(*LANDSCAPE)
    panel = Panel(machine, tmp_path)
    await panel.plug_touch(*LANDSCAPE)
    here = Site(kiosk, panel, caller, expect)
    try:
        yield here
    finally:
        await here.close()
