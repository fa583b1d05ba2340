# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts received video packets together again: a picture is out as soon as its last packet is in."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

GIVE_UP_S = 0.25
"""How long a gap may hold up newer pictures before a key frame is asked for, where a retransmission
takes no time."""
ASK_AGAIN_S = 0.3
"""How often to ask while none comes."""
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
    starts_key_frame: bool
    arrival_time: float
    """Seconds on the monotonic clock."""


@dataclass(frozen=True, slots=True)
class AssembledFrame:
    timestamp: int
    data: bytes
    key: bool
    arrival_time: float
    """Of the packet of it that came last."""
    began_time: float
    """Of the one that came first."""
    next_sequence: int
    """16 bit, of the packet after its last one."""


class FrameBuffer:
    """A pure state machine over packets; time is that of the packets' arrival.

    Starts, and starts again after a gap that was not filled, at a key frame, so
    that what comes out always decodes. Not thread-safe.
    """

    def __init__(self, give_up_s: Callable[[], float] = lambda: GIVE_UP_S) -> None:
        """`give_up_s`: how long a gap may last at present."""
        self._give_up_s = give_up_s
        self._packets: dict[int, MediaPacket] = {}
        self._ready: deque[AssembledFrame] = deque()
        self._highest: int | None = None
        self._start: int | None = None
        self._scan = 0
        self._floor: int | None = None
        self._unreleased_start = False
        self._blocked_since: float | None = None
        self._blocked_at = 0
        self._asked_at: float | None = None

    @property
    def waits_for_key_frame(self) -> bool:
        """Nothing of what came is the begin of one."""
        return self._start is None

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
        return self._give_up_on_gap(packet.arrival_time)

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
            return self._ask(packet.arrival_time)
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
        arrivals = [packet.arrival_time for packet in packets]
        data = b"".join([packet.data for packet in packets])
        self._ready.append(
            AssembledFrame(packets[0].timestamp, data, key, max(arrivals), min(arrivals), end & 0xFFFF)
        )
        self._start = self._scan = self._floor = end
        self._unreleased_start = False

    def _give_up_on_gap(self, now: float) -> bool:
        assert self._highest is not None
        if self._highest < self._scan:
            self._blocked_since = None
            return False
        if self._blocked_since is None or self._blocked_at != self._scan:
            self._blocked_since, self._blocked_at = now, self._scan
            return False
        if now - self._blocked_since < self._give_up_s():
            return False
        for old in [held for held in self._packets if held < self._scan]:
            del self._packets[old]
        self._start = None
        self._blocked_since = None
        if self._start_at_key_frame():
            self._assemble()
            return False
        return self._ask(now)

    def _ask(self, now: float) -> bool:
        if self._asked_at is not None and now - self._asked_at < ASK_AGAIN_S:
            return False
        self._asked_at = now
        return True
