# SPDX-License-Identifier: GPL-3.0-or-later
"""How often a lost packet is sent again (RFC 4588): twice, where a single one is likely to be lost too."""

from callagent.ports import Clock, NetworkReport
from callagent.rtc.missing_packets import UNKNOWN_ROUND_TRIP_S

LOSSY, CONGESTED = 0.02, 0.15
"""Between these shares of lost packets second copies are sent; beyond, they would only add to it."""
LOSSY_S = 5.0
"""One report of a second's packets says little; so long a lossy way counts as such."""
_QUEUED_S = 0.1
"""A round trip so much longer than the shortest tells of a queue: its losses are congestion too."""
_KEPT = 512


class Retransmissions:
    """What to do when a receiver asks for packets. Pure but for its clock; on the loop.

    A picture that waits for a packet shows as a freeze when the packet, or the request for it, is lost once
    more: with 5 % loss each way every tenth is. A second copy, sent a little later, makes that one in two
    hundred, for as much more traffic as is lost.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sent_at: dict[int, float] = {}
        self._second: list[int] = []
        self._lossy_until = 0.0
        self._round_trip_s = UNKNOWN_ROUND_TRIP_S
        self._shortest_s = float("inf")

    def report(self, report: NetworkReport) -> None:
        if report.round_trip_s is not None:
            self._round_trip_s = report.round_trip_s
            self._shortest_s = min(self._shortest_s, report.round_trip_s)
        lost = report.fraction_lost
        queued = self._round_trip_s > self._shortest_s + _QUEUED_S
        if queued or (lost is not None and lost > CONGESTED):
            self._lossy_until = 0.0
        elif lost is not None and lost >= LOSSY:
            self._lossy_until = self._clock.now() + LOSSY_S

    def asked(self, sequence_number: int) -> bool:
        """Whether to send this one now; not when it is still on its way since it was asked for last."""
        now = self._clock.now()
        if now - self._sent_at.get(sequence_number, float("-inf")) < self._round_trip_s / 2:
            return False
        self._sent_at[sequence_number] = now
        while len(self._sent_at) > _KEPT:
            del self._sent_at[next(iter(self._sent_at))]
        if now < self._lossy_until:
            self._second.append(sequence_number)
        return True

    def second_copies(self) -> list[int]:
        """What to send once more now; each is given once. Of slow pictures the moment for it is over."""
        limit = self._clock.now() - self._round_trip_s
        due = [number for number in self._second if self._sent_at.get(number, limit) > limit]
        self._second.clear()
        return due
