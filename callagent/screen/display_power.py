# SPDX-License-Identifier: GPL-3.0-or-later
"""The display asleep while nothing happens, awake before anybody has to see something."""

import fcntl
import logging
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtGui import QGuiApplication

from callagent.screen.state import Page, Shown

logger = logging.getLogger(__name__)

FRAMEBUFFER = Path("/dev/fb0")
_FBIOBLANK = 0x4611
_POWERDOWN, _UNBLANK = 4, 0
"""linux/fb.h"""
_CHECK_MS = 500
_COMPOSITOR_TIMEOUT_S = 5.0

_TOUCHES = frozenset(
    {
        QEvent.Type.TouchBegin,
        QEvent.Type.MouseButtonPress,
        QEvent.Type.KeyPress,
    }
)


class Switch(Protocol):
    """Switches the display on or off. Raises OSError."""

    def __call__(self, on: bool) -> None: ...


def find_switch(platform: str) -> Switch | None:
    """What can do it under this Qt platform; None where nothing can (a DRM master holds the display)."""
    if platform == "linuxfb" and not os.environ.get("QT_QPA_FB_DRM"):
        return blank_framebuffer
    if platform == "wayland" and (shutil.which("wlr-randr") or shutil.which("wlopm")):
        return switch_outputs
    return None


def blank_framebuffer(on: bool) -> None:
    """The kernel's own blanking, which takes the panel's signal away. Needs group video. Raises OSError."""
    handle = os.open(FRAMEBUFFER, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(handle, _FBIOBLANK, _UNBLANK if on else _POWERDOWN)
    finally:
        os.close(handle)


def switch_outputs(on: bool) -> None:
    """All outputs of the compositor. Raises OSError."""
    try:
        if not _power_outputs(on):
            _toggle_outputs(on)
    except subprocess.SubprocessError as error:
        raise OSError(f"the compositor: {error}") from error


def _power_outputs(on: bool) -> bool:
    """By wlr-output-power-management, which leaves windows where they are; False where unknown (cage)."""
    if not shutil.which("wlopm"):
        return False
    command = ["wlopm", "--on" if on else "--off", "*"]
    done = subprocess.run(command, check=False, capture_output=True, timeout=_COMPOSITOR_TIMEOUT_S)
    return done.returncode == 0


def _toggle_outputs(on: bool) -> None:
    listed = subprocess.run(
        ["wlr-randr"], capture_output=True, text=True, timeout=_COMPOSITOR_TIMEOUT_S, check=True
    ).stdout
    for name in outputs_of(listed):
        subprocess.run(
            ["wlr-randr", "--output", name, "--on" if on else "--off"],
            timeout=_COMPOSITOR_TIMEOUT_S,
            check=True,
        )


def outputs_of(listed: str) -> list[str]:
    """Names in what `wlr-randr` prints: the first word of lines that are not indented."""
    return [line.split()[0] for line in listed.splitlines() if line.strip() and not line[0].isspace()]


def must_be_awake(shown: Shown, now: float, touched: float, after_s: float) -> bool:
    """Pure. `touched`: when somebody last did something, or something was last shown that concerns them."""
    if after_s <= 0 or shown.page not in (Page.IDLE, Page.STARTING):
        return True
    return now - touched < after_s


class ShowsPages(Protocol):
    @property
    def shown(self) -> Shown: ...


class DisplayPower(QObject):
    """Follows the page and touches, on the GUI thread. Without a switch it does nothing."""

    def __init__(
        self,
        switches: Sequence[Switch],
        after_s: float,
        kiosk: ShowsPages,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._switches, self._after_s, self._kiosk, self._clock = tuple(switches), after_s, kiosk, clock
        self._touched = clock()
        self.awake = True
        self._timer = QTimer(self)
        self._timer.setInterval(_CHECK_MS)
        self._timer.timeout.connect(self.check)

    def start(self) -> None:
        if not self._switches or self._after_s <= 0:
            return
        app = QGuiApplication.instance()
        if app is not None:
            app.installEventFilter(self)
        self._timer.start()

    def close(self) -> None:
        """Awake again, for whatever comes after this program."""
        self._timer.stop()
        self._set(True)

    def check(self) -> None:
        shown = self._kiosk.shown
        if shown.page not in (Page.IDLE, Page.STARTING) or shown.missed:
            self._touched = self._clock()
        self._set(must_be_awake(shown, self._clock(), self._touched, self._after_s))

    def eventFilter(self, _: QObject, event: QEvent) -> bool:  # noqa: N802
        """A touch wakes the display, and does nothing else: who touches a dark glass means no button."""
        if event.type() not in _TOUCHES:
            return False
        self._touched = self._clock()
        asleep = not self.awake
        self.check()
        return asleep

    def _set(self, awake: bool) -> None:
        if awake == self.awake or not self._switches:
            return
        self.awake = awake
        for switch in self._switches:
            try:
                switch(awake)
            except OSError as error:
                logger.warning("the display cannot be switched %s: %s", "on" if awake else "off", error)
