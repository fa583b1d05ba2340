# SPDX-License-Identifier: GPL-3.0-or-later
"""Where pictures go: nothing overlaps, nothing is cut off, nothing jumps."""

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.screen.layout import (
    COLUMN_PAGE,
    GRID_PAGE,
    MAX_ASPECT,
    MIN_ASPECT,
    STRIP_PAGE,
    Arrangement,
    LayoutKind,
    Place,
    arrange,
)


@dataclass(frozen=True)
class Tile:
    id: str
    kind: Literal["camera", "screen"] = "camera"
    own: bool = False
    speaking: bool = False
    large: bool = False


def tiles(count: int, own: bool = True) -> list[Tile]:
    others = [Tile(f"u{number}") for number in range(count - own)]
    return [*others, Tile("me", own=True)] if own else others


def overlap(first: Place, second: Place, slack: float = 1e-6) -> bool:
    return (
        first.x + first.width > second.x + slack
        and second.x + second.width > first.x + slack
        and first.y + first.height > second.y + slack
        and second.y + second.height > first.y + slack
    )


def inside(place: Place, width: float, height: float, slack: float = 1e-6) -> bool:
    return (
        place.x >= -slack
        and place.y >= -slack
        and place.x + place.width <= width + slack
        and place.y + place.height <= height + slack
        and place.width > 0
        and place.height > 0
    )


sizes = st.tuples(st.floats(120, 4000), st.floats(120, 4000))
kinds = st.sampled_from(["duo", "grid", "focus", "vertical", "free"])
anybody = st.builds(
    Tile,
    id=st.just(""),
    kind=st.sampled_from(["camera", "screen"]),
    own=st.booleans(),
    speaking=st.booleans(),
    large=st.booleans(),
)
many = st.lists(anybody, max_size=30).map(
    lambda found: [replace(tile, id=f"u{number}") for number, tile in enumerate(found)]
)
shares = st.floats(-1, 2)
moved = st.dictionaries(st.integers(0, 30).map("u{}".format), st.tuples(shares, shares), max_size=5)


@given(many, sizes, kinds, st.integers(-3, 9), moved)
def test_everything_is_inside_and_in_order(
    members: list[Tile],
    size: tuple[float, float],
    kind: LayoutKind,
    page: int,
    dragged: dict[str, tuple[float, float]],
) -> None:
    found = arrange(members, *size, kind, page=page, moved=dragged)
    assert all(inside(place, *size) for place in found.places)
    names = [place.id for place in found.places]
    assert len(set(names)) == len(names)
    assert bool(names) == bool(members)
    assert 0 <= found.page < found.pages
    order = [tile.id for tile in members]
    rest = names[1:] if kind == "focus" else names
    assert rest == sorted(rest, key=order.index)


@given(many, sizes, st.sampled_from(["grid", "focus", "vertical"]), st.integers(0, 9))
def test_nothing_overlaps(
    members: list[Tile], size: tuple[float, float], kind: LayoutKind, page: int
) -> None:
    found = arrange(members, *size, kind, page=page)
    assert not any(overlap(first, second) for first, second in combinations(found.places, 2))


@given(many, sizes, st.sampled_from(["grid", "vertical"]))
def test_cells_are_equal_and_of_a_bearable_shape(
    members: list[Tile], size: tuple[float, float], kind: LayoutKind
) -> None:
    places = arrange(members, *size, kind).places
    if len(places) < 2:
        return
    assert len({(round(place.width, 6), round(place.height, 6)) for place in places}) == 1
    aspect = places[0].width / places[0].height
    assert MIN_ASPECT - 1e-6 <= aspect <= MAX_ASPECT + 1e-6


@given(many, sizes, kinds)
def test_every_tile_is_on_exactly_one_page(
    members: list[Tile], size: tuple[float, float], kind: LayoutKind
) -> None:
    first = arrange(members, *size, kind)
    if kind == "free":
        return
    shown = [
        place.id for page in range(first.pages) for place in arrange(members, *size, kind, page=page).places
    ]
    if kind == "focus" and len(members) > 1:
        large = first.places[0].id
        assert shown.count(large) == first.pages
        shown = [large, *(name for name in shown if name != large)]
    assert sorted(shown) == sorted(tile.id for tile in members)


@given(sizes, st.booleans())
def test_two_are_a_large_one_and_a_small_one_and_can_be_swapped(
    size: tuple[float, float], swapped: bool
) -> None:
    pair = [replace(Tile("them"), large=not swapped), replace(Tile("me", own=True), large=swapped)]
    places = {place.id: place for place in arrange(pair, *size, "duo").places}
    large, small = ("me", "them") if swapped else ("them", "me")
    assert (places[large].width, places[large].height) == size
    assert places[small].width <= size[0] / 2
    assert places[small].z > places[large].z


def test_the_small_one_goes_where_it_is_dragged_and_stays_inside() -> None:
    pair = [Tile("them"), Tile("me", own=True)]

    def small(at: tuple[float, float]) -> Place:
        return arrange(pair, 800, 480, "duo", moved={"me": at}).places[1]

    middle = small((0.5, 0.5))
    assert (middle.x + middle.width / 2, middle.y + middle.height / 2) == pytest.approx((400, 240))
    assert inside(small((-1, 3)), 800, 480)
    assert small((-1, 3)).x > 0


@pytest.mark.parametrize(
    ("count", "size", "columns", "rows"),
    [(3, (1280, 720), 2, 2), (4, (1280, 720), 2, 2), (9, (1280, 720), 3, 3), (2, (720, 1280), 1, 2)],
)
def test_a_grid_uses_the_room(count: int, size: tuple[int, int], columns: int, rows: int) -> None:
    places = arrange(tiles(count), *size, "grid").places
    assert len({round(place.y) for place in places}) == rows
    assert max(sum(round(place.y) == round(other.y) for other in places) for place in places) == columns


@pytest.mark.parametrize(
    ("kind", "count", "on_a_page"),
    [("grid", 20, GRID_PAGE), ("vertical", 9, COLUMN_PAGE), ("focus", 12, STRIP_PAGE + 1)],
)
def test_pages(kind: LayoutKind, count: int, on_a_page: int) -> None:
    members = [replace(tile, speaking=tile.id == "u18") for tile in tiles(count)]
    first = arrange(members, 1280, 720, kind)
    assert len(first.places) == on_a_page
    if count == 20:
        assert first.speaking_pages == {2}
        assert arrange(members, 1280, 720, kind, page=2).speaking_pages == frozenset()


def test_focus_is_on_who_was_wished_for_then_on_a_screen_then_on_who_speaks() -> None:
    members = tiles(4)

    def large(*changed: Tile) -> str:
        by_id = {tile.id: tile for tile in changed}
        return arrange([by_id.get(tile.id, tile) for tile in members], 800, 480, "focus").places[0].id

    assert large() == "u0"
    assert large(Tile("u1", speaking=True)) == "u1"
    assert large(Tile("u1", speaking=True), Tile("u2", kind="screen")) == "u2"
    assert large(Tile("u2", kind="screen"), Tile("me", own=True, large=True)) == "me"


def test_somebody_who_leaves_moves_nobody_to_another_order() -> None:
    before = [place.id for place in arrange(tiles(6), 1280, 720, "grid").places]
    after = [place.id for place in arrange([t for t in tiles(6) if t.id != "u1"], 1280, 720, "grid").places]
    assert after == [name for name in before if name != "u1"]


@pytest.mark.parametrize("size", [(0, 480), (800, 0), (-1, -1)])
def test_no_room_no_places(size: tuple[float, float]) -> None:
    assert arrange(tiles(3), *size, "grid") == Arrangement()
