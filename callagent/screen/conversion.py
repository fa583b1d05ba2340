# SPDX-License-Identifier: GPL-3.0-or-later
"""From the frame channel's I420 to the RGB that Qt draws, by libswscale straight from the shared memory."""

import av
from av.video.reformatter import Interpolation, VideoReformatter

from callagent.frames import Picture
from callagent.screen.mapped_frame import mapped_frame
from callagent.screen.placement import Crop
from callagent.screen.turning import Turner

_MUCH_SMALLER = 0.6
"""Below this share of the width, fast bilinear leaves out pixels that one would miss: text crawls."""


class Converter:
    """For one thread."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._turner = Turner()

    def convert(
        self, picture: Picture, crop: Crop, rotation: int, mirror: bool, width: int, height: int
    ) -> av.VideoFrame:
        """This part, turned clockwise, then mirrored, then scaled to this many pixels.

        The result's one plane is what QImage calls RGB32, in memory of its own. Raises av.FFmpegError.
        """
        turned = self._turner.turn(mapped_frame(picture, crop), rotation, mirror)
        return self._reformatter.reformat(
            turned,
            width,
            height,
            "bgra",
            interpolation=_interpolation(turned.width, turned.height, width, height),
            threads=1,
        )


def _interpolation(from_width: int, from_height: int, width: int, height: int) -> Interpolation:
    if (from_width, from_height) == (width, height):
        # libswscale's short way for one size only (x86) leaves out the last columns where whole eights of
        # pixels do not fit into the row; accurate rounding takes the long way.
        short = width % 8 == 0
        return Interpolation.FAST_BILINEAR if short else Interpolation.POINT | Interpolation.ACCURATE_RND
    return Interpolation.BILINEAR if width < from_width * _MUCH_SMALLER else Interpolation.FAST_BILINEAR
