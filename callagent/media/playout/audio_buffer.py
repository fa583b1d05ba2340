# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets of one sound track in the order of sending, however they came. Pure."""

from bisect import bisect_left
from dataclasses import dataclass

from callagent.media.sound import RATE_HZ
from callagent.ports import ReceivedPacket

MAX_SAMPLES = int(0.7 * RATE_HZ)
"""The longest delay there may be, and some room; a buffer that spans more drops its oldest."""
MAX_PACKETS = 300


@dataclass(frozen=True, slots=True)
class BufferedPacket:
    """A packet and how long it lasts."""

    sequence: int
    timestamp: int
    samples: int
    payload: bytes

    @property
    def end(self) -> int:
        """Time stamp of the first sample after it."""
        return self.timestamp + self.samples


class PacketBuffer:
    """Ordered by sequence number, each once, bounded: the oldest are dropped."""

    def __init__(self) -> None:
        self._packets: list[BufferedPacket] = []

    def __len__(self) -> int:
        return len(self._packets)

    @property
    def head(self) -> BufferedPacket | None:
        """The oldest; None when empty."""
        return self._packets[0] if self._packets else None

    @property
    def span(self) -> int:
        """Samples from the beginning of the oldest to the end of the newest, gaps included."""
        return self._packets[-1].end - self._packets[0].timestamp if self._packets else 0

    def insert(self, packet: ReceivedPacket, samples: int) -> bool:
        """False when it is there already."""
        place = bisect_left(self._packets, packet.sequence, key=lambda each: each.sequence)
        if place < len(self._packets) and self._packets[place].sequence == packet.sequence:
            return False
        buffered = BufferedPacket(packet.sequence, packet.timestamp, samples, packet.payload)
        self._packets.insert(place, buffered)
        return True

    def pop(self) -> BufferedPacket:
        """Take the oldest out. Raises IndexError when empty."""
        return self._packets.pop(0)

    def trim(self, max_samples: int = MAX_SAMPLES) -> int:
        """Drop the oldest until the rest spans no more than that, the newest stays; how many."""
        dropped = 0
        while len(self._packets) > 1 and (len(self._packets) > MAX_PACKETS or self.span > max_samples):
            self._packets.pop(0)
            dropped += 1
        return dropped

    def clear(self) -> None:
        self._packets.clear()
