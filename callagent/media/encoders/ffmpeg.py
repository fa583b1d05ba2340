# SPDX-License-Identifier: GPL-3.0-or-later
"""What the encoders that run inside FFmpeg's libavcodec share: opening, reopening, encoding."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from callagent.media.encoders.base import (
    TIME_BASE,
    EncodedPayload,
    EncoderError,
    EncoderSettings,
    EncoderTraits,
)
from callagent.ports import Clock, Codec, MonotonicClock

REOPEN_INTERVAL_S = 4.0
"""A codec is not opened anew more often: each time costs a key frame."""
NEARLY_FULL = 0.6
"""From this share of the full rate on a codec may be opened for all of it: it will soon be there."""
NO_OPTIONS: Mapping[str, str] = {}


class FfmpegVideoEncoder(ABC):
    """A `VideoEncoder` on one libavcodec encoder."""

    codec: Codec
    library: str
    """Name of the encoder in FFmpeg."""
    pixel_format = "yuv420p"
    hardware = False
    rate_in_place = False
    delay_pictures = 0

    def __init__(
        self,
        settings: EncoderSettings,
        options: Mapping[str, str] = NO_OPTIONS,
        *,
        clock: Clock | None = None,
    ) -> None:
        """Open the codec; `options` are FFmpeg's, over those chosen here. Raises EncoderError.

        Opening holds Python's interpreter lock (PyAV): a driver that hangs in it stops the process, which is
        why hardware is tried in another one first (`probe`).
        """
        self._settings = settings
        self._extra = options
        self._clock = clock or MonotonicClock()
        self._target_bps = settings.first_target_bps
        self._context: VideoCodecContext | None = None
        self._opened_at = 0.0
        self._opened_bps = 0
        self._opened = 0
        self._open()

    @property
    def traits(self) -> EncoderTraits:
        return EncoderTraits(self.library, self.hardware, self.rate_in_place, self.delay_pictures)

    @property
    def settings(self) -> EncoderSettings:
        return self._settings

    @property
    def target_bps(self) -> int:
        return self._target_bps

    @target_bps.setter
    def target_bps(self, bitrate_bps: int) -> None:
        self._target_bps = self._settings.within_limits(bitrate_bps)

    @property
    def opened(self) -> int:
        """How often the codec has been opened."""
        return self._opened

    def encode(self, frame: av.VideoFrame, force_key: bool = False) -> list[EncodedPayload]:
        context = self._follow_target()
        frame.pict_type = PictureType.I if force_key else PictureType.NONE
        frame.time_base = TIME_BASE
        try:
            packets = context.encode(frame)
        except (av.FFmpegError, ValueError) as error:
            raise EncoderError(f"{self.library} failed: {_said(error)}") from error
        return self._payloads(packets)

    def _payloads(self, packets: Sequence[Any]) -> list[EncodedPayload]:
        return [EncodedPayload(packet.is_keyframe, memoryview(packet), packet.pts or 0) for packet in packets]

    def close(self) -> None:
        # libavcodec frees the context with its last reference.
        self._context = None

    @abstractmethod
    def _options(self, bitrate_bps: int) -> dict[str, str]:
        """The codec's private options."""

    @abstractmethod
    def _must_reopen(self) -> bool:
        """Whether the target can be reached only by opening the codec anew."""

    def _adapt(self, context: VideoCodecContext) -> None:  # noqa: B027 - most codecs cannot
        """Change the running codec towards the target, where it can be changed."""

    def _follow_target(self) -> VideoCodecContext:
        due = self._clock.now() - self._opened_at >= REOPEN_INTERVAL_S
        if self._context is None or (due and self._must_reopen()):
            return self._open()
        self._adapt(self._context)
        return self._context

    def _open(self) -> VideoCodecContext:
        settings, bitrate = self._settings, self._opening_bps()
        try:
            context = av.CodecContext.create(self.library, "w")
            assert isinstance(context, VideoCodecContext)
            context.width, context.height = settings.width, settings.height
            context.pix_fmt = self.pixel_format
            context.time_base = TIME_BASE
            context.framerate = Fraction(settings.fps, 1)
            context.bit_rate = bitrate
            # Key frames on demand only: a receiver that needs one asks for it.
            context.gop_size = 1 << 20
            context.max_b_frames = 0
            context.thread_count = self._threads()
            context.options = self._options(bitrate) | dict(self._extra)
            context.open()
        except (av.FFmpegError, ValueError, MemoryError) as error:
            raise EncoderError(f"{self.library} cannot be opened: {_said(error)}") from error
        self._context, self._opened_bps, self._opened_at = context, bitrate, self._clock.now()
        self._opened += 1
        return context

    def _opening_bps(self) -> int:
        """The rate to open the codec with."""
        return self._target_bps

    def _threads(self) -> int:
        """A second thread only where one takes a good part of the frame's time (measured: 6 ms for 720p)."""
        return 2 if self._settings.width * self._settings.height >= 1280 * 720 else 1


def _said(error: Exception) -> str:
    """FFmpeg's own words, where its log is on; else what its error code means."""
    last = getattr(error, "log", None)
    return str(last[2] if last else getattr(error, "strerror", None) or error).strip()
