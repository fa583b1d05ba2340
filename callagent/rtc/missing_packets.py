# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packets to ask a sender for once more (RFC 4585 section 6.2.1)."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from callagent.ports import Clock
from callagent.rtc.unwrapping import Unwrapper

MAX_AGE_S = 1.0
"""No picture waits so long for a packet."""
MAX_GAP = 512
"""Packets; a greater step is an outage or a restarted sender, and a key frame's matter."""
UNKNOWN_ROUND_TRIP_S = 0.1
_MARGIN_S = 0.02
"""Jitter, and the sender's pause for breath."""
_OUTCOMES = 64
_SOONEST = 0.5
"""Of a round trip: what comes sooner after it was asked for was on its way already."""
_LONGEST_WAIT_S = 0.05
REPEAT_S = 0.02
"""Requests get lost as packets do: so soon each is made once more, where the way is so long that nothing can
have come by then. Senders answer one of the two."""


class Numbered(Protocol):
    sequence_number: int


@dataclass(slots=True)
class _Missing:
    since: float
    ask_at: float
    asked_at: float | None = None
    round_at: float | None = None
    """When it was asked for in this round trip, as long as that is to be repeated."""


class Overtaking:
    """How long packets that were overtaken by others come after them: so long it is worth waiting. Pure.

    The 90th percentile of what became of the last missing packets; those that had to
    be sent again count as 0, so that on a network that keeps the order nothing waits.
    """

    def __init__(self) -> None:
        self.wait_s = 0.0
        self._outcomes: deque[float] = deque(maxlen=_OUTCOMES)

    def came(self, late_s: float) -> None:
        """A missing packet came so late by itself; 0.0: it had to be sent again."""
        self._outcomes.append(late_s)
        self.wait_s = sorted(self._outcomes)[int(0.9 * (len(self._outcomes) - 1))]


class MissingPackets:
    """Asks for a missing packet at once and right again, and so once per round trip, driven by the packets
    that do come.

    Where packets overtake each other it first waits as long as that usually takes.
    In the place of aiortc's NackGenerator, which asks for all again with every
    new gap, and else never again. Pure but for its clock.
    """

    def __init__(self, clock: Clock, round_trip: Callable[[], float | None]) -> None:
        self.missing: Sequence[int] = ()
        """What `add` found due: sequence numbers as on the wire."""
        self.asked = 0
        """How many requests were made for single packets."""
        self._clock = clock
        self._round_trip = round_trip
        self._unwrapper = Unwrapper(16)
        self._highest: int | None = None
        self._waiting: dict[int, _Missing] = {}
        self._overtaking = Overtaking()

    def add(self, packet: Numbered) -> bool:
        """A packet came, first or retransmitted. Whether anything is to be asked for now: see `missing`."""
        sequence = self._unwrapper.unwrap(packet.sequence_number)
        if self._highest is None or abs(sequence - self._highest) > MAX_GAP:
            self._waiting.clear()
            self._highest = sequence
            return False
        if sequence == self._highest + 1 and not self._waiting:
            self._highest = sequence
            return False
        now = self._clock.now()
        for number in range(self._highest + 1, sequence):
            self._waiting[number] = _Missing(now, now + min(self._overtaking.wait_s, _LONGEST_WAIT_S))
        self._highest = max(self._highest, sequence)
        came = self._waiting.pop(sequence, None)
        if came is not None:
            self._learn(came, now)
        return self._look(now) if self._waiting else False

    def forget_before(self, sequence_number: int) -> None:
        """What lies before this number of the wire is of no use any more."""
        if self._waiting and self._highest is not None:
            ahead = (self._highest - sequence_number + 0x8000) % 0x10000 - 0x8000
            first = self._highest - ahead
            for number in [number for number in self._waiting if number < first]:
                del self._waiting[number]

    def forget(self) -> None:
        """Nothing that is missing now is of use any more."""
        self._waiting.clear()

    def _learn(self, came: _Missing, now: float) -> None:
        by_itself = came.asked_at is None or now - came.asked_at < _SOONEST * self._round_trip_s()
        self._overtaking.came(now - came.since if by_itself else 0.0)

    def _look(self, now: float) -> bool:
        again_s = _MARGIN_S + self._round_trip_s()
        due = []
        for number, missing in list(self._waiting.items()):
            if now - missing.since > MAX_AGE_S:
                del self._waiting[number]
            elif now >= missing.ask_at:
                missing.asked_at = now if missing.asked_at is None else missing.asked_at
                self._ask_next(missing, now, again_s)
                due.append(number & 0xFFFF)
        self.missing = due
        self.asked += len(due)
        return bool(due)

    def _ask_next(self, missing: _Missing, now: float, again_s: float) -> None:
        """Just asked: when to ask for it once more."""
        if missing.round_at is not None:
            missing.ask_at, missing.round_at = missing.round_at + again_s, None
        elif again_s > _MARGIN_S + 2 * REPEAT_S:
            missing.ask_at, missing.round_at = now + REPEAT_S, now
        else:
            missing.ask_at = now + again_s

    def _round_trip_s(self) -> float:
        measured_s = self._round_trip()
        return UNKNOWN_ROUND_TRIP_S if measured_s is None else measured_s
