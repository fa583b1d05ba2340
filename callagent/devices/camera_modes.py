# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the modes a camera offers comes nearest to a wish, and why. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from callagent.devices.usb_bandwidth import bytes_per_second
from callagent.ports import PixelFormat, VideoMode

DECODED = frozenset({PixelFormat.MJPEG, PixelFormat.NV12, PixelFormat.YUYV, PixelFormat.I420})
"""Formats the media path takes whatever they are for; H.264 where it is asked for (`Need`)."""
_RAW = frozenset({PixelFormat.NV12, PixelFormat.YUYV, PixelFormat.I420})
_COST = (PixelFormat.H264, PixelFormat.MJPEG, PixelFormat.NV12, PixelFormat.I420, PixelFormat.YUYV)
"""From the least to the most load on USB."""
_RAW_SHARE = 0.4
"""Raw pictures need no decoding, and may take so much of the port; beyond that JPEG is cheaper on the whole,
and a second camera still finds room."""
_RAW_PIXELS = 640 * 480
"""The same limit for a camera whose port is unknown."""
_ECONOMY_FPS = 15


@dataclass(frozen=True, slots=True)
class CameraMode:
    """One format and size a camera offers, with the most pictures a second it gives then."""

    format: PixelFormat
    width: int
    height: int
    max_fps: float
    """0 when the driver does not say."""

    def __str__(self) -> str:
        return f"{self.format.name} {self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class Need:
    """What a mode is chosen for."""

    wish: VideoMode
    formats: Sequence[PixelFormat] = ()
    """In order of preference; empty: by cost."""
    accepts: Collection[PixelFormat] = DECODED
    """What the consumer can do anything with."""
    economy: int = 0
    """1: a cheaper mode than the best."""
    carries: float | None = None
    """Bytes per second of the port; None: no limit is known."""
    coded: bool = False
    """H.264 is taken and preferred in the very size and at the full rate: it may be sent as it is."""

    @property
    def target(self) -> VideoMode:
        """The wish, made smaller for economy."""
        if not self.economy:
            return self.wish
        smaller = 2**self.economy
        return replace(
            self.wish,
            width=self.wish.width // smaller,
            height=self.wish.height // smaller,
            fps=min(self.wish.fps, _ECONOMY_FPS),
        )


def choose_mode(offered: Iterable[CameraMode], need: Need) -> CameraMode | None:
    """The nearest: what fits the port first, then fast enough, then the size, then the cheapest format.

    Of sizes, the wished one; else the smallest that is larger both ways, since scaling
    down loses nothing; else the largest. None when nothing usable is offered.
    """
    usable = [mode for mode in offered if mode.format in need.accepts or _is_named(mode, need)]
    coded = [mode for mode in usable if _goes_out_as_it_is(mode, need)]
    preferred = [mode for mode in usable if mode.format in need.formats] if need.formats else coded
    return min(preferred or usable, key=lambda mode: _distance(mode, need), default=None)


def explain(chosen: CameraMode, offered: Iterable[CameraMode], need: Need) -> str:
    """Why not simply what was wished, in one sentence; empty when it is."""
    modes = list(offered)
    missing = [each.name for each in need.formats if all(mode.format is not each for mode in modes)]
    if missing:
        return f"The camera has no {' or '.join(missing)}: {chosen} is used"
    if need.economy:
        return f"{chosen} is used since the camera failed in a larger mode"
    raw = next((mode for mode in modes if mode.format in _RAW and _same_size(mode, chosen)), None)
    if raw is not None and chosen.format not in _RAW and not need.formats:
        rate, carries = _rate(raw, need.wish), need.carries
        if carries is not None and rate > carries:
            return (
                f"{raw}@{need.wish.fps} needs {rate / 1e6:.0f} MB/s, the USB port carries "
                f"{carries / 1e6:.0f} MB/s: {chosen.format.name} is used"
            )
    return ""


def _is_named(mode: CameraMode, need: Need) -> bool:
    """H.264 is decoded, if need be, for who asks for it."""
    if mode.format is not PixelFormat.H264:
        return False
    return mode.format in need.formats or _goes_out_as_it_is(mode, need)


def _goes_out_as_it_is(mode: CameraMode, need: Need) -> bool:
    wish = need.wish
    return (
        need.coded
        and not need.economy
        and mode.format is PixelFormat.H264
        and (mode.width, mode.height) == (wish.width, wish.height)
        and (mode.max_fps or wish.fps) >= wish.fps * 0.95
    )


def _same_size(one: CameraMode, other: CameraMode) -> bool:
    return (one.width, one.height) == (other.width, other.height)


def _rate(mode: CameraMode, wish: VideoMode) -> float:
    fps = min(mode.max_fps or wish.fps, wish.fps)
    return bytes_per_second(mode.format, mode.width, mode.height, fps)


def _distance(mode: CameraMode, need: Need) -> tuple[float, ...]:
    wish = need.target
    # 29.97 is 30; half the wished rate still makes a call, less does not.
    fps = mode.max_fps or wish.fps
    too_slow = 0.0 if fps >= wish.fps * 0.95 else (1.0 if fps >= min(wish.fps, 15) * 0.95 else wish.fps / fps)
    too_small = max(0, wish.width - mode.width) + max(0, wish.height - mode.height)
    too_much = need.carries is not None and _rate(mode, wish) > need.carries
    return (too_much, too_slow, too_small, mode.width * mode.height, _format_cost(mode, need))


def _format_cost(mode: CameraMode, need: Need) -> float:
    if mode.format in need.formats:
        return need.formats.index(mode.format)
    if mode.format in _RAW and not need.economy:
        small = mode.width * mode.height <= _RAW_PIXELS
        if small if need.carries is None else _rate(mode, need.target) <= _RAW_SHARE * need.carries:
            return -1 + 0.1 * _COST.index(mode.format)
    return _COST.index(mode.format)
