# SPDX-License-Identifier: GPL-3.0-or-later
"""Opus for speech: libopus, mono, 48 kHz, packets of 20 ms with in-band error correction."""

from fractions import Fraction

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from callagent.media.encoders.base import EncoderError
from callagent.media.sound import RATE_HZ, Samples

PACKET_SAMPLES = 960
PACKET_S = PACKET_SAMPLES / RATE_HZ


class OpusEncoder:
    """One packet out for every 960 samples in (RFC 6716, RFC 7587)."""

    def __init__(self, bitrate_bps: int = 40_000, expected_loss_percent: int = 10) -> None:
        """Open the codec; the expected loss decides how much correction it adds. Raises EncoderError."""
        try:
            context = av.CodecContext.create("libopus", "w")
            assert isinstance(context, AudioCodecContext)
            context.sample_rate = RATE_HZ
            context.layout = "mono"
            context.format = "s16"
            context.bit_rate = bitrate_bps
            context.time_base = Fraction(1, RATE_HZ)
            context.options = {
                "application": "voip",
                "frame_duration": "20",
                "fec": "1",
                "packet_loss": str(expected_loss_percent),
            }
            context.open()
        except (av.FFmpegError, ValueError) as error:
            raise EncoderError(f"libopus cannot be opened: {error}") from error
        self._context: AudioCodecContext | None = context
        self._pts = 0

    def encode(self, samples: Samples) -> list[memoryview]:
        """Encode 960 samples. Raises EncoderError."""
        if self._context is None:
            raise EncoderError("the encoder is closed")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples)[None, :], "s16", "mono")
        frame.sample_rate = RATE_HZ
        frame.pts = self._pts
        frame.time_base = Fraction(1, RATE_HZ)
        self._pts += PACKET_SAMPLES
        try:
            return [memoryview(packet) for packet in self._context.encode(frame)]
        except av.FFmpegError as error:
            raise EncoderError(f"libopus failed: {error}") from error

    def close(self) -> None:
        """Free the codec. Idempotent."""
        self._context = None
