# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts received video packets together again: a picture is out as soon as its last packet is in."""

from collections import deque
from dataclasses import dataclass

GIVE_UP_TICKS = 22_500
"""250 ms of 90 kHz: how long a gap may hold up newer pictures before a key frame is asked for."""
ASK_AGAIN_TICKS = 27_000
"""300 ms: how often to ask while none comes."""
MAX_DISTANCE = 1024
"""Packets; a greater step of the sequence numbers is a restarted sender."""


@dataclass(frozen=True, slots=True)
class MediaPacket:
    """What assembling needs of one RTP packet."""

    sequence: int
    """16 bit, as on the wire."""
    timestamp: int
    """32 bit, 90 kHz, the same for all packets of one picture."""
    marker: bool
    """Set on the last packet of a picture (RFC 6184 section 5.1, RFC 7741 section 4.1)."""
    data: bytes
    """Depacketised; empty for padding."""
    starts_key_frame: bool = False


@dataclass(frozen=True, slots=True)
class AssembledFrame:
    timestamp: int
    data: bytes
    key: bool


class FrameBuffer:
    """A pure state machine over packets; time is the packets' own time stamps.

    Starts, and starts again after a gap that was not filled, at a key frame, so
    that what comes out always decodes. Not thread-safe.
    """

    def __init__(self) -> None:
        self._packets: dict[int, MediaPacket] = {}
        self._ready: deque[AssembledFrame] = deque()
        self._highest: int | None = None
        self._start: int | None = None
        self._scan = 0
        self._floor: int | None = None
        self._unreleased_start = False
        self._blocked_since: int | None = None
        self._asked_at: int | None = None

    def add(self, packet: MediaPacket) -> bool:
        """Take one packet, in any order, any number of times. True: ask the sender for a key frame."""
        sequence = self._unwrap(packet.sequence)
        if sequence in self._packets or not self._wanted(sequence, packet):
            return False
        self._packets[sequence] = packet
        self._highest = sequence if self._highest is None else max(self._highest, sequence)
        if self._start is None:
            return self._wait_for_key_frame(packet)
        self._assemble()
        return self._give_up_on_gap(packet.timestamp)

    def pop(self) -> AssembledFrame | None:
        """The next complete picture, in sending order."""
        return self._ready.popleft() if self._ready else None

    def _unwrap(self, sequence: int) -> int:
        if self._highest is None:
            return sequence
        step = ((sequence - self._highest + 0x8000) & 0xFFFF) - 0x8000
        if abs(step) > MAX_DISTANCE:
            self._packets.clear()
            self._highest = self._start = self._floor = self._blocked_since = None
            return sequence
        return self._highest + step

    def _wanted(self, sequence: int, packet: MediaPacket) -> bool:
        if self._floor is not None and sequence < self._floor:
            return False
        if self._start is None or sequence >= self._start:
            return True
        # The first packets of the very first picture may be overtaken by later ones of it.
        first = self._packets.get(self._start)
        overtaken = self._unreleased_start and first is not None and first.timestamp == packet.timestamp
        if overtaken and packet.starts_key_frame:
            self._start = self._scan = sequence
            return True
        return False

    def _wait_for_key_frame(self, packet: MediaPacket) -> bool:
        assert self._highest is not None
        if not self._start_at_key_frame():
            # Packets of a key frame that overtook its first one are kept, the rest is of no use.
            for old in [held for held in self._packets if held < self._highest - MAX_DISTANCE // 4]:
                del self._packets[old]
            return self._ask(packet.timestamp)
        self._assemble()
        return False

    def _start_at_key_frame(self) -> bool:
        starts = [held for held, packet in self._packets.items() if packet.starts_key_frame]
        if not starts:
            return False
        self._start = self._scan = min(starts)
        self._unreleased_start = True
        self._blocked_since = self._asked_at = None
        for old in [held for held in self._packets if held < self._start]:
            del self._packets[old]
        return True

    def _assemble(self) -> None:
        assert self._start is not None
        while (packet := self._packets.get(self._scan)) is not None:
            if self._scan == self._start and not packet.data:
                del self._packets[self._start]
                self._start = self._scan = self._start + 1
            elif packet.timestamp != self._packets[self._start].timestamp:
                # A sender that sets no marker: the next picture's first packet ends this one.
                self._release(self._scan)
            else:
                self._scan += 1
                if packet.marker:
                    self._release(self._scan)

    def _release(self, end: int) -> None:
        assert self._start is not None
        packets = [self._packets.pop(sequence) for sequence in range(self._start, end)]
        key = any(packet.starts_key_frame for packet in packets)
        self._ready.append(AssembledFrame(packets[0].timestamp, b"".join(p.data for p in packets), key))
        self._start = self._scan = self._floor = end
        self._unreleased_start = False

    def _give_up_on_gap(self, timestamp: int) -> bool:
        assert self._highest is not None
        if self._highest < self._scan:
            self._blocked_since = None
            return False
        if self._blocked_since is None:
            self._blocked_since = timestamp
            return False
        if not _reached(timestamp, self._blocked_since, GIVE_UP_TICKS):
            return False
        for old in [held for held in self._packets if held < self._scan]:
            del self._packets[old]
        self._start = None
        self._blocked_since = None
        if self._start_at_key_frame():
            self._assemble()
            return False
        return self._ask(timestamp)

    def _ask(self, timestamp: int) -> bool:
        if self._asked_at is not None and not _reached(timestamp, self._asked_at, ASK_AGAIN_TICKS):
            return False
        self._asked_at = timestamp
        return True


def _reached(timestamp: int, since: int, ticks: int) -> bool:
    """Whether a 32-bit time stamp is at least `ticks` after another; an earlier one is not."""
    return ticks <= (timestamp - since) & 0xFFFFFFFF < 1 << 31
