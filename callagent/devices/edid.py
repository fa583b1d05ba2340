# SPDX-License-Identifier: GPL-3.0-or-later
"""What a display says of itself: the size it prefers. VESA E-EDID 1.4, sections 3.1 and 3.10."""

from pathlib import Path

_HEADER = bytes.fromhex("00ffffffffffff00")
_FIRST_TIMING = 54
_BLOCK_BYTES = 128


def preferred_size(edid: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of its first detailed timing; None where there is none."""
    if len(edid) < _BLOCK_BYTES or not edid.startswith(_HEADER):
        return None
    timing = edid[_FIRST_TIMING : _FIRST_TIMING + 18]
    if timing[:2] == b"\0\0":  # no pixel clock: another kind of descriptor
        return None
    width = timing[2] | (timing[4] & 0xF0) << 4
    height = timing[5] | (timing[7] & 0xF0) << 4
    return (width, height) if width and height else None


def read_preferred_size(file: Path) -> tuple[int, int] | None:
    """Of a connector's `edid` in sysfs; None where it cannot be read. Blocks a little."""
    try:
        return preferred_size(file.read_bytes())
    except OSError:
        return None
