# SPDX-License-Identifier: GPL-3.0-or-later
"""What one video stream is made for, from the site's preset."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from callagent.media.adaptation import Priority, Quality
from callagent.media.encoders import EncoderSettings
from callagent.media.pixels import fit

LOW_WIDTH, LOW_HEIGHT, LOW_BPS = 320, 180, 150_000

VideoOrientation = Literal["landscape", "portrait", "auto"]
"""The sent picture's: the reference's resolutionMode (callkit-client-api 5), or as the camera's."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture comes to lie in what is encoded: in the middle, with bars around it."""

    encoder: EncoderSettings
    picture: tuple[int, int]
    """Width and height of the upright picture in it, even; the encoder's own where there are no bars."""


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """Upper bounds: a camera that gives less is not scaled up. Raises ValueError when senseless.

    Width and height are swapped where `orientation` wants them the other way round. A
    picture always keeps its shape: it is neither stretched nor cut, and one that lies as
    wanted is sent in its own shape, without bars (1280x720 within 640x480 as 640x360).
    Only one that stands where landscape is wanted, or the other way round, gets bars.
    """

    width: int = 640
    height: int = 480
    fps: int = 15
    bitrate_bps: int = 900_000
    orientation: VideoOrientation = "landscape"
    priority: Priority = Priority.BALANCE
    """What is to suffer last when a way carries less."""

    def __post_init__(self) -> None:
        if self.width < 16 or self.height < 16 or not 1 <= self.fps <= 120 or self.bitrate_bps < 50_000:
            raise ValueError(f"no video can be made of {self!r}")

    def low(self) -> "VideoSettings":
        """The low layer: about 320x180, for small tiles and narrow ways."""
        bitrate_bps = min(LOW_BPS, self.bitrate_bps)
        return dataclasses.replace(self, width=LOW_WIDTH, height=LOW_HEIGHT, bitrate_bps=bitrate_bps)

    def reduced(self, quality: Quality) -> "VideoSettings":
        """The same for smaller or fewer pictures; the bitrate stays what may be reached."""
        if quality == Quality():
            return self
        width, height = (max(16, round(size * quality.scale / 2) * 2) for size in (self.width, self.height))
        return dataclasses.replace(
            self, width=width, height=height, fps=max(1, round(self.fps * quality.rate))
        )

    def turned(self, orientation: VideoOrientation) -> "VideoSettings":
        """The same for pictures that lie so."""
        return dataclasses.replace(self, orientation=orientation)

    def place(self, width: int, height: int) -> Placement:
        """For an upright camera picture of this size. A square one suits either orientation."""
        lies = width > height or (width == height and self.orientation != "portrait")
        landscape = lies if self.orientation == "auto" else self.orientation == "landscape"
        long, short = max(self.width, self.height), min(self.width, self.height)
        bounds = (long, short) if landscape else (short, long)
        picture = fit(width, height, *bounds)
        canvas = picture if lies == landscape else _around(picture, bounds)
        return Placement(EncoderSettings(*canvas, self.fps, self.bitrate_bps), picture)


def _around(picture: tuple[int, int], bounds: tuple[int, int]) -> tuple[int, int]:
    """The smallest even size in the shape of the bounds that holds the picture, which is within them."""
    scale = max(picture[0] / bounds[0], picture[1] / bounds[1])
    width, height = (
        max(inner, round(outer * scale / 2) * 2) for inner, outer in zip(picture, bounds, strict=True)
    )
    return width, height
