# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures are the machine: one guest for the whole session, callagent installed in it once."""

import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.lab.kiosk import GuestKiosk, guest_kiosk, install
from tests.lab.machine import Machine, image
from tests.lab.slowdown import slowdown
from tests.programs import Kiosk, Service, running


@pytest.fixture(scope="session")
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """The running guest."""
    if os.geteuid() != 0 or shutil.which("qemu-system-x86_64") is None:
        pytest.exit("the laboratory needs root and QEMU: run make lab", returncode=1)
    with Machine(image()) as guest:
        factor = slowdown(guest)
        reporter = request.config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(
                f"laboratory: ready after {guest.started_s:.1f} s, {factor:.0f} times slower than here"
            )
        guest.slowdown = factor
        yield guest


@pytest.fixture(scope="session")
def installed(machine: Machine) -> Machine:
    """The guest with callagent installed as README says."""
    began = time.monotonic()
    install(machine)
    machine.installed_s = time.monotonic() - began
    return machine


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """The call service, here."""
    service = Service(tmp_path)
    async with running(service):
        yield service


@pytest.fixture
async def kiosk(installed: Machine, service: Service, tmp_path: Path) -> AsyncIterator[GuestKiosk]:
    """The installed agent, not started yet."""
    async with guest_kiosk(installed, service, tmp_path) as guest:
        yield guest


@pytest.fixture
async def caller(service: Service) -> AsyncIterator[Kiosk]:
    """The other side of calls: an agent here, on virtual devices."""
    small = {"width": 320, "height": 240, "fps": 10}
    video = small | {"codecs": ["VP8"]}
    ticket = service.ticket("anna")
    anna = Kiosk("anna", ticket, service.http_url, service.folder, camera=small, video=video)
    async with running(anna):
        yield anna
