# SPDX-License-Identifier: GPL-3.0-or-later
"""Leaves the panel dark and the terminal usable, whatever ended the screen: the last picture would stay.

For the unit's ExecStopPost; needs no Qt. A picture of a caller must not stay on the wall after SIGKILL.
"""

import fcntl
import logging
import os
from pathlib import Path

logger = logging.getLogger(__name__)

_KDSETMODE, _KD_TEXT = 0x4B3A, 0
_KDSKBMODE, _K_UNICODE = 0x4B45, 3
"""linux/kd.h"""
_BLOCK = 1 << 20


def darken(framebuffer: Path = Path("/dev/fb0"), terminal: Path | None = None) -> list[str]:
    """Black pixels, then `terminal` (a VT) back to text; what could not be done, one sentence each."""
    problems = []
    try:
        _clear(framebuffer)
    except FileNotFoundError:
        logger.debug("there is no %s: nothing to clear", framebuffer)
    except OSError as error:
        problems.append(f"{framebuffer} cannot be cleared: {error.strerror}")
    if terminal is not None:
        try:
            _to_text(terminal)
        except OSError as error:
            problems.append(f"{terminal} cannot be set back to text: {error.strerror}")
    return problems


def _clear(framebuffer: Path) -> None:
    handle = os.open(framebuffer, os.O_RDWR | os.O_CLOEXEC)
    try:
        # Reading ends where the frame buffer ends.
        position = 0
        while length := len(os.pread(handle, _BLOCK, position)):
            os.pwrite(handle, bytes(length), position)
            position += length
    finally:
        os.close(handle)


def _to_text(terminal: Path) -> None:
    handle = os.open(terminal, os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        fcntl.ioctl(handle, _KDSETMODE, _KD_TEXT)
        # Qt takes the keys away from the console, too.
        fcntl.ioctl(handle, _KDSKBMODE, _K_UNICODE)
    finally:
        os.close(handle)
