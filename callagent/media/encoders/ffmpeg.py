# SPDX-License-Identifier: GPL-3.0-or-later
"""What the encoders that run inside FFmpeg's libavcodec share: opening, reopening, encoding."""

from abc import ABC, abstractmethod
from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from callagent.media.encoders.base import TIME_BASE, EncodedPayload, EncoderError, EncoderSettings
from callagent.ports import Clock, Codec, MonotonicClock

REOPEN_INTERVAL_S = 4.0
"""A codec is not opened anew more often: each time costs a key frame."""
MIN_BPS = 50_000


class FfmpegVideoEncoder(ABC):
    """A `VideoEncoder` on one libavcodec encoder."""

    codec: Codec
    library: str
    """Name of the encoder in FFmpeg."""

    def __init__(self, settings: EncoderSettings, *, clock: Clock | None = None) -> None:
        """Open the codec. Raises EncoderError."""
        self._settings = settings
        self._clock = clock or MonotonicClock()
        self._target_bps = settings.bitrate_bps
        self._context: VideoCodecContext | None = None
        self._opened_at = 0.0
        self._opened_bps = 0
        self._opened = 0
        self._open()

    @property
    def settings(self) -> EncoderSettings:
        return self._settings

    @property
    def target_bps(self) -> int:
        return self._target_bps

    @target_bps.setter
    def target_bps(self, bitrate_bps: int) -> None:
        self._target_bps = max(MIN_BPS, min(bitrate_bps, self._settings.bitrate_bps))

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
            raise EncoderError(f"{self.library} failed: {error}") from error
        return [EncodedPayload(packet.is_keyframe, memoryview(packet)) for packet in packets]

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
        settings, bitrate = self._settings, self._target_bps
        try:
            context = av.CodecContext.create(self.library, "w")
            assert isinstance(context, VideoCodecContext)
            context.width, context.height = settings.width, settings.height
            context.pix_fmt = "yuv420p"
            context.time_base = TIME_BASE
            context.framerate = Fraction(settings.fps, 1)
            context.bit_rate = bitrate
            # Key frames on demand only: a receiver that needs one asks for it.
            context.gop_size = 1 << 20
            context.max_b_frames = 0
            context.thread_count = self._threads()
            context.options = self._options(bitrate)
            context.open()
        except (av.FFmpegError, ValueError) as error:
            raise EncoderError(f"{self.library} cannot be opened: {error}") from error
        self._context, self._opened_bps, self._opened_at = context, bitrate, self._clock.now()
        self._opened += 1
        return context

    def _threads(self) -> int:
        """A second thread only where one takes a good part of the frame's time (measured: 6 ms for 720p)."""
        return 2 if self._settings.width * self._settings.height >= 1280 * 720 else 1
