# SPDX-License-Identifier: GPL-3.0-or-later
"""Short bursts faster than the rate in use, and what they say of the way.

Growing by 8 % a second would take half a minute from 400 kbit/s to 2 Mbit/s, and a
sender with little to send would never learn what the way carries. The times and
ratios are libwebrtc's, but for what is said beside them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from callagent.rtc.congestion.sent_history import PacketResult

DURATION_S = 0.02
"""Of a burst; a little longer than libwebrtc's 15 ms, because our timers and readers are a Python loop's."""
MIN_PACKETS = 5
_FIRST = 3.0
_NEXT = 2.0
_FURTHER = 0.7
"""A burst that got through this well is followed by a faster one."""
_RESULT_S = 1.0
"""After this a burst without a result is forgotten."""
_PERIOD_S = 5.0
_RECOVERY_PERIOD_S, _LATE_RECOVERY_PERIOD_S = 3.0, 10.0
_EARLY_S, _HOPE_S = 60.0, 600.0
"""How long after a drop the rate before it is tried for often, and at all."""
_DROP = 0.8
"""Below this share of the rate before, it counts as one to come back to."""
_ENOUGH = 0.8
"""Of the burst's bytes have to arrive."""
_MAX_SPEED_UP = 2.0
_SLOW = 0.7
"""A burst slower than this share of its rate was held up at home, and is tried again."""
_ATTEMPTS = 3
_FULL, _UNDER_FULL = 0.9, 0.95
"""A burst that arrived slower than this filled the way; a little less than it is taken."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A burst to send: media that waits, filled up with padding."""

    number: int
    rate_bps: float

    @property
    def size(self) -> int:
        """Bytes."""
        return math.ceil(self.rate_bps * DURATION_S / 8)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a burst says of the way."""

    carried_bps: float | None
    """None: it left too slowly, or its arrivals make no sense."""
    filled: bool
    """The way carries no more than that."""


@dataclass(slots=True)
class _Burst:
    probe: Probe
    packets: int = 0
    size: int = 0
    first_sent: float = math.inf
    last_sent: float = -math.inf
    last_sent_size: int = 0
    first_arrived: float = math.inf
    first_arrived_size: int = 0
    last_arrived: float = -math.inf

    def add(self, result: PacketResult, arrived_at: float) -> None:
        sent = result.sent
        self.packets += 1
        self.size += sent.size
        self.first_sent = min(self.first_sent, sent.sent_at)
        if sent.sent_at >= self.last_sent:
            self.last_sent, self.last_sent_size = sent.sent_at, sent.size
        if arrived_at < self.first_arrived:
            self.first_arrived, self.first_arrived_size = arrived_at, sent.size
        self.last_arrived = max(self.last_arrived, arrived_at)

    def result(self) -> "ProbeResult | None":
        """None while too little of it has arrived."""
        if self.packets < MIN_PACKETS * _ENOUGH or self.size < self.probe.size * _ENOUGH:
            return None
        sent_s, arrived_s = self.last_sent - self.first_sent, self.last_arrived - self.first_arrived
        if sent_s <= 0 or arrived_s <= 0:
            return ProbeResult(None, filled=False)
        # Of n packets there are n - 1 intervals: the last one sent and the first one arrived do not count.
        sent_bps = (self.size - self.last_sent_size) * 8 / sent_s
        arrived_bps = (self.size - self.first_arrived_size) * 8 / arrived_s
        if sent_bps < _SLOW * self.probe.rate_bps or arrived_bps > _MAX_SPEED_UP * sent_bps:
            return ProbeResult(None, filled=False)
        if arrived_bps < _FULL * sent_bps:
            return ProbeResult(_UNDER_FULL * arrived_bps, filled=True)
        return ProbeResult(min(sent_bps, arrived_bps), filled=False)


class Probing:
    """Says when to probe and reads the results. One burst at a time."""

    def __init__(self, start_bps: float, max_bps: float) -> None:
        self._max_bps = max_bps
        self._wanted_bps: float | None = _FIRST * start_bps
        self._burst: _Burst | None = None
        self._asked_at = -math.inf
        self._count = self._failures = 0
        self._hoped_bps = 0.0
        self._hoped_at = -math.inf
        self._dropped_at = -math.inf

    def due(self, target_bps: float, now: float, *, idle: bool, calm: bool) -> Probe | None:
        """The burst to send now. `idle`: there is less to send than allowed; `calm`: no queue, no loss."""
        if self._burst is not None:
            if now - self._asked_at < _RESULT_S:
                return None
            self._burst = None
        if self._wanted_bps is None and calm and target_bps < self._max_bps:
            period_s = self._period_s(target_bps, now, idle=idle)
            if now - max(self._asked_at, self._dropped_at) >= period_s:
                self._wanted_bps = _NEXT * target_bps
        if self._wanted_bps is None:
            return None
        rate = min(self._wanted_bps, self._max_bps)
        self._wanted_bps = None
        if rate <= target_bps:
            return None
        self._count += 1
        probe = Probe(self._count, rate)
        self._burst = _Burst(probe)
        self._asked_at = now
        return probe

    def on_results(self, results: Iterable[PacketResult]) -> ProbeResult | None:
        """What a burst says of the way, once."""
        burst = self._burst
        if burst is None:
            return None
        for result in results:
            if result.sent.probe == burst.probe.number and result.arrived_at is not None:
                burst.add(result, result.arrived_at)
        outcome = burst.result()
        if outcome is None:
            return None
        self._burst = None
        carried, rate = outcome.carried_bps, burst.probe.rate_bps
        if carried is None:
            self._failures += 1
            self._wanted_bps = rate if self._failures < _ATTEMPTS else None
            return None
        self._failures = 0
        if carried > _FURTHER * rate and rate < self._max_bps:
            self._wanted_bps = _NEXT * carried
        return outcome

    def on_decrease(self, before_bps: float, now: float) -> None:
        """The rate was lowered: nothing is tried before some seconds, then the way back is."""
        self._wanted_bps = None
        if before_bps >= self._hoped_bps or now - self._hoped_at > _HOPE_S:
            self._hoped_bps, self._hoped_at = before_bps, now
        self._dropped_at = now

    def _period_s(self, target_bps: float, now: float, *, idle: bool) -> float:
        hoping_s = now - self._hoped_at
        if target_bps < _DROP * self._hoped_bps and hoping_s < _HOPE_S:
            return _RECOVERY_PERIOD_S if hoping_s < _EARLY_S else _LATE_RECOVERY_PERIOD_S
        return _PERIOD_S if idle else math.inf
