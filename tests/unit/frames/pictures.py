# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures with one value all over, so that a torn one shows."""

import time
from dataclasses import dataclass

import numpy as np

from callagent.frames import Picture
from callagent.ports import PixelFormat, Plane, Rotation, VideoFrame
from callagent.protocol.frames import plane_rows


@dataclass(frozen=True, slots=True)
class Size:
    width: int
    height: int
    padding: int = 0
    """Bytes behind each row."""


def painted(counter: int, size: Size, rotation: Rotation = 0) -> VideoFrame:
    """Every byte of every plane, padding too, is `counter` modulo 256."""
    planes = tuple(
        Plane(memoryview(bytes([counter % 256]) * ((row + size.padding) * rows)), row + size.padding)
        for row, rows in zip(plane_rows(size.width), plane_rows(size.height), strict=True)
    )
    return VideoFrame(PixelFormat.I420, size.width, size.height, planes, time.monotonic(), rotation)


def values(picture: Picture) -> set[int]:
    """All values of all bytes in its planes."""
    return {int(value) for plane in picture.planes for value in np.unique(np.frombuffer(plane, np.uint8))}
