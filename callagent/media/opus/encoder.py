# SPDX-License-Identifier: GPL-3.0-or-later
"""Opus for speech: mono, 48 kHz, with in-band error correction."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from callagent.media.opus import library
from callagent.media.opus.library import RATE_HZ, OpusError
from callagent.media.sound import Samples

_UNSENT_BYTES = 2
"""A packet so short need not be sent (opus.h on OPUS_SET_DTX)."""


@dataclass(frozen=True, slots=True)
class OpusSettings:
    """How sound is encoded."""

    bitrate_bps: int = 40_000
    packet_ms: int = 20
    """20, 40 or 60. The longer, the fewer there are to be made, and the more of a word is lost with one."""
    complexity: int = 5
    """0 to 10; WebRTC's on phones. Ten takes twice the time for what is hardly heard in speech."""
    low_delay: bool = False
    """CELT alone, the codec for music: a quarter of the work, somewhat less delay, no error correction."""
    dtx: bool = False
    """Silence sends nothing."""

    @property
    def packet_s(self) -> float:
        return self.packet_ms / 1000

    @property
    def packet_samples(self) -> int:
        return self.packet_ms * RATE_HZ // 1000


DEFAULT_SETTINGS = OpusSettings()


class OpusEncoder:
    """One packet out for every `packet_samples` in (RFC 6716, RFC 7587). Used by one thread at a time."""

    def __init__(self, settings: OpusSettings = DEFAULT_SETTINGS, expected_loss_percent: int = 10) -> None:
        """The expected loss decides how much correction is added. Raises OpusError."""
        self._ffi, self._library = library.load()
        error = self._ffi.new("int *")
        application = library.APPLICATION_LOW_DELAY if settings.low_delay else library.APPLICATION_VOIP
        encoder = self._library.opus_encoder_create(RATE_HZ, 1, application, error)
        library.check(error[0], "open an encoder")
        self._encoder: Any = self._ffi.gc(encoder, self._library.opus_encoder_destroy)
        self._packet = self._ffi.new("unsigned char[]", library.MAX_PACKET_BYTES)
        self._dtx = settings.dtx
        self._packet_samples = settings.packet_samples
        self._set(library.SET_BITRATE, settings.bitrate_bps, "use this bitrate")
        self._set(library.SET_COMPLEXITY, settings.complexity, "take so much care")
        self._set(library.SET_INBAND_FEC, 1, "correct errors")
        self._set(library.SET_DTX, int(settings.dtx), "leave silence out")
        self._expected_loss_percent = -1
        self.expected_loss_percent = expected_loss_percent

    @property
    def expected_loss_percent(self) -> int:
        """0 to 100; from the next packet on the correction is made for so much loss."""
        return self._expected_loss_percent

    @expected_loss_percent.setter
    def expected_loss_percent(self, percent: int) -> None:
        if percent != self._expected_loss_percent:
            self._set(library.SET_PACKET_LOSS_PERC, percent, "expect this loss")
            self._expected_loss_percent = percent

    def encode(self, samples: Samples) -> memoryview | None:
        """Encode a packet's samples; None when DTX leaves the packet out. Raises OpusError."""
        if self._encoder is None:
            raise OpusError("the Opus encoder is closed")
        count = self._packet_samples
        if len(samples) != count:
            raise OpusError(f"an Opus packet is made of {count} samples, not of {len(samples)}")
        pcm = self._ffi.from_buffer("int16_t[]", np.ascontiguousarray(samples, np.int16))
        size = library.check(
            self._library.opus_encode(self._encoder, pcm, count, self._packet, library.MAX_PACKET_BYTES),
            "encode",
        )
        if self._dtx and size <= _UNSENT_BYTES:
            return None
        return memoryview(self._ffi.buffer(self._packet, size)[:])

    def close(self) -> None:
        """Free the codec. Idempotent."""
        if self._encoder is not None:
            self._ffi.release(self._encoder)
            self._encoder = None

    def _set(self, request: int, value: int, what: str) -> None:
        if self._encoder is None:
            raise OpusError("the Opus encoder is closed")
        result = self._library.opus_encoder_ctl(self._encoder, request, self._ffi.cast("int32_t", value))
        library.check(result, what)
