# SPDX-License-Identifier: Apache-2.0
"""Encoded media of another party on its way from the network to whoever decodes it."""

from dataclasses import dataclass
from typing import Protocol

from callagent.ports.encoded import Codec


@dataclass(frozen=True, slots=True)
class ReceivedPacket:
    """One Opus packet as it came: packets may be missing, late, twice and out of order."""

    sequence: int
    """RTP sequence number, unwrapped: it goes on past 65535."""
    timestamp: int
    """Of the packet's first sample, in 1/48000 s, unwrapped (RFC 7587 section 4.1)."""
    payload: bytes
    arrival_time: float
    """Seconds on the monotonic clock when the datagram was read."""
    sender_time: float | None
    """Seconds on the sender's wall clock when the first sample was captured.

    From RTCP sender reports (RFC 3550 section 6.4.1); None before the first one.
    """


@dataclass(frozen=True, slots=True)
class ReceivedPicture:
    """One complete encoded picture, in the order of sending; after a gap the first one is a key frame."""

    codec: Codec
    key: bool
    """Decodable without any earlier picture."""
    timestamp: int
    """In 1/90000 s, unwrapped."""
    payload: bytes
    """H.264: an Annex B access unit. VP8: one frame."""
    arrival_time: float
    """Seconds on the monotonic clock when its last packet was read."""
    sender_time: float | None
    """As of a packet, for the picture's capture."""


class ReceiverControl(Protocol):
    """What a decoder tells the connection it is fed by. Callable from any thread, returns at once."""

    def request_key_frame(self) -> None:
        """Decoding cannot go on without one (RTCP PLI); requests close together are merged."""
        ...

    def first_frame(self) -> None:
        """The first picture, or the first sound, was decoded. Further calls mean nothing."""
        ...


class PacketSink(Protocol):
    """Takes one remote sound track, encoded; puts it in order, decodes it, conceals what is missing."""

    def put(self, packet: ReceivedPacket) -> None:
        """Hand over one packet, on the event loop; returns at once, never raises."""
        ...

    def figures(self) -> dict[str, float | int]:
        """What happened so far, for the statistics of the connection; callable from any thread."""
        ...


class PictureSink(Protocol):
    """Takes one remote video track, encoded, and decodes it on a thread of its own."""

    def put(self, picture: ReceivedPicture) -> None:
        """Hand over one picture, on the event loop; returns at once, never raises.

        A sink that is behind drops up to the next key frame and asks for one.
        """
        ...

    def figures(self) -> dict[str, float | int]: ...
