# SPDX-License-Identifier: GPL-3.0-or-later
"""From encoded frames to RTP payloads and time stamps (RFC 6184, RFC 7741, RFC 7587)."""

import secrets
from collections.abc import Callable

from callagent.ports import Codec
from callagent.rtc.aiortc_compat import packetize_h264, packetize_vp8

CLOCK_RATE_HZ = {Codec.H264: 90_000, Codec.VP8: 90_000, Codec.OPUS: 48_000}
OPUS_PACKET_TICKS = 960
"""20 ms."""
OPUS_RESYNC_TICKS = 4800
"""How far capture time may wander (clock drift, scheduling) before the stamps follow it."""

Packer = Callable[[memoryview], list[bytes]]
"""One encoded frame to the payloads of its RTP packets, in order."""


def make_packer(codec: Codec) -> Packer:
    """A packer for one stream; VP8's keeps that stream's picture ids."""
    if codec is Codec.H264:
        return lambda payload: packetize_h264(bytes(payload))
    if codec is Codec.VP8:
        return _Vp8Packer()
    return lambda payload: [bytes(payload)]


class _Vp8Packer:
    def __init__(self) -> None:
        self._picture_id = secrets.randbits(15)

    def __call__(self, payload: memoryview) -> list[bytes]:
        payloads = packetize_vp8(bytes(payload), self._picture_id)
        self._picture_id = (self._picture_id + 1) & 0x7FFF
        return payloads


class RtpTimestamps:
    """RTP time stamps from capture times; strictly increasing, not wrapped to 32 bits.

    Video follows the capture time. Opus goes in steps of one packet, because a
    receiver takes any irregularity for loss, and follows the capture time only
    when the two have drifted apart.
    """

    def __init__(self, codec: Codec) -> None:
        self._rate_hz = CLOCK_RATE_HZ[codec]
        self._step = OPUS_PACKET_TICKS if codec is Codec.OPUS else None
        self._last: int | None = None

    def stamp(self, capture_time: float) -> int:
        """Ticks of the codec's clock for a capture time in monotonic seconds."""
        captured = int(capture_time * self._rate_hz)
        self._last = captured if self._last is None else self._following(self._last, captured)
        return self._last

    def _following(self, last: int, captured: int) -> int:
        if self._step is not None and abs(captured - last - self._step) < OPUS_RESYNC_TICKS:
            return last + self._step
        return max(captured, last + 1)
