# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract every video encoder keeps: software today, hardware behind the same words later."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import av

from callagent.ports import Codec

CLOCK_RATE = 90_000
"""Ticks per second of a video frame's pts (RFC 6184, RFC 7741)."""
TIME_BASE = Fraction(1, CLOCK_RATE)


class EncoderError(Exception):
    """The encoder cannot be opened or does not go on; a new one may be tried."""


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """What an encoder is made for."""

    width: int
    """In pixels, even."""
    height: int
    fps: int
    bitrate_bps: int
    """To start with, and never to be exceeded."""


@dataclass(frozen=True, slots=True)
class EncodedPayload:
    """One encoded picture."""

    key: bool
    payload: memoryview
    """H.264: an Annex B access unit, with parameter sets when it is a key frame. VP8: one frame."""


class VideoEncoder(Protocol):
    """One picture in, one encoded picture out at once; used by one thread at a time."""

    @property
    def codec(self) -> Codec: ...

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
        skipped the picture. Raises EncoderError.
        """
        ...

    def close(self) -> None:
        """Free the codec. Idempotent."""
        ...
