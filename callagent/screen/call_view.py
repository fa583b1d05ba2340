# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of a call: which layout, which page of it, what was swapped and dragged."""

from collections.abc import Sequence
from dataclasses import replace

from callagent.screen.layout import Arrangement, LayoutKind, Place, arrange
from callagent.screen.settings import ScreenSettings
from callagent.screen.texts import Texts
from callagent.screen.tile_model import Row, TileModel
from callagent.screen.tiles import Tile
from callagent.screen.words import face

_CYCLE: tuple[LayoutKind, ...] = ("grid", "focus", "vertical")


class CallView:
    """Puts tiles into a `TileModel`; nothing of one call outlives it (`forget`)."""

    def __init__(self, settings: ScreenSettings, model: TileModel, texts: Texts) -> None:
        self._settings, self._model, self._texts = settings, model, texts
        # Until the page tells: which tiles and pages there are does not depend on it.
        self._size = (1.0, 1.0)
        self._tiles: tuple[Tile, ...] = ()
        self._arrangement = Arrangement()
        self.forget()

    def forget(self) -> None:
        self._swapped = False
        self._chosen: LayoutKind | None = None
        self._page = 0
        self._moved: dict[str, tuple[float, float]] = {}

    @property
    def kind(self) -> LayoutKind:
        if self._chosen is not None and len(self._tiles) > 2:
            return self._chosen
        wanted = self._settings.layout
        return ("duo" if len(self._tiles) <= 2 else "grid") if wanted == "auto" else wanted

    @property
    def page(self) -> int:
        return self._arrangement.page

    @property
    def pages(self) -> int:
        return self._arrangement.pages

    def resize(self, width: float, height: float) -> None:
        if width > 0 and height > 0:
            self._size = (width, height)
            self.show(self._tiles)

    def swap(self) -> None:
        self._swapped = not self._swapped
        self._moved.clear()
        self.show(self._tiles)

    def next_layout(self) -> None:
        kind = self.kind
        index = _CYCLE.index(kind) if kind in _CYCLE else -1
        self._chosen, self._page = _CYCLE[(index + 1) % len(_CYCLE)], 0
        self.show(self._tiles)

    def turn_page(self, step: int) -> None:
        self._page = (self.page + step) % max(1, self.pages)
        self.show(self._tiles)

    def move(self, tile: str, x: float, y: float) -> None:
        width, height = self._size
        if width > 0 and height > 0:
            share = x / width
            self._moved[tile] = (1 - share if self._texts.right_to_left else share, y / height)
            self.show(self._tiles)

    def show(self, tiles: Sequence[Tile]) -> None:
        self._tiles = tuple(tiles)
        self._arrangement = arrange(
            self._wishes(), *self._size, self.kind, page=self._page, moved=self._moved
        )
        places = {place.id: self._mirrored(place) for place in self._arrangement.places}
        self._model.show([self._row(tile, places[tile.id]) for tile in tiles if tile.id in places])

    def _wishes(self) -> tuple[Tile, ...]:
        """In a call of two, who is large after somebody swapped them."""
        if len(self._tiles) != 2:
            return self._tiles
        large = next((tile for tile in self._tiles if tile.large), self._tiles[0])
        return tuple(replace(tile, large=(tile is large) is not self._swapped) for tile in self._tiles)

    def _mirrored(self, place: Place) -> Place:
        """Right to left, what began at the left begins at the right."""
        if not self._texts.right_to_left:
            return place
        return replace(place, x=self._size[0] - place.x - place.width)

    def _row(self, tile: Tile, place: Place) -> Row:
        shown = face(tile.user_id, tile.name or tile.user_id, tile.picture)
        return {
            "tile": tile.id,
            "stream": tile.id if tile.has_video else "",
            "x": place.x,
            "y": place.y,
            "w": place.width,
            "h": place.height,
            "layer": place.z,
            "role": place.role,
            "name": self._texts.say("you") if tile.own else tile.name,
            "own": tile.own,
            "video": tile.has_video,
            "muted": tile.muted,
            "speaking": tile.speaking,
            "reconnecting": tile.reconnecting,
            "closed": tile.private,
            "quality": tile.quality,
            "initials": shown["initials"],
            "colour": shown["colour"],
            "picture": shown["picture"],
            "fill": tile.fill,
            "mirror": tile.mirror,
        }
