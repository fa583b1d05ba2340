# SPDX-License-Identifier: GPL-3.0-or-later
"""Turning and mirroring I420 pictures by libavfilter. For one thread.

Only read from, never into: the picture may lie in memory that cannot be written. Upside down takes no copy
(rows are walked backwards), all else takes one of the I420 picture, three eighths of the bytes of RGB.
"""

from fractions import Fraction

import av
from av.filter import Graph

_FILTERS: dict[tuple[int, bool], tuple[tuple[str, str | None], ...]] = {
    (0, True): (("hflip", None),),
    (90, False): (("transpose", "clock"),),
    (90, True): (("transpose", "cclock_flip"),),
    (180, False): (("hflip", None), ("vflip", None)),
    (180, True): (("vflip", None),),
    (270, False): (("transpose", "cclock"),),
    (270, True): (("transpose", "clock_flip"),),
}
"""By degrees clockwise, and whether the turned picture is then mirrored left to right."""


class Turner:
    """Keeps the filters of the last size and turn."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._key: tuple[int, int, int, bool] | None = None

    def turn(self, picture: av.VideoFrame, rotation: int, mirror: bool) -> av.VideoFrame:
        """By 0, 90, 180 or 270 degrees clockwise, then mirrored; the very picture if neither."""
        if rotation == 0 and not mirror:
            return picture
        key = (picture.width, picture.height, rotation, mirror)
        if self._graph is None or self._key != key:
            self._graph, self._key = _graph(*key), key
        picture.pts, picture.time_base = 0, Fraction(1, 1000)
        self._graph.push(picture)
        turned = self._graph.pull()
        assert isinstance(turned, av.VideoFrame)
        return turned


def _graph(width: int, height: int, rotation: int, mirror: bool) -> Graph:
    graph = Graph()
    # No threads: they would live as long as the graph, for a third of a millisecond's work.
    graph.threads = 1
    pixels = av.VideoFormat("yuv420p", width, height)
    nodes = [graph.add_buffer(width=width, height=height, format=pixels, time_base=Fraction(1, 1000))]
    nodes += [graph.add(name, options) for name, options in _FILTERS[rotation, mirror]]
    nodes.append(graph.add("buffersink"))
    graph.link_nodes(*nodes).configure()
    return graph
