# SPDX-License-Identifier: GPL-3.0-or-later
"""What one video stream is made for, from the site's preset."""

from dataclasses import dataclass

from callagent.media.encoders import EncoderSettings
from callagent.media.pixels import fit

LOW_WIDTH, LOW_HEIGHT, LOW_BPS = 320, 180, 150_000


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """Upper bounds: a camera that gives less is not scaled up. Raises ValueError when senseless."""

    width: int = 640
    height: int = 480
    fps: int = 15
    bitrate_bps: int = 900_000

    def __post_init__(self) -> None:
        if self.width < 16 or self.height < 16 or not 1 <= self.fps <= 120 or self.bitrate_bps < 50_000:
            raise ValueError(f"no video can be made of {self!r}")

    def low(self) -> "VideoSettings":
        """The low layer: about 320x180, for small tiles and narrow ways."""
        return VideoSettings(LOW_WIDTH, LOW_HEIGHT, self.fps, min(LOW_BPS, self.bitrate_bps))

    def encoder(self, width: int, height: int) -> EncoderSettings:
        """For a camera picture of this size, its shape kept; a tall one may use the bounds sideways."""
        bounds = (self.width, self.height) if width >= height else (self.height, self.width)
        width, height = fit(width, height, *bounds)
        return EncoderSettings(width, height, self.fps, self.bitrate_bps)
