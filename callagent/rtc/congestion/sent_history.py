# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sender remembers of its packets until their receiver has told of them."""

import math
from dataclasses import dataclass

from callagent.rtc.congestion.transport_feedback import (
    REFERENCE_BITS,
    REFERENCE_S,
    TICK_S,
    TransportFeedback,
)
from callagent.rtc.unwrapping import Unwrapper

KEPT_S = 10.0
OVERTAKEN_S = 0.1
"""A packet that was told missing may still be told arrived for so long: others had only overtaken it."""
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
        self._missing: dict[int, float] = {}
        """When each was first told missing; infinity once it counts as lost."""
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
            self._missing.pop(oldest, None)

    def results(self, feedback: TransportFeedback, now: float) -> list[PacketResult]:
        """What a message newly tells of: arrivals in the order of sending, then losses.

        A packet is lost when it was told missing and not told arrived within `OVERTAKEN_S`; it may still
        be told arrived after that.
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
                self._missing.pop(sequence, None)
                results.append(PacketResult(packet, reference_s + ticks * TICK_S))
            else:
                self._missing.setdefault(sequence, now)
        for sequence, since in self._missing.items():
            if since <= now - OVERTAKEN_S:
                self._missing[sequence] = math.inf
                results.append(PacketResult(self._packets[sequence], None))
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
