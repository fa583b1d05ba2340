# SPDX-License-Identifier: GPL-3.0-or-later
"""The screen killed in a call, again and again: how soon its page is back, and what the agent notices.

`callagent screen` on Xvfb beside a running agent, killed (SIGKILL) and started anew after the time the unit
waits. The page is there again when the display shows what it showed before, and not that of another state.
"""

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import process
from benchmarks.report import Figure, Report
from benchmarks.x_display import XDisplay, screen_environment, x_display
from tests.programs import Kiosk, Service, running, until

KILLS, SHORT_KILLS, WARM_UP = 100, 5, 3
BACK_LIMIT_S = 3.0
LEAK_LIMIT_MB = 5.0
SIZE = (800, 480)
RESTART_S = 0.5
"""RestartSec= of callagent-screen.service."""
_SHOWN_S = 30.0
_ALIKE, _OTHER = 0.98, 0.9
_BLOCK = 5
"""Pixels a side of what is compared: the call's timer is small in it."""
SCREEN = {
    "place": "Ward 3 West",
    "animations": False,
    "clock": False,
    "renderer": "software",
    "platform": "xcb",
}

Grey = npt.NDArray[np.float64]


def run(short: bool) -> Report:
    return asyncio.run(_run(SHORT_KILLS if short else KILLS))


async def _run(kills: int) -> Report:
    with tempfile.TemporaryDirectory(prefix="callagent-") as name:
        folder = Path(name)
        service = Service(folder)
        async with running(service):
            kiosk = Kiosk("kiosk", service.ticket("kiosk"), service.http_url, folder, screen=SCREEN)
            caller = Kiosk("anna", service.ticket("anna"), service.http_url, folder)
            async with running(kiosk, caller):
                with x_display(SIZE, folder) as display, Screen(kiosk, display) as screen:
                    return await _measure(kiosk, caller, screen, kills)


async def _measure(kiosk: Kiosk, caller: Kiosk, screen: "Screen", kills: int) -> Report:
    screen.start()
    idle = await screen.settles()
    await _connect(caller, kiosk)
    connected = await screen.settles(but_not=idle)
    for _ in range(WARM_UP):
        await screen.kill_and_wait_for(connected)
    assert kiosk.program.process is not None
    pid = kiosk.program.process.pid
    before = _of(pid)
    back = []
    for number in range(1, kills + 1):
        back.append(await screen.kill_and_wait_for(connected))
        print(f"kill {number} of {kills}: back after {back[-1]:.2f} s", file=sys.stderr)
    after = _of(pid)
    call = [await side.until(lambda _: True, "gone") for side in (kiosk, caller)]
    lost = sum(status.state != "connected" for status in call)
    return Report(
        "screen_kills",
        [
            Figure(f"back with the page of the call, p50 ({kills})", "s", statistics.median(back)),
            Figure("back with the page of the call, max", "s", max(back), target=BACK_LIMIT_S),
            Figure("sides that lost the call", "", lost, target=0),
            *(
                Figure(f"agent: {what} more than before", unit, after[what] - before[what], target=limit)
                for what, unit, limit in (
                    ("descriptors", "", 0),
                    ("threads", "", 0),
                    ("memory", "MB", LEAK_LIMIT_MB),
                )
            ),
        ],
    )


async def _connect(caller: Kiosk, kiosk: Kiosk) -> None:
    async with caller.client() as control:
        await control.call([kiosk.user])
    await kiosk.until_state("ringing")
    async with kiosk.client() as control:
        await control.answer()
    for side in (caller, kiosk):
        await side.until_state("connected")
        # Who speaks is framed: nobody does, so that the page is the same at all times.
        async with side.client() as control:
            await control.set_microphone(False)


def _of(pid: int) -> dict[str, float]:
    return {
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": len(os.listdir(f"/proc/{pid}/task")),
        "memory": process.resident_mb(pid),
    }


class Screen:
    """The program, and its display."""

    def __init__(self, kiosk: Kiosk, display: XDisplay) -> None:
        self._display = display
        self._command = [sys.executable, "-m", "callagent", "screen", "-c", str(kiosk.config)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            env=screen_environment(self._display),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    async def settles(self, but_not: Grey | None = None) -> Grey:
        """Wait until a page stands still for a second, and is none that is given; that page."""
        last, since = self._seen(), time.monotonic()

        async def stands() -> bool:
            nonlocal last, since
            now = self._seen()
            blank = now.std() < 1
            if (
                blank
                or not _alike(now, last, _ALIKE)
                or (but_not is not None and _alike(now, but_not, _OTHER))
            ):
                last, since = now, time.monotonic()
            return time.monotonic() - since >= 1

        await until(stands, _SHOWN_S, lambda: "no page stands on the display")
        return last

    async def kill_and_wait_for(self, page: Grey) -> float:
        """Seconds from the kill to the page."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(self._process.wait)

        async def gone() -> bool:
            return not _alike(self._seen(), page, _OTHER)

        await until(gone, _SHOWN_S, lambda: "the page of a process that is gone stays")
        await asyncio.sleep(max(0.0, began + RESTART_S - time.monotonic()))
        self.start()

        async def back() -> bool:
            return _alike(self._seen(), page, _ALIKE)

        await until(back, _SHOWN_S, lambda: "the page does not come back")
        return time.monotonic() - began

    def _seen(self) -> Grey:
        grey = self._display.picture()[..., :3].mean(axis=2)
        height, width = (side // _BLOCK for side in grey.shape)
        blocks: Grey = grey.reshape(height, _BLOCK, width, _BLOCK).mean(axis=(1, 3))
        return blocks


def _alike(one: Grey, other: Grey, least: float) -> bool:
    first, second = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return scale > 0 and float((first * second).sum()) / scale >= least
