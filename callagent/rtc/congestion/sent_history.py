# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sender remembers of its packets until their receiver has told of them."""

from dataclasses import dataclass

from callagent.rtc.congestion.transport_feedback import (
    REFERENCE_BITS,
    REFERENCE_S,
    TICK_S,
    TransportFeedback,
)
from callagent.rtc.unwrapping import Unwrapper

KEPT_S = 10.0
MAX_PACKETS = 20_000


@dataclass(frozen=True, slots=True)
class SentPacket:
    sequence: int
    """Transport-wide, unwrapped."""
    size: int
    """Bytes of the RTP packet."""
    sent_at: float
    """Monotonic seconds of the sender."""
    probe: int | None
    """The probe cluster it is part of."""


@dataclass(frozen=True, slots=True)
class PacketResult:
    """What became of a packet."""

    sent: SentPacket
    arrived_at: float | None
    """Seconds on the receiver's clock, whose start is unknown; None: lost."""


class SentHistory:
    """Bounded by age and number, the oldest goes."""

    def __init__(self) -> None:
        self._packets: dict[int, SentPacket] = {}
        self._lost: set[int] = set()
        self._sequences = Unwrapper(16)
        self._references = Unwrapper(REFERENCE_BITS)
        self._last = 0

    def add(self, sequence: int, size: int, now: float, probe: int | None = None) -> None:
        """A packet left; `sequence` as on the wire, 16 bits, counting up by one."""
        unwrapped = self._sequences.unwrap(sequence)
        self._last = unwrapped
        self._packets[unwrapped] = SentPacket(unwrapped, size, now, probe)
        for oldest in self._outdated(now):
            del self._packets[oldest]
            self._lost.discard(oldest)

    def results(self, feedback: TransportFeedback) -> list[PacketResult]:
        """The packets a message newly tells of, in the order of sending; each arrives or is lost once.

        A packet told lost may still be told arrived by a later message.
        """
        # The message tells of the past: the nearest number that is not ahead of what was sent.
        first = self._last - ((self._last - feedback.base_sequence) & 0xFFFF)
        reference_s = self._references.unwrap(feedback.reference) * REFERENCE_S
        results = []
        for sequence, ticks in enumerate(feedback.arrivals, first):
            packet = self._packets.get(sequence)
            if packet is None:
                continue
            if ticks is not None:
                del self._packets[sequence]
                self._lost.discard(sequence)
                results.append(PacketResult(packet, reference_s + ticks * TICK_S))
            elif sequence not in self._lost:
                self._lost.add(sequence)
                results.append(PacketResult(packet, None))
        return results

    def _outdated(self, now: float) -> list[int]:
        surplus = len(self._packets) - MAX_PACKETS
        outdated = []
        for sequence, packet in self._packets.items():
            if surplus <= 0 and packet.sent_at >= now - KEPT_S:
                break
            outdated.append(sequence)
            surplus -= 1
        return outdated
