# SPDX-License-Identifier: GPL-3.0-or-later
"""How long packets wait in queues on their way, and how much slower to send until they no longer do.

The delay's slope (`delay_estimate`) is flat when a queue stands still, however long
it is; what was heaped up before an overuse was noticed would stay for many seconds.
"""

import math
from collections import deque
from collections.abc import Iterable

from callagent.rtc.congestion.delay_estimate import Usage
from callagent.rtc.congestion.sent_history import PacketResult

_SLOT_S, _SLOTS = 1.0, 15
_TOLERATED_S = 0.1
_STANDING_S = 0.06
"""A queue this long counts as overuse even if it does not grow. All who share it see it alike, while by
the slope the sender with the larger pictures, whose delay varies most, is the last to yield."""
_STANDING_PAUSE_S = 0.5
_STANDING_PATIENCE_S = 2.0
"""After this somebody else keeps the queue, or the way leads elsewhere: the slope alone counts."""
_DRAIN_S = 1.0
_LEAST = 0.3
"""Of the rate; enough for sound and a picture now and then."""
_PATIENCE_S = 6.0
"""After this the longer delay is the way's own: it leads elsewhere now."""


class QueueDelay:
    """The difference to the shortest delay of the last quarter of a minute."""

    def __init__(self) -> None:
        self._shortest: deque[tuple[int, float]] = deque(maxlen=_SLOTS)
        self._now_s = math.inf
        self._overused_at = -math.inf
        self._stands_since: float | None = None
        self._yielded_at = -math.inf

    @property
    def queue_s(self) -> float:
        """Of the newest packets heard of, in seconds."""
        if not self._shortest:
            return 0.0
        return self._now_s - min(delay for _, delay in self._shortest)

    def add(self, results: Iterable[PacketResult], now: float) -> None:
        """The packets of one message; the start of the receiver's clock does not matter."""
        delays = [r.arrived_at - r.sent.sent_at for r in results if r.arrived_at is not None]
        if not delays:
            return
        # The least hurried packet would be one that waited for jitter, not in a queue.
        self._now_s = min(delays)
        slot = int(now / _SLOT_S)
        if self._shortest and self._shortest[-1][0] == slot:
            self._shortest[-1] = (slot, min(self._shortest[-1][1], self._now_s))
        else:
            self._shortest.append((slot, self._now_s))

    def on_overuse(self, now: float) -> None:
        """The queue is known to have grown; drained is only what was seen growing."""
        if now - self._overused_at > _PATIENCE_S:
            self._overused_at = now

    def usage(self, now: float) -> Usage:
        """What a queue that stands says: yield every half second, and hold between."""
        if self.queue_s <= _STANDING_S:
            self._stands_since = None
            return Usage.NORMAL
        if self._stands_since is None:
            self._stands_since = now
        if now - self._stands_since > _STANDING_PATIENCE_S:
            return Usage.NORMAL
        if now - self._yielded_at < _STANDING_PAUSE_S:
            return Usage.UNDER
        self._yielded_at = now
        return Usage.OVER

    def drain(self, now: float) -> float:
        """The share of the rate to send at, 0.3 to 1.0."""
        queue_s = self.queue_s
        if queue_s <= _TOLERATED_S or now - self._overused_at > _PATIENCE_S:
            return 1.0
        return max(1 - queue_s / _DRAIN_S, _LEAST)
