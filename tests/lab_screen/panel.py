# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest's glass, seen and touched from outside: QEMU's screen dumps, a touch screen of the kernel's."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPoint
from PySide6.QtGui import QImage

from tests.lab.machine import Machine
from tests.lab.waiting import until
from tests.screen.likeness import likeness

UNIT = "callagent-screen"
START_S = 60.0
"""Of Qt, its fonts and perhaps a compositor in a guest twenty times slower."""
ALIKE = 0.97
"""Of the same page, drawn there and here by fonts of two Debian releases."""
_PIPE = "/run/touch"
_SENTENCE_PX = 24
"""QEMU draws a sentence of its own across the middle when the output is not active, not higher than this."""


class Panel:
    """Of the first connector."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine = machine
        self._folder = folder
        self._shots = 0

    # --- the program ------------------------------------------------------------------

    async def start(self) -> None:
        await self.run(f"systemctl restart {UNIT}", timeout_s=START_S)

    async def stop(self) -> None:
        await self.run(f"systemctl stop {UNIT}; systemctl reset-failed {UNIT}", check=False, timeout_s=30)

    async def pid(self) -> str:
        """Of the page's process, which under a compositor is not the unit's main one."""
        return (await self.run("pgrep -o -f 'python3? .*callagent screen -c'")).strip()

    async def run(self, command: str, *, check: bool = True, timeout_s: float = 60.0) -> str:
        return (await asyncio.to_thread(self.machine.run, command, check=check, timeout_s=timeout_s)).out

    def journal(self) -> str:
        return self.machine.run(f"journalctl -u {UNIT} -n 40 --no-pager -o short-monotonic").out

    # --- what is seen -------------------------------------------------------------------

    def shot(self) -> QImage:
        """What the display gets at this moment."""
        self._shots += 1
        file = self._folder / f"shot{self._shots:03}.png"
        self.machine.monitor("screendump", filename=str(file), format="png", device="screen", head=0)
        return QImage(str(file)).convertToFormat(QImage.Format.Format_RGB32)

    async def shows(self, expected: Callable[[], QImage], what: str, deadline_s: float = START_S) -> QImage:
        """Wait until the glass shows this page; `expected` is asked anew each time."""
        best = (-1.0, QImage())

        async def alike() -> bool:
            nonlocal best
            seen = await asyncio.to_thread(self.shot)
            found = likeness(seen, expected())
            best = max(best, (found, seen), key=lambda pair: pair[0])
            return found >= ALIKE

        def failure() -> str:
            expected().save(str(self._folder / "expected.png"))
            return f"{what}: {best[0]:.3f}, see {self._folder}\n{self.journal()}"

        await until(alike, deadline_s, failure)
        return best[1]

    async def becomes(self, condition: Callable[[QImage], bool], what: str, deadline_s: float = 30.0) -> None:
        async def fulfilled() -> bool:
            return condition(await asyncio.to_thread(self.shot))

        await until(fulfilled, deadline_s, lambda: f"{what}, see {self._folder}\n{self.journal()}")

    # --- what is touched ----------------------------------------------------------------

    async def plug_touch(self, width: int, height: int) -> None:
        """A touch screen as large as the display."""
        await self.run(f"rm -f {_PIPE}; mkfifo {_PIPE}")
        self.machine.background(
            f"/opt/callagent/bin/python /share/screen/touch.py {width} {height} <>{_PIPE}", "touch.log"
        )
        await asyncio.to_thread(self.machine.until, "grep -q Lab.Touch /proc/bus/input/devices")
        await self.run("udevadm settle")

    async def pull_touch(self) -> None:
        await self.run("pkill -f touch.py", check=False)

    async def tap(self, point: QPoint) -> None:
        await self.run(f"echo {point.x()} {point.y()} >{_PIPE}")


def is_dark(picture: QImage) -> bool:
    """Every pixel black: nobody's face, no text."""
    return not _lit_rows(picture)


def is_off(picture: QImage) -> bool:
    """The display gets no signal."""
    rows, middle = _lit_rows(picture), picture.height() / 2
    return bool(rows) and all(abs(row - middle) <= _SENTENCE_PX for row in rows)


def _lit_rows(picture: QImage) -> list[int]:
    grey = picture.convertToFormat(QImage.Format.Format_Grayscale8)
    lit = np.frombuffer(grey.constBits(), np.uint8).reshape(grey.height(), grey.bytesPerLine())
    return [int(row) for row in np.flatnonzero(lit[:, : grey.width()].any(axis=1))]
