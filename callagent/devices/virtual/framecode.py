# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame code: a strip of black and white cells that says which picture this is and how old.

The strip covers the top eighth of the picture: 2 rows of 32 cells, a cell being
width/32 wide and height/16 tall. 64 bits, most significant first, row 0 from left
to right, then row 1::

    8 bits   marker 0xB2
    8 bits   ident of the camera
    16 bits  frame counter, modulo 65536
    24 bits  Unix time in milliseconds, modulo 2**24 (4 h 39 min)
    8 bits   CRC-8 (polynomial 0x07, initial value 0) over the seven bytes before

A one is luma 235, a zero luma 16, chroma 128. A reader averages the inner half of
each cell and compares with the middle between the darkest and the brightest marker
cell, so the code outlives lossy coding and scaling. Readable from 64x32 pixels on.
"""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from callagent.ports import PixelFormat, VideoFrame

MARKER = 0xB2
MIN_WIDTH, MIN_HEIGHT = 64, 32
CLOCK_MODULUS = 1 << 24

_COLUMNS, _ROWS = 32, 2
_BLACK, _WHITE, _GREY = 16, 235, 128
_MIN_CONTRAST = 24.0

Luma = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FrameCode:
    """What the strip says. Raises ValueError for a number that does not fit its bits."""

    counter: int
    """Pictures since the camera was opened, modulo 65536."""
    clock_ms: int
    """Unix time of the capture in milliseconds, modulo 2**24."""
    ident: int = 1
    """Which camera, 0 to 255."""

    def __post_init__(self) -> None:
        if not (0 <= self.counter < 1 << 16 and 0 <= self.clock_ms < CLOCK_MODULUS and 0 <= self.ident < 256):
            raise ValueError(f"a number does not fit its bits: {self!r}")

    def age_ms(self, now_ms: int | None = None) -> int:
        """Milliseconds from capture to `now_ms` (Unix time; default now); negative if clocks disagree."""
        now = unix_ms() if now_ms is None else now_ms
        half = CLOCK_MODULUS // 2
        return (now - self.clock_ms + half) % CLOCK_MODULUS - half


def unix_ms() -> int:
    """The wall clock in milliseconds, as the code carries it (before the modulus)."""
    return time.time_ns() // 1_000_000


def draw(luma: Luma, code: FrameCode, chroma: Iterable[NDArray[np.uint8]] = ()) -> None:
    """Write the strip into a picture.

    `luma` is the Y plane as a writable (height, width) view, any row stride.
    `chroma` are the chroma planes as (rows, bytes per row) views; their top eighth becomes grey.
    Raises ValueError for a picture below 64x32.
    """
    height, width = luma.shape
    edges, row_edges = _cell_edges(width, _COLUMNS), _cell_edges(height, 16)
    _check_size(width, height)
    cells = np.unpackbits(np.frombuffer(_pack(code), np.uint8)).reshape(_ROWS, _COLUMNS)
    levels = np.where(cells, np.uint8(_WHITE), np.uint8(_BLACK))
    for row in range(_ROWS):
        luma[row_edges[row] : row_edges[row + 1]] = np.repeat(levels[row], np.diff(edges))
    for plane in chroma:
        plane[: math.ceil(plane.shape[0] / 8)] = _GREY


def read(luma: Luma) -> FrameCode | None:
    """The code of a picture, None where there is no valid one.

    `luma` is the Y plane as a (height, width) view, any row stride.
    """
    height, width = luma.shape
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        return None
    columns, rows = _inner_halves(width, _COLUMNS), _inner_halves(height, 16)
    means = np.empty((_ROWS, _COLUMNS), np.float64)
    for row in range(_ROWS):
        band = luma[rows[0][row] : rows[1][row]].mean(axis=0)
        sums = np.concatenate(([0.0], np.cumsum(band)))
        means[row] = (sums[columns[1]] - sums[columns[0]]) / (columns[1] - columns[0])
    marker = means[0, :8]
    low, high = float(marker.min()), float(marker.max())
    if high - low < _MIN_CONTRAST:
        return None
    return _unpack(np.packbits(means.ravel() > (low + high) / 2).tobytes())


def read_frame(frame: VideoFrame) -> FrameCode | None:
    """The code of an I420 or NV12 frame, None where there is none or the format is another."""
    if frame.format not in (PixelFormat.I420, PixelFormat.NV12):
        return None
    plane = frame.planes[0]
    return read(np.frombuffer(plane.data, np.uint8).reshape(-1, plane.stride)[: frame.height, : frame.width])


def _check_size(width: int, height: int) -> None:
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        raise ValueError(f"a frame code needs {MIN_WIDTH}x{MIN_HEIGHT} pixels, not {width}x{height}")


def _pack(code: FrameCode) -> bytes:
    body = bytes((MARKER, code.ident)) + code.counter.to_bytes(2, "big") + code.clock_ms.to_bytes(3, "big")
    return body + bytes((_crc8(body),))


def _unpack(data: bytes) -> FrameCode | None:
    if data[0] != MARKER or _crc8(data[:7]) != data[7]:
        return None
    return FrameCode(int.from_bytes(data[2:4], "big"), int.from_bytes(data[4:7], "big"), data[1])


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ 0x07 if crc & 0x80 else crc << 1
        crc &= 0xFF
    return crc


@lru_cache(maxsize=32)
def _cell_edges(length: int, cells: int) -> NDArray[np.int64]:
    return np.arange(cells + 1) * length // cells


@lru_cache(maxsize=32)
def _inner_halves(length: int, cells: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and one-past-last pixel of each cell's middle half, at least one pixel."""
    starts = np.arange(cells) * length / cells
    size = length / cells
    first = np.floor(starts + size / 4).astype(np.int64)
    last = np.maximum(np.floor(starts + size * 3 / 4).astype(np.int64), first + 1)
    return first, last
