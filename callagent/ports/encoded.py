# SPDX-License-Identifier: Apache-2.0
"""Encoded media: made once per (source, codec, layer), fanned out to every peer and recorder."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Codec(StrEnum):
    """RTP payload names (RFC 6184, RFC 7741, RFC 7587)."""

    H264 = "H264"
    VP8 = "VP8"
    OPUS = "opus"


class Layer(StrEnum):
    """Size class of one video source: `h` is the wanted size, `l` about 320x180."""

    HIGH = "h"
    LOW = "l"


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One encoded picture, or one Opus packet of 20 ms."""

    codec: Codec
    layer: Layer
    key: bool
    """Decodable without any earlier frame (always true for Opus)."""
    capture_time: float
    """Seconds on the monotonic clock; RTP time stamps are derived from it."""
    payload: memoryview
    """H.264: an Annex B access unit. VP8: one frame. Opus: one packet."""


@dataclass(frozen=True, slots=True)
class NetworkReport:
    """What one peer says of the way to it (RTCP receiver report, REMB)."""

    available_bps: int | None = None
    fraction_lost: float | None = None
    """0.0 to 1.0 since the last report."""
    round_trip_s: float | None = None
    loss_counted: bool = False
    """Whether `available_bps` allows for loss, as our own congestion control does and REMB does not."""


class EncodedSink(Protocol):
    """Takes encoded frames of one stream: one peer's RTP sender, a recorder."""

    def put(self, frame: EncodedFrame) -> None:
        """Hand over one encoded frame, from any thread; returns at once, never raises.

        A sink that must drop drops up to the next key frame.
        """
        ...


class EncodedStream(Protocol):
    """An encoder's output, shared. All methods are callable from any thread and return at once."""

    @property
    def codec(self) -> Codec: ...

    @property
    def layer(self) -> Layer: ...

    def subscribe(
        self, peer: str, sink: EncodedSink, known: NetworkReport | None = None
    ) -> Callable[[], None]:
        """Give this peer every frame from its next key frame on; returns the way to leave.

        The first subscriber starts the encoder, the last to leave stops it. A
        new subscriber makes the encoder produce a key frame. `known`: what is known of its
        way before its first report, so that this key frame suits it already.
        """
        ...

    def request_key_frame(self, peer: str) -> None:
        """The peer lost a picture (RTCP PLI or FIR). Requests of all peers are merged."""
        ...

    def report(self, peer: str, report: NetworkReport) -> None:
        """What the peer's way can carry; the encoder follows."""
        ...
