# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures are the machine: one guest for the whole session, callagent installed in it once."""

import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.kernel_events import KernelEvents
from tests.lab.kiosk import GuestKiosk, guest_kiosk, install, lab_caller
from tests.lab.limits import Limits
from tests.lab.machine import Machine, image
from tests.lab.scene import Scene
from tests.lab.slowdown import slowdown
from tests.programs import Kiosk, Service, running


@pytest.fixture(scope="session")
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """The running guest."""
    if os.geteuid() != 0 or shutil.which("qemu-system-x86_64") is None:
        pytest.exit("the laboratory needs root and QEMU: run make lab", returncode=1)
    with Machine(image()) as guest:
        guest.slowdown = slowdown(guest)
        _say(request)(
            f"laboratory: ready after {guest.started_s:.1f} s, {guest.slowdown:.1f} times slower than here"
        )
        yield guest


def _say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Prints a line, whether tests' output is shown or not."""
    plugins = request.config.pluginmanager
    reporter, capture = plugins.getplugin("terminalreporter"), plugins.getplugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(line)

    return say


@pytest.fixture
def limits(machine: Machine, request: pytest.FixtureRequest) -> Limits:
    return Limits(machine.slowdown, _say(request))


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
    anna = lab_caller(service)
    async with running(anna):
        yield anna


@pytest.fixture
def scene(kiosk: GuestKiosk, caller: Kiosk) -> Scene:
    """Both, with nothing going on yet."""
    return Scene(kiosk, caller)


@pytest.fixture
def kernel_events(installed: Machine) -> Iterator[KernelEvents]:
    """What the guest's kernel tells from now on."""
    events = KernelEvents(installed)
    events.start()
    yield events
    events.stop()
