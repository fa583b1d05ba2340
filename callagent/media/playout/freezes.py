# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts freezes of a picture as the W3C does, so that figures compare with those of browsers."""

from collections import deque

_PICTURES = 30
_LEAST_PICTURES = 5
"""As in libwebrtc: fewer make no average."""
_PAUSE_S = 5.0


class Freezes:
    """freezeCount and totalFreezesDuration of RTCInboundRtpStreamStats (W3C webrtc-stats). Pure.

    A freeze is an interval between two shown pictures of at least three times
    the average of the last 30, and at least 150 ms above it. Beyond 5 s it is a
    pause: the camera was switched off.
    """

    def __init__(self) -> None:
        self.count = 0
        self.total_s = 0.0
        self._intervals: deque[float] = deque(maxlen=_PICTURES)
        self._last: float | None = None

    def shown(self, now: float) -> None:
        """A picture was shown; seconds on a monotonic clock."""
        last, self._last = self._last, now
        if last is None or now - last > _PAUSE_S:
            return
        interval = now - last
        if len(self._intervals) >= _LEAST_PICTURES:
            average = sum(self._intervals) / len(self._intervals)
            if interval >= max(3 * average, average + 0.15):
                self.count += 1
                self.total_s += interval
        self._intervals.append(interval)
