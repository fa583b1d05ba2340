# SPDX-License-Identifier: GPL-3.0-or-later
"""Spreads a sender's packets in time, so that a key frame does not overflow a shallow queue on its way."""

from collections import deque
from dataclasses import dataclass

from callagent.rtc.congestion.probing import MIN_PACKETS, Probe

STEP_S = 0.002
"""Packets this close together leave with one wake-up."""
CATCH_UP_S = 0.005
LONG_QUEUE_S = 0.1
URGENT_S = 0.2
"""No more retransmissions wait than leave in this time; a packet that is still missed is asked for again."""
_AHEAD_BYTES = 3000
"""So far retransmissions overtake pictures; beyond it they share the way, or a burst of losses would keep
the key frame back that ends it.
"""
MAX_PACKETS = 2000
MAX_PADDING = 224
"""Of one packet, in bytes; RTP tells it in one byte (RFC 3550 section 5.1), libwebrtc takes no more."""
_PADDING_OVERHEAD = 32


@dataclass(frozen=True, slots=True)
class Paced:
    """A packet that may leave now."""

    packet: bytes | None
    """The RTP packet; None: padding of `padding` bytes."""
    padding: int
    probe: int | None


class Pacer:
    """A leaky bucket behind two queues: retransmissions, then pictures. Pure.

    Sound passes beside it (`passed`) and is only counted.
    """

    def __init__(self, pacing_bps: float, burst_bytes: float) -> None:
        self._urgent: deque[bytes] = deque()
        self._pictures: deque[bytes] = deque()
        self._queued_bytes = self._urgent_bytes = 0
        self._ahead = 0
        """By how many bytes retransmissions are ahead of the pictures that wait."""
        self._pacing_bps, self._burst_bytes = pacing_bps, burst_bytes
        self._debt = 0.0
        """Bytes ahead of the pace."""
        self._at: float | None = None
        self._probe: Probe | None = None
        self._probe_bytes = self._probe_packets = 0
        self.dropped = 0

    def set_pace(self, pacing_bps: float, burst_bytes: float) -> None:
        """From now on; `burst_bytes` may leave at once."""
        self._pacing_bps, self._burst_bytes = pacing_bps, burst_bytes

    @property
    def queue_s(self) -> float:
        """How long what waits will take to leave."""
        return self._queued_bytes * 8 / self._pacing_bps

    @property
    def is_long(self) -> bool:
        """Pictures should be skipped now rather than queued."""
        return self.queue_s > LONG_QUEUE_S

    def put(self, packet: bytes, *, urgent: bool = False) -> None:
        """Queue a packet; `urgent` ones (retransmissions) overtake pictures."""
        queue = self._urgent if urgent else self._pictures
        if len(queue) >= MAX_PACKETS:
            self._drop(queue)
        queue.append(packet)
        self._queued_bytes += len(packet)
        if urgent:
            self._urgent_bytes += len(packet)
            while len(queue) > 1 and self._urgent_bytes * 8 > URGENT_S * self._pacing_bps:
                self._drop(queue)

    def passed(self, size: int, now: float) -> None:
        """A packet left without having been queued."""
        self._settle(now)
        self._debt += size

    def start_probe(self, probe: Probe) -> None:
        self._probe = probe
        self._probe_bytes = self._probe_packets = 0
        self._debt = 0.0

    def take(self, now: float) -> Paced | None:
        """The next packet that may leave now; to be asked again until there is none."""
        self._settle(now)
        if self._probe is not None:
            return self._take_for(self._probe)
        if not (self._urgent or self._pictures) or self._debt > self._burst_bytes:
            return None
        packet = self._pop()
        self._debt += len(packet)
        return Paced(packet, 0, None)

    def next_at(self, now: float) -> float | None:
        """When to ask again; None when nothing waits."""
        self._settle(now)
        if self._probe is not None:
            excess, rate = self._debt, self._probe.rate_bps
        elif self._urgent or self._pictures:
            excess, rate = self._debt - self._burst_bytes, self._pacing_bps
        else:
            return None
        return now if excess <= 0 else now + max(excess * 8 / rate, STEP_S)

    def _take_for(self, probe: Probe) -> Paced | None:
        if self._debt > 0:
            return None
        if self._urgent or self._pictures:
            packet: bytes | None = self._pop()
            assert packet is not None
            padding, size = 0, len(packet)
        else:
            packet, padding = None, MAX_PADDING
            size = padding + _PADDING_OVERHEAD
        self._debt += size
        self._probe_bytes += size
        self._probe_packets += 1
        if self._probe_bytes >= probe.size and self._probe_packets >= MIN_PACKETS:
            self._probe = None
        return Paced(packet, padding, probe.number)

    def _pop(self) -> bytes:
        if self._urgent and (not self._pictures or self._ahead < _AHEAD_BYTES):
            packet = self._urgent.popleft()
            self._urgent_bytes -= len(packet)
            self._ahead += len(packet) if self._pictures else 0
        else:
            packet = self._pictures.popleft()
            self._ahead = max(0, self._ahead - len(packet))
        self._queued_bytes -= len(packet)
        return packet

    def _drop(self, queue: deque[bytes]) -> None:
        size = len(queue.popleft())
        self._queued_bytes -= size
        self._urgent_bytes -= size if queue is self._urgent else 0
        self.dropped += 1

    def _settle(self, now: float) -> None:
        """Pay off the debt for the time gone by; nobody saves up beyond nothing."""
        if self._at is not None and now > self._at:
            rate = self._pacing_bps if self._probe is None else self._probe.rate_bps
            # A probe makes up for a late timer, else it would be slower than it is meant to be.
            floor = 0.0 if self._probe is None else -CATCH_UP_S * rate / 8
            self._debt = max(self._debt - (now - self._at) * rate / 8, floor)
        self._at = now
