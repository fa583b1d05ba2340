# SPDX-License-Identifier: GPL-3.0-or-later
"""Descriptors of the virtual camera (USB Video Class 1.1; frame-based formats: 1.1 payload document)."""

import struct
from dataclasses import dataclass

CONTROL_INTERFACE, STREAM_INTERFACE = 0, 1
ENDPOINT = 1
TERMINAL, UNIT, OUTPUT = 1, 2, 3
BRIGHTNESS = 0x02

_GUID_TAIL = bytes.fromhex("00001000800000aa00389b71")
_UNCOMPRESSED, _MJPEG, _FRAME_BASED = (4, 5), (6, 7), (0x10, 0x11)
"""Subtypes of the format and of its frame descriptors."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One size of one format with its rates; the first is the default."""

    fourcc: str
    width: int
    height: int
    rates: tuple[int, ...] = (30, 15, 10, 5)

    @property
    def size(self) -> int:
        """The most bytes a picture has."""
        return self.width * self.height * 2


@dataclass(slots=True)
class Control:
    """One of the processing unit."""

    bit: int
    size: int
    low: int
    high: int
    default: int
    value: int


def controls() -> dict[int, Control]:
    """By selector: brightness, contrast, power line frequency."""
    return {
        BRIGHTNESS: Control(0, 2, 0, 255, 128, 128),
        0x03: Control(1, 2, 0, 100, 50, 50),
        0x05: Control(10, 1, 0, 2, 1, 1),
    }


def interfaces(formats: list[list[Mode]]) -> bytes:
    """Both interfaces, the second with a bulk endpoint."""
    bits = sum(1 << control.bit for control in controls().values())
    camera = struct.pack("<BBBBHBBHHHB", 18, 0x24, 2, TERMINAL, 0x0201, 0, 0, 0, 0, 0, 3) + bytes(3)
    unit = struct.pack("<BBBBBHB", 13, 0x24, 5, UNIT, TERMINAL, 0, 3) + bits.to_bytes(3, "little") + bytes(2)
    output = struct.pack("<BBBBHBBB", 9, 0x24, 3, OUTPUT, 0x0101, 0, UNIT, 0)
    total = 13 + len(camera) + len(unit) + len(output)
    control = (
        bytes((8, 11, 0, 2, 14, 3, 0, 2))  # the two interfaces belong together
        + bytes((9, 4, CONTROL_INTERFACE, 0, 0, 14, 1, 0, 2))
        + struct.pack("<BBBHHIBB", 13, 0x24, 1, 0x0110, total, 48_000_000, 1, 1)
        + camera
        + unit
        + output
    )
    described = b"".join(_format(number, modes) for number, modes in enumerate(formats, 1))
    count = len(formats)
    header = struct.pack(
        "<BBBBHBBBBBBB",
        *(13 + count, 0x24, 1, count, 13 + count + len(described)),
        *(0x80 | ENDPOINT, 0, OUTPUT, 0, 0, 0, 1),
    ) + bytes(count)
    stream = bytes((9, 4, STREAM_INTERFACE, 0, 1, 14, 2, 0, 0)) + header + described
    return control + stream + struct.pack("<BBBBHB", 7, 5, 0x80 | ENDPOINT, 2, 512, 0)


def _format(number: int, modes: list[Mode]) -> bytes:
    fourcc = modes[0].fourcc
    if fourcc == "MJPG":
        kinds = _MJPEG
        head = bytes((11, 0x24, kinds[0], number, len(modes), 1, 1, 0, 0, 0, 0))
    elif fourcc == "YUYV":
        kinds = _UNCOMPRESSED
        head = bytes((27, 0x24, kinds[0], number, len(modes))) + b"YUY2" + _GUID_TAIL
        head += bytes((16, 1, 0, 0, 0, 0))
    else:
        kinds = _FRAME_BASED
        head = bytes((28, 0x24, kinds[0], number, len(modes))) + fourcc.encode() + _GUID_TAIL
        head += bytes((16, 1, 0, 0, 0, 0, 1))
    frames = b"".join(_frame(index, mode, kinds) for index, mode in enumerate(modes, 1))
    return head + frames + bytes((6, 0x24, 13, 1, 1, 4))  # colours: sRGB, BT.601


def _frame(index: int, mode: Mode, kinds: tuple[int, int]) -> bytes:
    intervals = [10_000_000 // rate for rate in mode.rates]
    bits = mode.size * 8
    head = struct.pack(
        "<BBBBBHHII",
        *(26 + 4 * len(intervals), 0x24, kinds[1], index, 0, mode.width, mode.height),
        *(bits * min(mode.rates), bits * max(mode.rates)),
    )
    if kinds is _FRAME_BASED:
        head += struct.pack("<IBI", intervals[0], len(intervals), 0)
    else:
        head += struct.pack("<IIB", mode.size, intervals[0], len(intervals))
    return head + struct.pack(f"<{len(intervals)}I", *sorted(intervals))
