# SPDX-License-Identifier: GPL-3.0-or-later
"""Which part of a picture is seen where, for every size, turn and fill."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.screen.placement import Crop, Fill, place

SIDES = st.integers(2, 4000)
TILES = st.integers(1, 4000)
TURNS = st.sampled_from((0, 90, 180, 270))
FILLS = st.sampled_from(get_args(Fill))


@given(SIDES, SIDES, TURNS, FILLS, TILES, TILES)
def test_what_is_seen_is_of_the_picture_and_within_the_tile(
    width: int, height: int, turn: int, fill: Fill, tile_width: int, tile_height: int
) -> None:
    placed = place(width, height, turn, fill, tile_width, tile_height)
    assert placed is not None
    crop = placed.crop
    for number in (crop.x, crop.y, crop.width, crop.height):
        assert number % 2 == 0
    assert crop.width >= 2
    assert crop.height >= 2
    assert 0 <= crop.x <= crop.x + crop.width <= width
    assert 0 <= crop.y <= crop.y + crop.height <= height
    assert -1e-6 <= placed.x <= placed.x + placed.width <= tile_width + 1e-6
    assert -1e-6 <= placed.y <= placed.y + placed.height <= tile_height + 1e-6
    if fill != "contain":
        assert (placed.width, placed.height) == (tile_width, tile_height)
    if fill != "cover":
        assert (crop.width, crop.height) == (width - width % 2, height - height % 2)


@given(st.integers(50, 4000), st.integers(50, 4000), TURNS, st.integers(50, 4000), st.integers(50, 4000))
def test_contain_and_cover_keep_the_shape(
    width: int, height: int, turn: int, tile_width: int, tile_height: int
) -> None:
    contained = place(width, height, turn, "contain", tile_width, tile_height)
    assert contained is not None
    even = (width - width % 2, height - height % 2)
    across, down = even if turn % 180 == 0 else even[::-1]
    assert contained.width * down == pytest.approx(contained.height * across)
    assert contained.width == pytest.approx(tile_width) or contained.height == pytest.approx(tile_height)
    covering = place(width, height, turn, "cover", tile_width, tile_height)
    assert covering is not None
    seen = (covering.crop.width, covering.crop.height)
    across, down = seen if turn % 180 == 0 else seen[::-1]
    # The crop is of even numbers: to the next pixel or two.
    assert abs(across * tile_height - down * tile_width) <= 2 * (tile_width + tile_height)


def test_the_middle_is_seen() -> None:
    placed = place(320, 240, 0, "cover", 120, 120)
    assert placed is not None
    assert placed.crop == Crop(40, 0, 240, 240)
    placed = place(320, 240, 90, "cover", 320, 240)
    assert placed is not None
    assert placed.crop == Crop(70, 0, 180, 240)


@pytest.mark.parametrize("numbers", [(0, 0, 9, 9), (1, 9, 9, 9), (9, 9, 0, 9), (9, 9, 9, -1)], ids=str)
def test_where_there_is_nothing_nothing_is_placed(numbers: tuple[int, int, int, int]) -> None:
    width, height, tile_width, tile_height = numbers
    assert place(width, height, 0, "contain", tile_width, tile_height) is None
