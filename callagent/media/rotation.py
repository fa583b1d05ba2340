# SPDX-License-Identifier: GPL-3.0-or-later
"""Turning pictures upright and setting them between bars, by libavfilter. For one thread.

Turning takes 0.3 ms for 1280x720 on the machine of docs/performance.md, a fifth of numpy's rot90 plane by
plane.
"""

from fractions import Fraction

import av
from av.filter import Graph

from callagent.ports import Rotation

_FILTERS: dict[Rotation, tuple[tuple[str, str | None], ...]] = {
    0: (),
    90: (("transpose", "clock"),),
    180: (("hflip", None), ("vflip", None)),
    270: (("transpose", "cclock"),),
}


def upright(width: int, height: int, rotation: Rotation) -> tuple[int, int]:
    """The size after turning."""
    return (width, height) if rotation % 180 == 0 else (height, width)


class Turner:
    """Turns I420 pictures clockwise and sets them amid black bars; copies only what it changes."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._key: tuple[int, int, Rotation, tuple[int, int]] | None = None

    def turn(
        self, picture: av.VideoFrame, rotation: Rotation, canvas: tuple[int, int] | None = None
    ) -> av.VideoFrame:
        """A picture of size `canvas`, by default `upright(...)`; the very one if it is so already."""
        size = upright(picture.width, picture.height, rotation)
        canvas = canvas or size
        if rotation == 0 and canvas == size:
            return picture
        key = (picture.width, picture.height, rotation, canvas)
        if self._graph is None or self._key != key:
            self._graph, self._key = _graph(*key), key
        picture.pts, picture.time_base = 0, Fraction(1, 1000)
        self._graph.push(picture)
        turned = self._graph.pull()
        assert isinstance(turned, av.VideoFrame)
        return turned


def _graph(width: int, height: int, rotation: Rotation, canvas: tuple[int, int]) -> Graph:
    graph = Graph()
    pixels = av.VideoFormat("yuv420p", width, height)
    nodes = [graph.add_buffer(width=width, height=height, format=pixels, time_base=Fraction(1, 1000))]
    nodes += [graph.add(name, options) for name, options in _FILTERS[rotation]]
    if canvas != upright(width, height, rotation):
        # Without a position of its own the picture would lie in the corner; pad rounds down to even ones.
        nodes.append(graph.add("pad", f"{canvas[0]}:{canvas[1]}:(ow-iw)/2:(oh-ih)/2:black"))
    nodes.append(graph.add("buffersink"))
    graph.link_nodes(*nodes).configure()
    return graph
