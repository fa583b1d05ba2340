# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a queue is building up on the way: the slope of the delay against an adaptive threshold.

draft-ietf-rmcat-gcc-02, sections 5.3 and 5.4, with a fitted line in the place of
the Kalman filter, and with the constants of libwebrtc's trendline estimator.
"""

from collections import deque
from enum import Enum

from callagent.rtc.congestion.packet_groups import GroupDelta

_WINDOW = 20
_SMOOTHING = 0.9
_GAIN = 4.0
_MAX_DELTAS = 60
_OVERUSE_MS = 10.0
_K_UP, _K_DOWN = 0.0087, 0.039
_THRESHOLD_MS, _MIN_THRESHOLD_MS, _MAX_THRESHOLD_MS = 12.5, 6.0, 600.0
_MAX_ADAPT_OFFSET_MS = 15.0
_MAX_STEP_MS = 100.0


class Usage(Enum):
    """Of the bottleneck on the way."""

    NORMAL = "normal"
    OVER = "over"
    UNDER = "under"
    """A queue is draining: the rate has to wait for it."""


class DelayEstimate:
    """Fed with every group's delta in order; `usage` is the verdict so far."""

    def __init__(self) -> None:
        self.usage = Usage.NORMAL
        self._began_ms: float | None = None
        self._line: deque[tuple[float, float]] = deque(maxlen=_WINDOW)
        self._deltas = 0
        self._accumulated_ms = self._smoothed_ms = 0.0
        self._slope = 0.0
        self._threshold_ms = _THRESHOLD_MS
        self._adapted_ms: float | None = None
        self._over_ms: float | None = None
        self._over_count = 0

    def add(self, delta: GroupDelta) -> Usage:
        arrived_ms = delta.arrived_at * 1000
        if self._began_ms is None:
            self._began_ms = arrived_ms
        self._deltas = min(self._deltas + 1, _MAX_DELTAS)
        self._accumulated_ms += delta.delay_s * 1000
        self._smoothed_ms = _SMOOTHING * self._smoothed_ms + (1 - _SMOOTHING) * self._accumulated_ms
        self._line.append((arrived_ms - self._began_ms, self._smoothed_ms))
        before = self._slope
        if len(self._line) == _WINDOW:
            self._slope = _fit(self._line, self._slope)
        self._detect(self._slope * self._deltas * _GAIN, before, delta.sent_s * 1000, arrived_ms)
        return self.usage

    def _detect(self, trend_ms: float, slope_before: float, sent_ms: float, now_ms: float) -> None:
        if trend_ms > self._threshold_ms:
            # The first time the delay is taken to have grown for half of the interval.
            self._over_ms = sent_ms / 2 if self._over_ms is None else self._over_ms + sent_ms
            self._over_count += 1
            if self._over_ms > _OVERUSE_MS and self._over_count > 1 and self._slope >= slope_before:
                self._over_ms, self._over_count = 0.0, 0
                self.usage = Usage.OVER
        else:
            self._over_ms, self._over_count = None, 0
            self.usage = Usage.UNDER if trend_ms < -self._threshold_ms else Usage.NORMAL
        self._adapt(trend_ms, now_ms)

    def _adapt(self, trend_ms: float, now_ms: float) -> None:
        """Follow the trend, so that a way that jitters, or is shared with TCP, is not given up."""
        if self._adapted_ms is None:
            self._adapted_ms = now_ms
        size = abs(trend_ms)
        if size <= self._threshold_ms + _MAX_ADAPT_OFFSET_MS:
            rate = _K_DOWN if size < self._threshold_ms else _K_UP
            elapsed_ms = min(now_ms - self._adapted_ms, _MAX_STEP_MS)
            moved = self._threshold_ms + rate * (size - self._threshold_ms) * elapsed_ms
            self._threshold_ms = min(max(moved, _MIN_THRESHOLD_MS), _MAX_THRESHOLD_MS)
        self._adapted_ms = now_ms


def _fit(points: deque[tuple[float, float]], otherwise: float) -> float:
    """The slope of the least-squares line."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread == 0:
        return otherwise
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
