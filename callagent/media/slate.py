# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture shown in place of the camera's: dark, calm, with the reason as text."""

import textwrap

import numpy as np
from numpy.typing import NDArray

from callagent.media.bitmap_font import GLYPH_HEIGHT, GLYPH_WIDTH, line_bitmap
from callagent.ports import PixelFormat, Plane, VideoFrame

_BACKGROUND, _TEXT = 38, 200
_BLUE_CHROMA, _RED_CHROMA = 134, 124
_LINE_HEIGHT = GLYPH_HEIGHT + 4
_COLUMNS = 26


class SlatePainter:
    """Makes slates in I420 and keeps the last one made: only its time changes while the text stays."""

    def __init__(self) -> None:
        self._key: tuple[int, int, str] | None = None
        self._planes: tuple[Plane, ...] = ()

    def paint(self, width: int, height: int, text: str, capture_time: float) -> VideoFrame:
        """A picture of at least 16x16 pixels, the size rounded down to even."""
        width, height = max(16, width - width % 2), max(16, height - height % 2)
        key = (width, height, text)
        if key != self._key:
            self._planes = _draw(width, height, text)
            self._key = key
        return VideoFrame(PixelFormat.I420, width, height, self._planes, capture_time)


def _draw(width: int, height: int, text: str) -> tuple[Plane, ...]:
    picture = np.empty(width * height * 3 // 2, np.uint8)
    luma_size, chroma_size = width * height, width * height // 4
    picture[:luma_size] = _BACKGROUND
    picture[luma_size : luma_size + chroma_size] = _BLUE_CHROMA
    picture[luma_size + chroma_size :] = _RED_CHROMA
    lines = textwrap.wrap(text, _COLUMNS)
    _write(picture[:luma_size].reshape(height, width), lines)
    picture.flags.writeable = False
    view = picture.data
    return (
        Plane(view[:luma_size], width),
        Plane(view[luma_size : luma_size + chroma_size], width // 2),
        Plane(view[luma_size + chroma_size :], width // 2),
    )


def _write(luma: NDArray[np.uint8], lines: list[str]) -> None:
    """Centre the lines, as large as whole pixels allow."""
    height, width = luma.shape
    if not lines:
        return
    longest = max(len(line) for line in lines) * GLYPH_WIDTH
    scale = min(width * 4 // 5 // longest, height * 4 // 5 // (len(lines) * _LINE_HEIGHT), height // 100 + 1)
    if scale < 1:
        return
    top = (height - len(lines) * _LINE_HEIGHT * scale) // 2
    for number, line in enumerate(lines):
        bitmap = np.repeat(np.repeat(line_bitmap(line), scale, axis=0), scale, axis=1)
        y = top + number * _LINE_HEIGHT * scale
        x = (width - bitmap.shape[1]) // 2
        luma[y : y + bitmap.shape[0], x : x + bitmap.shape[1]][bitmap] = _TEXT
