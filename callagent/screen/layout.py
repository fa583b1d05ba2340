# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the pictures go: a list of tiles and a size in, rectangles out. Pure.

All lengths are in the unit of the size that was handed in (logical pixels). Tiles keep their order in every
layout; a tile that is on another page has no place.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal, Protocol

LayoutKind = Literal["duo", "grid", "focus", "vertical", "free"]
Role = Literal["large", "small", "cell"]

MIN_ASPECT, MAX_ASPECT = 3 / 4, 16 / 9
"""Width by height of a cell; a picture in anything longer would lose too much of a face."""
GRID_PAGE = 9
STRIP_PAGE = 5
COLUMN_PAGE = 4
SMALL_SHARE = 0.26
"""Of the longer side, for the small window of a call of two."""
STRIP_SHARE = 0.22
GAP_SHARE = 0.012
"""Between tiles, of the shorter side."""


class LaidOut(Protocol):
    """What the layout wants to know of a tile."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> Literal["camera", "screen"]: ...
    @property
    def own(self) -> bool: ...
    @property
    def speaking(self) -> bool: ...
    @property
    def large(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where one tile is shown; `z` grows towards the viewer."""

    id: str
    x: float
    y: float
    width: float
    height: float
    role: Role = "cell"
    z: int = 0


@dataclass(frozen=True, slots=True)
class Arrangement:
    places: tuple[Place, ...] = ()
    page: int = 0
    """The page shown; that asked for, or the nearest there is."""
    pages: int = 1
    speaking_pages: frozenset[int] = frozenset()
    """Other pages on which somebody speaks."""


@dataclass(frozen=True, slots=True)
class _Box:
    x: float
    y: float
    width: float
    height: float


def arrange(
    tiles: Sequence[LaidOut],
    width: float,
    height: float,
    kind: LayoutKind,
    *,
    page: int = 0,
    moved: Mapping[str, tuple[float, float]] | None = None,
) -> Arrangement:
    """`moved`: where somebody dragged a small or free tile to, its centre as shares of width and height.

    `duo` with other than two tiles is a grid. Nothing is placed in a size that is not positive.
    """
    if not tiles or width <= 0 or height <= 0:
        return Arrangement()
    box, moved = _Box(0, 0, width, height), moved or {}
    if len(tiles) == 1:
        return Arrangement((_place(tiles[0].id, box, "large"),))
    match kind:
        case "duo" if len(tiles) == 2:
            return _duo(tiles, box, moved)
        case "focus":
            return _focus(tiles, box, page)
        case "vertical":
            return _paged(tiles, box, COLUMN_PAGE, page, _column)
        case "free":
            return _free(tiles, box, moved)
        case _:
            return _paged(tiles, box, GRID_PAGE, page, _grid)


def large_one(tiles: Sequence[LaidOut]) -> LaidOut:
    """Who is large where one is: the one wished for, a shared screen, who speaks, the first other member."""
    orders: tuple[Callable[[LaidOut], bool], ...] = (
        lambda tile: tile.large,
        lambda tile: tile.kind == "screen",
        lambda tile: tile.speaking and not tile.own,
        lambda tile: not tile.own,
    )
    return next((tile for order in orders for tile in tiles if order(tile)), tiles[0])


def _duo(tiles: Sequence[LaidOut], box: _Box, moved: Mapping[str, tuple[float, float]]) -> Arrangement:
    # Who speaks changes nothing here: two people talking would make the windows jump.
    wished = [tile for tile in tiles if tile.large]
    large = (wished or [tile for tile in tiles if not tile.own] or list(tiles))[0]
    small = next(tile for tile in tiles if tile is not large)
    longer = max(box.width, box.height) * SMALL_SHARE
    wide = box.width >= box.height
    size = (longer, longer * 3 / 4) if wide else (longer * 3 / 4, longer)
    size = (min(size[0], box.width / 2), min(size[1], box.height / 2))
    gap = 2 * _gap(box)
    corner = (1 - (gap + size[0] / 2) / box.width, (gap + size[1] / 2) / box.height)
    inset = _at(moved.get(small.id, corner), size, box, gap)
    places = {large.id: _place(large.id, box, "large"), small.id: _place(small.id, inset, "small", 1)}
    return Arrangement(tuple(places[tile.id] for tile in tiles))


def _grid(tiles: Sequence[LaidOut], box: _Box) -> list[Place]:
    """As many columns as make pictures largest; a last row not full stands in the middle."""
    gap = _gap(box)
    columns, cell = max(
        ((columns, _cell(len(tiles), columns, box, gap)) for columns in range(1, len(tiles) + 1)),
        # How large a camera's picture of 4:3 would be in it.
        key=lambda choice: (min(choice[1][0] * 3, choice[1][1] * 4), -choice[0]),
    )
    rows = ceil(len(tiles) / columns)
    top = box.y + (box.height - rows * cell[1] - (rows - 1) * gap) / 2
    places = []
    for row in range(rows):
        members = tiles[row * columns : (row + 1) * columns]
        left = box.x + (box.width - len(members) * cell[0] - (len(members) - 1) * gap) / 2
        y = top + row * (cell[1] + gap)
        places += [
            Place(tile.id, left + column * (cell[0] + gap), y, *cell) for column, tile in enumerate(members)
        ]
    return places


def _cell(count: int, columns: int, box: _Box, gap: float) -> tuple[float, float]:
    """Largest cell with a bearable shape when so many stand in so many columns."""
    rows = ceil(count / columns)
    width = (box.width - (columns - 1) * gap) / columns
    height = (box.height - (rows - 1) * gap) / rows
    if width <= 0 or height <= 0:
        return 0.0, 0.0
    return min(width, height * MAX_ASPECT), min(height, width / MIN_ASPECT)


def _column(tiles: Sequence[LaidOut], box: _Box) -> list[Place]:
    """One below the other."""
    gap = _gap(box)
    width, height = _cell(len(tiles), 1, box, gap)
    top = box.y + (box.height - len(tiles) * height - (len(tiles) - 1) * gap) / 2
    left = box.x + (box.width - width) / 2
    return [Place(tile.id, left, top + row * (height + gap), width, height) for row, tile in enumerate(tiles)]


def _focus(tiles: Sequence[LaidOut], box: _Box, page: int) -> Arrangement:
    """One large, the others in a strip: beside it on a wide screen, below it on a tall one."""
    large, gap = large_one(tiles), _gap(box)
    others = [tile for tile in tiles if tile is not large]
    if box.width >= box.height:
        strip_width = box.width * STRIP_SHARE
        main = _Box(box.x, box.y, box.width - strip_width - gap, box.height)
        strip = _Box(main.width + gap, box.y, strip_width, box.height)
    else:
        strip_height = box.height * STRIP_SHARE
        main = _Box(box.x, box.y, box.width, box.height - strip_height - gap)
        strip = _Box(box.x, main.height + gap, box.width, strip_height)

    rest = _paged(others, strip, STRIP_PAGE, page, _strip)
    return Arrangement(
        (_place(large.id, main, "large"), *rest.places), rest.page, rest.pages, rest.speaking_pages
    )


def _strip(tiles: Sequence[LaidOut], box: _Box) -> list[Place]:
    """In a row or column, whichever the box is, from its beginning."""
    gap = _gap(box)
    beside = box.width >= box.height
    width, height = _cell(len(tiles), len(tiles) if beside else 1, box, gap)
    step = (width + gap, 0.0) if beside else (0.0, height + gap)
    count = len(tiles)
    length = count * (width if beside else height) + (count - 1) * gap
    across = (0.0, (box.height - height) / 2) if beside else ((box.width - width) / 2, 0.0)
    along = ((box.width - length) / 2, 0.0) if beside else (0.0, (box.height - length) / 2)
    left, top = box.x + across[0] + along[0], box.y + across[1] + along[1]
    return [
        Place(tile.id, left + index * step[0], top + index * step[1], width, height)
        for index, tile in enumerate(tiles)
    ]


def _free(tiles: Sequence[LaidOut], box: _Box, moved: Mapping[str, tuple[float, float]]) -> Arrangement:
    """Like a grid, until somebody drags a tile elsewhere; those lie above the others."""
    places = _grid(tiles[:GRID_PAGE], box)
    for index, place in enumerate(places):
        if place.id in moved:
            inset = _at(moved[place.id], (place.width, place.height), box, 0.0)
            places[index] = _place(place.id, inset, "cell", 1 + list(moved).index(place.id))
    return Arrangement(tuple(places))


def _paged(
    tiles: Sequence[LaidOut],
    box: _Box,
    size: int,
    page: int,
    placed: "_Placing",
) -> Arrangement:
    pages = max(1, ceil(len(tiles) / size))
    page = min(max(0, page), pages - 1)
    shown = tiles[page * size : (page + 1) * size]
    speaking = {index // size for index, tile in enumerate(tiles) if tile.speaking and not tile.own}
    return Arrangement(tuple(placed(shown, box)), page, pages, frozenset(speaking - {page}))


class _Placing(Protocol):
    def __call__(self, tiles: Sequence[LaidOut], box: _Box) -> list[Place]: ...


def _at(centre: tuple[float, float], size: tuple[float, float], box: _Box, margin: float) -> _Box:
    """A box of this size around a centre given in shares, moved inside as far as it must be."""
    margin_x = min(margin, (box.width - size[0]) / 2)
    margin_y = min(margin, (box.height - size[1]) / 2)
    x = min(max(centre[0] * box.width - size[0] / 2, margin_x), box.width - size[0] - margin_x)
    y = min(max(centre[1] * box.height - size[1] / 2, margin_y), box.height - size[1] - margin_y)
    return _Box(box.x + x, box.y + y, *size)


def _place(tile_id: str, box: _Box, role: Role, z: int = 0) -> Place:
    return Place(tile_id, box.x, box.y, box.width, box.height, role, z)


def _gap(box: _Box) -> float:
    return min(box.width, box.height) * GAP_SHARE
