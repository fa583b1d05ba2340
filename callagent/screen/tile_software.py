# SPDX-License-Identifier: GPL-3.0-or-later
"""A tile where a processor draws: one pass of libswscale makes the very pixels of the screen.

The scene graph then only copies them. A painted item would copy them once more, into a picture of its own:
3.7 MB at 1280x720, thirty times a second.
"""

from PySide6.QtCore import QRectF
from PySide6.QtGui import QMatrix4x4

from callagent.frames import Picture
from callagent.screen.conversion import Converter
from callagent.screen.painting import Painted, rgb_image
from callagent.screen.placement import Placement


class SoftwarePainter:
    """A `Painter`."""

    def __init__(self) -> None:
        self._converter = Converter()

    def paint(
        self, picture: Picture, placement: Placement, rotation: int, mirror: bool, pixel_ratio: float
    ) -> Painted:
        # Whole pixels: anything between them would have the scene graph scale once more.
        left, top = round(placement.x * pixel_ratio), round(placement.y * pixel_ratio)
        width = max(1, round(placement.width * pixel_ratio))
        height = max(1, round(placement.height * pixel_ratio))
        frame = self._converter.convert(picture, placement.crop, rotation, mirror, width, height)
        rect = QRectF(left / pixel_ratio, top / pixel_ratio, width / pixel_ratio, height / pixel_ratio)
        return Painted(rgb_image(frame), frame, rect, QMatrix4x4())
