# SPDX-License-Identifier: GPL-3.0-or-later
"""Televisions put to sleep and woken by HDMI-CEC: without a signal many show a notice, and stay on.

By `cec-ctl` (Debian: v4l-utils) on the kernel's CEC devices. On a thread of its own: a television that is
asleep takes seconds to answer, and the page must not wait for it. No board has run this.
"""

import logging
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

logger = logging.getLogger(__name__)

PROGRAM = "cec-ctl"
_TIMEOUT_S, _CLOSE_S = 10.0, 4.0
_TELEVISION = "0"
"""Its logical address, always (CEC 1.4, table 5)."""

Run = Callable[[Sequence[str]], None]
"""Raises OSError and subprocess.SubprocessError."""


def find_televisions() -> "Televisions | None":
    """None where the kernel has no CEC device, or nothing speaks to it."""
    devices = sorted(map(str, Path("/dev").glob("cec[0-9]*")))
    return Televisions(devices) if devices and shutil.which(PROGRAM) else None


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT_S)


class Televisions:
    """All that are connected. Called from the GUI thread, never waits; the last wish counts."""

    def __init__(self, devices: Sequence[str], run: Run = _run) -> None:
        self._devices, self._run = devices, run
        self._changed = threading.Condition()
        self._wanted: bool | None = None
        self._told: bool | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="televisions", daemon=True)
        self._thread.start()

    def __call__(self, on: bool) -> None:
        with self._changed:
            self._wanted = on
            self._changed.notify_all()

    def close(self) -> None:
        """When what was wanted last is done, or after 4 s: the unit's end must not wait for a television."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(_CLOSE_S)

    def _work(self) -> None:
        while (on := self._next()) is not None:
            for device in self._devices:
                self._tell(device, on)

    def _next(self) -> bool | None:
        with self._changed:
            self._changed.wait_for(lambda: self._wanted != self._told or self._closed)
            if self._wanted == self._told:
                return None
            self._told = self._wanted
            return self._told

    def _tell(self, device: str, on: bool) -> None:
        try:
            # An adapter speaks only as something: a player, here.
            self._run([PROGRAM, "-d", device, "--playback"])
            self._run([PROGRAM, "-d", device, "--to", _TELEVISION, "--image-view-on" if on else "--standby"])
        except (OSError, subprocess.SubprocessError) as error:
            logger.warning(
                "the television at %s cannot be switched %s: %s", device, "on" if on else "off", error
            )
