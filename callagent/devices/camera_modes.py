# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the modes a camera offers comes nearest to a wish. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from callagent.ports import PixelFormat, VideoMode

_RAW_PIXELS = 640 * 480
"""Above this size raw pictures are more than USB 2 carries at 30 a second; JPEG is asked for."""


@dataclass(frozen=True, slots=True)
class CameraMode:
    """One format and size a camera offers, with the most pictures a second it gives then."""

    format: PixelFormat
    width: int
    height: int
    max_fps: float
    """0 when the driver does not say."""


def choose_mode(offered: Iterable[CameraMode], wish: VideoMode) -> CameraMode | None:
    """The nearest: fast enough first, then the size, then the format that suits the size.

    Of sizes, the wished one; else the smallest that is larger both ways, since scaling
    down loses nothing; else the largest. None when nothing usable is offered.
    """
    return min(offered, key=lambda mode: _distance(mode, wish), default=None)


def _distance(mode: CameraMode, wish: VideoMode) -> tuple[float, int, int, int]:
    # 29.97 is 30; half the wished rate still makes a call, less does not.
    fps = mode.max_fps or wish.fps
    too_slow = 0.0 if fps >= wish.fps * 0.95 else (1.0 if fps >= min(wish.fps, 15) * 0.95 else wish.fps / fps)
    too_small = max(0, wish.width - mode.width) + max(0, wish.height - mode.height)
    pixels = mode.width * mode.height
    suits = (PixelFormat.MJPEG,) if pixels > _RAW_PIXELS else (PixelFormat.NV12, PixelFormat.YUYV)
    return (too_slow, too_small, pixels, 0 if mode.format in suits else 1)
