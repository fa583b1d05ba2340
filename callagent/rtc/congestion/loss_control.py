# SPDX-License-Identifier: GPL-3.0-or-later
"""The rate the loss allows (draft-ietf-rmcat-gcc-02, section 6), for ways that drop instead of queueing."""

import math
from collections import deque
from collections.abc import Iterable

from callagent.rtc.congestion.sent_history import PacketResult

HIGH_LOSS, LOW_LOSS = 0.10, 0.02
"""Above the first the rate falls, below the second it grows, between them the loss is the way's own."""
_WINDOW_S = 1.0
_MIN_PACKETS = 20
_CONFIDENCE = 1.65
"""Standard deviations of a count that pure chance must not reach (5 % random loss in 100 packets)."""
_GROWTH = 1.08


class LossControl:
    """Holds `bps`: no limit until something was lost."""

    def __init__(self, min_bps: float, max_bps: float) -> None:
        self.bps = max_bps
        self._min_bps, self._max_bps = min_bps, max_bps
        self._told: deque[tuple[float, int, int]] = deque()
        self._updated_at: float | None = None
        self._decreased_at = -math.inf

    @property
    def fraction(self) -> float | None:
        """Lost of what was sent, over the last second; None when too little was sent to say."""
        total = sum(packets for _, packets, _ in self._told)
        return sum(lost for _, _, lost in self._told) / total if total >= _MIN_PACKETS else None

    def update(self, results: Iterable[PacketResult], allowed_bps: float, now: float) -> None:
        """What a message told; `allowed_bps` is what may be sent now."""
        # What left before the last decrease has had its say.
        arrived = [each.arrived_at is not None for each in results if each.sent.sent_at > self._decreased_at]
        self._told.append((now, len(arrived), arrived.count(False)))
        while self._told[0][0] < now - _WINDOW_S:
            self._told.popleft()
        elapsed = 0.0 if self._updated_at is None else min(now - self._updated_at, 1.0)
        self._updated_at = now
        total = sum(each for _, each, _ in self._told)
        missing = sum(each for _, _, each in self._told)
        if total < _MIN_PACKETS:
            return
        if missing - _CONFIDENCE * math.sqrt(missing) > HIGH_LOSS * total:
            fallen = min(self.bps, allowed_bps) * (1 - 0.5 * missing / total)
            self.bps = max(fallen, self._min_bps)
            self._decreased_at = now
            self._told.clear()
        elif missing < LOW_LOSS * total:
            self.bps = min(self.bps * _GROWTH**elapsed + 1000 * elapsed, self._max_bps)

    def raise_to(self, bps: float) -> None:
        """A probe got this through."""
        self.bps = min(max(self.bps, bps), self._max_bps)
