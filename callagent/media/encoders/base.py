# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract every video encoder keeps, in software and in hardware."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import av

from callagent.ports import Codec

CLOCK_RATE = 90_000
"""Ticks per second of a video frame's pts (RFC 6184, RFC 7741)."""
TIME_BASE = Fraction(1, CLOCK_RATE)
MIN_BPS = 50_000


class EncoderError(Exception):
    """The encoder cannot be opened or does not go on; another one may be tried."""


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """What an encoder is made for."""

    width: int
    """In pixels, even."""
    height: int
    fps: int
    bitrate_bps: int
    """Never to be exceeded."""
    start_bps: int | None = field(default=None, compare=False)
    """To start with; None: the same. The first key frame is made for it."""

    @property
    def first_target_bps(self) -> int:
        return self.within_limits(self.bitrate_bps if self.start_bps is None else self.start_bps)

    def within_limits(self, bitrate_bps: int) -> int:
        """The nearest target that an encoder takes."""
        return max(MIN_BPS, min(bitrate_bps, self.bitrate_bps))


@dataclass(frozen=True, slots=True)
class EncoderTraits:
    """What an encoder says of itself."""

    name: str
    """As in the configuration: `libx264`, `h264_v4l2m2m`, `vah264enc`."""
    hardware: bool
    rate_in_place: bool
    """Whether another target costs no key frame."""
    delay_pictures: int = 0
    """How many further pictures it may want before it gives the first one."""


@dataclass(frozen=True, slots=True)
class EncodedPayload:
    """One encoded picture."""

    key: bool
    payload: memoryview
    """H.264: an Annex B access unit, with parameter sets when it is a key frame. VP8: one frame.

    Its memory is its own: it may be kept as long as anybody likes.
    """
    pts: int
    """Of the picture that it is, which may be an older one than was given last."""


class VideoEncoder(Protocol):
    """Pictures in, the same pictures encoded out, in their order; used by one thread at a time.

    An encoder of hardware may be a pipeline: what it gives for a picture may be an older one (as
    many as `delay_pictures` behind), several or none; each carries the pts of the picture it is. An encoder
    that gives nothing for longer than that, or does not return, is replaced.
    """

    @property
    def codec(self) -> Codec: ...

    @property
    def traits(self) -> EncoderTraits: ...

    @property
    def settings(self) -> EncoderSettings: ...

    @property
    def target_bps(self) -> int: ...

    @target_bps.setter
    def target_bps(self, bitrate_bps: int) -> None:
        """Follow this rate from the next picture on, or as soon as the codec sensibly can."""
        ...

    def encode(self, frame: av.VideoFrame, force_key: bool = False) -> list[EncodedPayload]:
        """Encode one I420 picture of the settings' size; `pts` in 1/90000 s, increasing.

        With `force_key` the picture becomes a key frame. Empty when rate control
        skipped the picture, or while the pipeline fills. Raises EncoderError.
        """
        ...

    def close(self) -> None:
        """Free the codec. Idempotent."""
        ...
