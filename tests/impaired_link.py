# SPDX-License-Identifier: GPL-3.0-or-later
"""A bad network between two WebRTC ends of this process: a relay of datagrams in user space."""

import asyncio
import random
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import Any

Address = tuple[str, int]
_WAITS = 2000
_CANDIDATE = "a=candidate:"


@dataclass(slots=True)
class Way:
    """One direction; everything may be changed while it is used."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    """Each datagram takes up to so much less or more; they overtake each other (as with tc-netem(8))."""
    loss: float = 0.0
    """Share of the datagrams, each by itself."""
    rate_bps: float | None = None
    queue_bytes: float = 40_000
    """In front of the rate; what finds it full is dropped."""
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    passed_bytes: int = 0
    waits: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_WAITS))
    """When each datagram came, and how long it had to queue, in seconds."""
    _free_at: float = 0.0

    def takes_s(self, size: int, now: float) -> float | None:
        """How long a datagram that comes now is under way; None: it is lost. Pure but for chance."""
        wait_s = 0.0
        if self.rate_bps is not None:
            begin = max(now, self._free_at)
            if (begin - now) * self.rate_bps / 8 + size > self.queue_bytes:
                return None
            self._free_at = begin + size * 8 / self.rate_bps
            wait_s = self._free_at - now
            self.waits.append((now, wait_s))
        if self.chance.random() < self.loss:
            return None
        self.passed_bytes += size
        jitter_s = self.chance.uniform(-self.jitter_s, self.jitter_s)
        return max(0.0, wait_s + self.delay_s + jitter_s)


class ImpairedLink:
    """Stands between an offerer and an answerer. On the loop.

    `open`, then lead the offer and the answer by it (`lead_offer`, `lead_answer`):
    each side then knows the other only by an address of the link.
    """

    def __init__(self, there: Way | None = None, back: Way | None = None) -> None:
        """`there` carries what the offerer sends, `back` what the answerer sends."""
        self.there = there or Way()
        self.back = back or Way()
        self._doors: list[asyncio.DatagramTransport] = []
        self._ends: list[Address | None] = [None, None]

    async def lead_offer(self, sdp: str) -> str:
        """The offer for the answerer. Opens the link."""
        loop = asyncio.get_running_loop()
        host = next(line.split()[4] for line in sdp.splitlines() if line.startswith(_CANDIDATE))
        for side in (0, 1):
            transport, _ = await loop.create_datagram_endpoint(
                partial(_Door, self, side), local_addr=(host, 0)
            )
            self._doors.append(transport)
        return self._lead(sdp, 0)

    def lead_answer(self, sdp: str) -> str:
        """The answer for the offerer."""
        return self._lead(sdp, 1)

    def close(self) -> None:
        """Idempotent."""
        for door in self._doors:
            door.close()

    def received(self, side: int, data: bytes) -> None:
        """A datagram from the offerer (0) or the answerer (1)."""
        loop = asyncio.get_running_loop()
        takes_s = (self.there, self.back)[side].takes_s(len(data), loop.time())
        if takes_s is not None:
            loop.call_later(takes_s, self._give, side, data)

    def _lead(self, sdp: str, side: int) -> str:
        """Leave one candidate of this side, at the door the other side sees; remember where it was."""
        door: Address = self._doors[1 - side].get_extra_info("sockname")[:2]
        lines: list[str] = []
        end: Address | None = None
        for line in sdp.splitlines():
            if not line.startswith(_CANDIDATE):
                lines.append(line)
                continue
            parts = line.split()
            if end is None and parts[4] == door[0]:
                end = (parts[4], int(parts[5]))
                parts[4:6] = door[0], str(door[1])
                lines.append(" ".join(parts))
        assert end is not None
        self._ends[side] = end
        return "\r\n".join(lines) + "\r\n"

    def _give(self, side: int, data: bytes) -> None:
        end = self._ends[1 - side]
        if end is not None and not self._doors[1 - side].is_closing():
            self._doors[1 - side].sendto(data, end)


class _Door(asyncio.DatagramProtocol):
    def __init__(self, link: ImpairedLink, side: int) -> None:
        self._link, self._side = link, side

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._link.received(self._side, data)
