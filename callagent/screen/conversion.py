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
        much_smaller = width < turned.width * _MUCH_SMALLER
        return self._reformatter.reformat(
            turned,
            width,
            height,
            "bgra",
            interpolation=Interpolation.BILINEAR if much_smaller else Interpolation.FAST_BILINEAR,
            threads=1,
        )
