# SPDX-License-Identifier: GPL-3.0-or-later
"""What really gets through, and whether the sender has less to send than it may."""

from collections import deque

WINDOW_S = 0.5
RECENT_S = 1.0
_MIN_SPAN_S = 0.2
_ALLOWED_SHARE = 0.65
"""A sender below this share of its rate for long is limited by what it has to send."""
_BEGIN, _END = 0.8, 0.5
_RESERVE_S = 0.5


class WindowRate:
    """The rate of packets over the last half second; for what gets through, by the receiver's clock."""

    def __init__(self) -> None:
        self._packets: deque[tuple[float, int]] = deque()
        self._bytes = 0
        self._newest = float("-inf")

    def add(self, at: float, size: int) -> None:
        """A packet of `size` bytes at this time, in seconds; may be a little out of order."""
        self._newest = max(self._newest, at)
        self._packets.append((at, size))
        self._bytes += size
        while self._packets[0][0] < self._newest - WINDOW_S:
            self._bytes -= self._packets.popleft()[1]

    @property
    def bps(self) -> float | None:
        """None until there is enough to say."""
        if not self._packets:
            return None
        oldest, size = self._packets[0]
        span = self._newest - oldest
        if span < _MIN_SPAN_S:
            return None
        # The oldest packet opens the span; what it carried was under way before it.
        return (self._bytes - size) * 8 / span


class RecentRate:
    """The rate over the last second, also when there was nothing in it."""

    def __init__(self) -> None:
        self._packets: deque[tuple[float, int]] = deque()
        self._bytes = 0

    def add(self, now: float, size: int) -> None:
        self._packets.append((now, size))
        self._bytes += size
        self.bps(now)

    def bps(self, now: float) -> float:
        while self._packets and self._packets[0][0] < now - RECENT_S:
            self._bytes -= self._packets.popleft()[1]
        return self._bytes * 8 / RECENT_S


class ApplicationLimit:
    """Whether less is being sent than may be (libwebrtc's ALR detector): a reserve that fills up."""

    def __init__(self) -> None:
        self.limited = False
        self._reserve_bytes = 0.0
        self._at: float | None = None

    def sent(self, size: int, target_bps: float, now: float) -> None:
        """A packet of `size` bytes left while `target_bps` was allowed."""
        allowed = _ALLOWED_SHARE * target_bps / 8
        elapsed = 0.0 if self._at is None else now - self._at
        self._at = now
        capacity = max(allowed * _RESERVE_S, 1.0)
        filled = self._reserve_bytes + allowed * elapsed - size
        self._reserve_bytes = min(max(filled, -capacity), capacity)
        level = self._reserve_bytes / capacity
        if self.limited:
            self.limited = level > _END
        else:
            self.limited = level > _BEGIN
