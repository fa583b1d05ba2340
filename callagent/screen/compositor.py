# SPDX-License-Identifier: GPL-3.0-or-later
"""cage, the Wayland compositor the page is put under where it can be: one program, full screen, no way out.

Under it touch screens and displays may come and go, and nothing is left on the glass when it ends.
"""

import logging
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from callagent.screen.platform import Machine, PlatformName

logger = logging.getLogger(__name__)

PROGRAM = "cage"
_SEATD = Path("/run/seatd.sock")
_ALREADY = ("WAYLAND_DISPLAY", "DISPLAY", "QT_QPA_PLATFORM")
"""Where one of these is set, somebody has decided how Qt gets onto the display."""


def find_compositor(environment: Mapping[str, str]) -> str:
    """Path of cage where it could drive a display from here; empty where not."""
    seat = os.access(_SEATD, os.W_OK) or "XDG_SESSION_ID" in environment
    displays = any(Path("/dev/dri").glob("card*"))
    if not (seat and displays and "XDG_RUNTIME_DIR" in environment):
        return ""
    return shutil.which(PROGRAM, path=environment.get("PATH")) or ""


def belongs_under(machine: Machine, wanted: PlatformName) -> bool:
    """Whether the page is to be started anew under the compositor. Pure."""
    if not machine.compositor or any(machine.environment.get(name) for name in _ALREADY):
        return False
    return wanted in ("auto", "wayland")


def compositor_environment(machine: Machine, renderer: str) -> dict[str, str]:
    """What cage has to find; what the operator has set stays. Pure."""
    wanted = {
        # A kiosk may have no touch screen, or get it later.
        "WLR_LIBINPUT_NO_DEVICES": "1",
        **({} if machine.gpu and renderer != "software" else {"WLR_RENDERER": "pixman"}),
    }
    return wanted | dict(machine.environment)


def become_compositor(machine: Machine, renderer: str) -> NoReturn:
    """Replace this process by cage, which starts the same command once more. Raises OSError."""
    logger.info("starting under %s", machine.compositor)
    again = [sys.executable, "-m", "callagent", *sys.argv[1:]]
    # -d: no title bar.
    os.execve(
        machine.compositor,
        [PROGRAM, "-d", "--", *again],
        compositor_environment(machine, renderer),
    )
