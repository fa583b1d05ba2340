# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in a tile a picture goes, and which part of it is seen."""

from dataclasses import dataclass
from typing import Literal

Fill = Literal["contain", "cover", "fill"]
"""All of the picture with bars, no bars but part of the picture, or stretched (behaviour.md, fill modes)."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a picture as it lies in memory; all four are even, as I420 needs."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Placement:
    """A part of the picture, and the rectangle of the tile it fills after turning."""

    crop: Crop
    x: float
    y: float
    width: float
    height: float


def place(
    width: int, height: int, rotation: int, fill: Fill, tile_width: float, tile_height: float
) -> Placement | None:
    """For a picture of this size in memory that is shown turned by `rotation` degrees clockwise.

    None when there is nothing to see: a tile without area, or a picture of less than 2x2 pixels.
    """
    whole = Crop(0, 0, width - width % 2, height - height % 2)
    if tile_width <= 0 or tile_height <= 0 or whole.width == 0 or whole.height == 0:
        return None
    if fill == "fill":
        return Placement(whole, 0.0, 0.0, tile_width, tile_height)
    on_its_side = rotation % 180 != 0
    across, down = (whole.height, whole.width) if on_its_side else (whole.width, whole.height)
    if fill == "contain":
        scale = min(tile_width / across, tile_height / down)
        wide, high = across * scale, down * scale
        return Placement(whole, (tile_width - wide) / 2, (tile_height - high) / 2, wide, high)
    scale = max(tile_width / across, tile_height / down)
    seen_across, seen_down = min(across, tile_width / scale), min(down, tile_height / scale)
    seen = (seen_down, seen_across) if on_its_side else (seen_across, seen_down)
    return Placement(_middle(whole, *seen), 0.0, 0.0, tile_width, tile_height)


def _middle(whole: Crop, width: float, height: float) -> Crop:
    wide = min(whole.width, max(2, round(width / 2) * 2))
    high = min(whole.height, max(2, round(height / 2) * 2))
    return Crop((whole.width - wide) // 4 * 2, (whole.height - high) // 4 * 2, wide, high)
