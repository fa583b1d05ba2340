# SPDX-License-Identifier: GPL-3.0-or-later
"""Opus back to sound, and what can still be heard of packets that never came."""

from typing import Any, Protocol

import numpy as np

from callagent.media.opus import library
from callagent.media.opus.library import RATE_HZ, OpusError
from callagent.media.sound import Samples

CONCEAL_STEP = 120
"""Samples (2.5 ms): what is concealed or corrected is a multiple of it (opus.h on opus_decode)."""


class SoundDecoder(Protocol):
    """What the playout needs of a decoder; each call continues where the one before ended."""

    def decode(self, packet: bytes) -> Samples:
        """The packet's samples, mono, 48 kHz. Raises OpusError when it is no packet."""
        ...

    def decode_fec(self, following: bytes, count: int) -> Samples:
        """The last `count` samples before `following`, from the correction it carries. Raises OpusError."""
        ...

    def conceal(self, count: int) -> Samples:
        """`count` samples that go on like those before, fading. Raises OpusError."""
        ...

    def packet_samples(self, packet: bytes) -> int:
        """How long the packet lasts; 0 when it is no packet."""
        ...

    def has_fec(self, packet: bytes) -> bool:
        """Whether the packet carries a correction for the one before it."""
        ...

    def reset(self) -> None:
        """Forget what was heard: a new stream begins."""
        ...

    def close(self) -> None:
        """Free the codec. Idempotent."""
        ...


class OpusDecoder:
    """A `SoundDecoder` by libopus; whatever channels the sender has become one. One thread at a time."""

    def __init__(self) -> None:
        """Raises OpusError."""
        self._ffi, self._library = library.load()
        error = self._ffi.new("int *")
        decoder = self._library.opus_decoder_create(RATE_HZ, 1, error)
        library.check(error[0], "open a decoder")
        self._decoder: Any = self._ffi.gc(decoder, self._library.opus_decoder_destroy)
        self._head, self._head_samples = b"", 0

    def decode(self, packet: bytes) -> Samples:
        if not packet:
            # libopus would take it for a lost one.
            raise OpusError("an Opus packet has at least one byte")
        return self._decode(packet, library.MAX_PACKET_SAMPLES, 0)

    def decode_fec(self, following: bytes, count: int) -> Samples:
        if not following:
            raise OpusError("an Opus packet has at least one byte")
        return self._decode(following, count, 1)

    def conceal(self, count: int) -> Samples:
        return self._decode(None, count, 0)

    def packet_samples(self, packet: bytes) -> int:
        # Depends on the first two bytes alone (RFC 6716 sections 3.1 and 3.2.5), which seldom change.
        head = packet[:2]
        if head != self._head:
            self._head = head
            found = int(self._library.opus_packet_get_nb_samples(head, len(head), RATE_HZ))
            self._head_samples = max(0, found)
        return self._head_samples

    def has_fec(self, packet: bytes) -> bool:
        # As opus_packet_has_lbrr of libopus 1.5, which Debian 12 does not have yet; RFC 6716 section 4.2.4:
        # the SILK layer begins with one bit of voice activity per 20 ms, then one for the correction.
        if not packet or packet[0] & 0x80:
            return False
        sizes = self._ffi.new("int16_t[48]")
        frames = self._ffi.new("const unsigned char *[48]")
        null = self._ffi.NULL
        count = self._library.opus_packet_parse(packet, len(packet), null, frames, sizes, null)
        if count <= 0 or sizes[0] == 0:
            return False
        samples = self._library.opus_packet_get_samples_per_frame(packet, RATE_HZ)
        parts = max(1, samples // 960)
        first = int(self._ffi.buffer(frames[0], 1)[0][0])
        stereo = self._library.opus_packet_get_nb_channels(packet) == 2
        side = stereo and bool(first >> (6 - 2 * parts) & 1)
        return bool(first >> (7 - parts) & 1) or side

    def reset(self) -> None:
        library.check(self._library.opus_decoder_ctl(self._open(), library.RESET_STATE), "start anew")

    def close(self) -> None:
        if self._decoder is not None:
            self._ffi.release(self._decoder)
            self._decoder = None

    def _open(self) -> Any:
        if self._decoder is None:
            raise OpusError("the Opus decoder is closed")
        return self._decoder

    def _decode(self, packet: bytes | None, count: int, fec: int) -> Samples:
        samples = np.empty(count, np.int16)
        data, length = (self._ffi.NULL, 0) if packet is None else (packet, len(packet))
        pcm = self._ffi.from_buffer("int16_t[]", samples)
        made = self._library.opus_decode(self._open(), data, length, pcm, count, fec)
        return samples[: library.check(made, "decode")]
