# SPDX-License-Identifier: GPL-3.0-or-later
"""The rate the delay allows: additive or multiplicative increase, multiplicative decrease.

draft-ietf-rmcat-gcc-02, section 5.5, as libwebrtc's AIMD control does it.
"""

import math

from callagent.rtc.congestion.delay_estimate import Usage

BETA = 0.85
"""After a decrease: this share of what got through."""
_GROWTH = 1.08
"""Per second, while the capacity of the way is unknown."""
_MIN_STEP_BPS = 4000.0
_PACKET_BITS = 1200 * 8
_PICTURES_PER_S = 30
_AHEAD, _AHEAD_BPS = 1.5, 10_000.0
"""How far above what gets through the rate may grow."""
_PROBED_S = 1.0
"""A probe disturbs the delay, and what gets through follows it late: so long its own result counts."""


class _Capacity:
    """What got through each time the way was full: mean and spread."""

    def __init__(self) -> None:
        self.kbps: float | None = None
        self._deviation = 0.4

    def add(self, bps: float) -> None:
        sample = bps / 1000
        if self.kbps is None:
            self.kbps = sample
        else:
            self.kbps = 0.95 * self.kbps + 0.05 * sample
        norm = max(self.kbps, 1.0)
        error = self.kbps - sample
        self._deviation = min(max(0.95 * self._deviation + 0.05 * error * error / norm, 0.4), 2.5)

    def _margin_kbps(self, kbps: float) -> float:
        return 3 * math.sqrt(self._deviation * kbps)

    def above(self, bps: float) -> bool:
        """Whether more got through than this capacity explains."""
        return self.kbps is not None and bps / 1000 > self.kbps + self._margin_kbps(self.kbps)

    def below(self, bps: float) -> bool:
        return self.kbps is not None and bps / 1000 < self.kbps - self._margin_kbps(self.kbps)


class RateControl:
    """Holds `bps`, between `min_bps` and `max_bps`."""

    def __init__(self, start_bps: float, min_bps: float, max_bps: float) -> None:
        self.bps = start_bps
        self._min_bps, self._max_bps = min_bps, max_bps
        self._capacity = _Capacity()
        self._increasing = False
        self._changed_at: float | None = None
        self._decreased_at: float | None = None
        self._probed_bps, self._probed_at = 0.0, -math.inf

    def update(
        self, usage: Usage, through_bps: float | None, round_trip_s: float, now: float, *, idle: bool
    ) -> None:
        """One message was heard: `through_bps` got through; `idle`: there was less to send than allowed."""
        if usage is Usage.OVER:
            self._on_overuse(through_bps, round_trip_s, now)
        elif usage is Usage.UNDER:
            self._increasing = False
            self._changed_at = now
        elif not self._increasing:
            # One message of holding, so that a draining queue is gone before the rate grows.
            self._increasing = True
            self._changed_at = now
        elif not idle:
            self._increase(through_bps, round_trip_s, now)

    def raise_to(self, bps: float, now: float) -> None:
        """A probe got this through."""
        self.bps = self._bounded(max(self.bps, bps))
        self._probed_bps, self._probed_at = bps, now

    def limit_to(self, bps: float, now: float) -> None:
        """Something else than the delay says that the way carries no more."""
        if bps < self.bps:
            self.bps = self._bounded(bps)
            self._changed_at = now

    def _on_overuse(self, through_bps: float | None, round_trip_s: float, now: float) -> None:
        self._increasing = False
        pause = min(max(round_trip_s, 0.01), 0.2)
        recently = self._decreased_at is not None and now - self._decreased_at < pause
        if recently and not (through_bps is not None and through_bps < self.bps / 2):
            return
        if through_bps is None:
            if not recently:
                self._set(self.bps / 2, now)
                self._decreased_at = now
            return
        if now - self._probed_at < _PROBED_S:
            through_bps = max(through_bps, self._probed_bps)
        decreased = BETA * through_bps
        if decreased > self.bps and self._capacity.kbps is not None:
            decreased = BETA * self._capacity.kbps * 1000
        if self._capacity.below(through_bps) or self._capacity.above(through_bps):
            self._capacity = _Capacity()
        self._capacity.add(through_bps)
        self._set(min(decreased, self.bps), now)
        self._decreased_at = now

    def _increase(self, through_bps: float | None, round_trip_s: float, now: float) -> None:
        elapsed = 0.0 if self._changed_at is None else min(now - self._changed_at, 1.0)
        self._changed_at = now
        if through_bps is not None and self._capacity.above(through_bps):
            self._capacity = _Capacity()
        if self._capacity.kbps is not None:
            step = elapsed * self._additive_bps_per_s(round_trip_s)
        else:
            step = max(self.bps * (_GROWTH**elapsed - 1), 1000.0 * elapsed)
        ahead = math.inf if through_bps is None else _AHEAD * through_bps + _AHEAD_BPS
        if self.bps < ahead:
            self.bps = self._bounded(min(self.bps + step, ahead))

    def _additive_bps_per_s(self, round_trip_s: float) -> float:
        """About one packet per response time (section 5.5)."""
        picture_bits = self.bps / _PICTURES_PER_S
        packet_bits = picture_bits / math.ceil(picture_bits / _PACKET_BITS)
        return max(_MIN_STEP_BPS, packet_bits / (round_trip_s + 0.1))

    def _set(self, bps: float, now: float) -> None:
        self.bps = self._bounded(bps)
        self._changed_at = now

    def _bounded(self, bps: float) -> float:
        return min(max(bps, self._min_bps), self._max_bps)
