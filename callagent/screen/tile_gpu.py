# SPDX-License-Identifier: GPL-3.0-or-later
"""A tile where a GPU draws: it scales, turns and mirrors; the processor only makes RGB of the picture.

Not QtMultimedia's VideoOutput, which would take I420 as it is: it is in PySide6-Addons, 170 MB more for
one item, whose FFmpeg would lie beside PyAV's in one process. Nor a shader of our own for three planes:
PySide6 makes no textures of one byte a pixel, and its Essentials cannot compile shaders. What this costs
is one pass of libswscale, 0.3 ms for 1280x720, and a texture of four bytes a pixel, not one and a half.
Never more pixels than are seen.
"""

from PySide6.QtCore import QRectF
from PySide6.QtGui import QMatrix4x4

from callagent.frames import Picture
from callagent.screen.conversion import Converter
from callagent.screen.painting import Painted, rgb_image
from callagent.screen.placement import Placement


class GpuPainter:
    """A `Painter`."""

    def __init__(self) -> None:
        self._converter = Converter()

    def paint(
        self, picture: Picture, placement: Placement, rotation: int, mirror: bool, pixel_ratio: float
    ) -> Painted:
        wide, high = placement.width, placement.height
        across, down = (wide, high) if rotation % 180 == 0 else (high, wide)
        width = max(1, min(placement.crop.width, round(across * pixel_ratio)))
        height = max(1, min(placement.crop.height, round(down * pixel_ratio)))
        frame = self._converter.convert(picture, placement.crop, 0, False, width, height)
        matrix = QMatrix4x4()
        matrix.translate(placement.x + wide / 2, placement.y + high / 2)
        if mirror:
            matrix.scale(-1.0, 1.0)
        matrix.rotate(float(rotation), 0.0, 0.0, 1.0)
        return Painted(rgb_image(frame), frame, QRectF(-across / 2, -down / 2, across, down), matrix)
