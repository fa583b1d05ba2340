# SPDX-License-Identifier: GPL-3.0-or-later
"""Opus for speech: mono, 48 kHz, packets of 20 ms with in-band error correction."""

from typing import Any

import numpy as np

from callagent.media.opus import library
from callagent.media.opus.library import RATE_HZ, OpusError
from callagent.media.sound import Samples

PACKET_SAMPLES = 960
PACKET_S = PACKET_SAMPLES / RATE_HZ
_COMPLEXITY = 5
"""Of 0 to 10; WebRTC's on phones. Ten takes twice the time for what is hardly heard in speech."""
_UNSENT_BYTES = 2
"""A packet so short need not be sent (opus.h on OPUS_SET_DTX)."""


class OpusEncoder:
    """One packet out for every 960 samples in (RFC 6716, RFC 7587). Used by one thread at a time."""

    def __init__(
        self, bitrate_bps: int = 40_000, expected_loss_percent: int = 10, *, dtx: bool = False
    ) -> None:
        """The expected loss decides how much correction is added; with `dtx` silence sends nothing.

        Raises OpusError.
        """
        self._ffi, self._library = library.load()
        error = self._ffi.new("int *")
        encoder = self._library.opus_encoder_create(RATE_HZ, 1, library.APPLICATION_VOIP, error)
        library.check(error[0], "open an encoder")
        self._encoder: Any = self._ffi.gc(encoder, self._library.opus_encoder_destroy)
        self._packet = self._ffi.new("unsigned char[]", library.MAX_PACKET_BYTES)
        self._dtx = dtx
        self._set(library.SET_BITRATE, bitrate_bps, "use this bitrate")
        self._set(library.SET_COMPLEXITY, _COMPLEXITY, "take so much care")
        self._set(library.SET_INBAND_FEC, 1, "correct errors")
        self._set(library.SET_DTX, int(dtx), "leave silence out")
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
        """Encode 960 samples; None when DTX leaves the packet out. Raises OpusError."""
        if self._encoder is None:
            raise OpusError("the Opus encoder is closed")
        if len(samples) != PACKET_SAMPLES:
            raise OpusError(f"an Opus packet is made of {PACKET_SAMPLES} samples, not of {len(samples)}")
        pcm = self._ffi.from_buffer("int16_t[]", np.ascontiguousarray(samples, np.int16))
        size = library.check(
            self._library.opus_encode(
                self._encoder, pcm, PACKET_SAMPLES, self._packet, library.MAX_PACKET_BYTES
            ),
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
