# SPDX-License-Identifier: GPL-3.0-or-later
"""What the two painters of a tile have in common."""

from dataclasses import dataclass
from typing import Protocol

import av
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QMatrix4x4

from callagent.frames import Picture
from callagent.screen.placement import Placement


@dataclass(frozen=True, slots=True)
class Painted:
    """A picture in RGB, and how the scene graph is to draw it."""

    image: QImage
    memory: av.VideoFrame
    """What the image lies in: to be kept as long as the image is."""
    rect: QRectF
    """Where it is drawn, before `matrix`."""
    matrix: QMatrix4x4


class Painter(Protocol):
    """For one tile, on the thread that draws."""

    def paint(
        self, picture: Picture, placement: Placement, rotation: int, mirror: bool, pixel_ratio: float
    ) -> Painted:
        """Turned by `rotation` degrees clockwise, then mirrored. Raises av.FFmpegError.

        `pixel_ratio`: the screen's pixels to one of the tile's units.
        """
        ...


def rgb_image(frame: av.VideoFrame) -> QImage:
    """An image in the memory of a frame that `Converter.convert` made."""
    plane = frame.planes[0]
    data = memoryview(plane)
    return QImage(data, frame.width, frame.height, plane.line_size, QImage.Format.Format_RGB32)
