# SPDX-License-Identifier: GPL-3.0-or-later
"""How long received pictures are held back so that they move evenly: not at all on a clean network."""

import math
from collections import deque

MAX_DELAY_S = 0.5
WINDOW_S = 4.0
"""What happened so long ago says nothing of now."""
SHARE_IN_TIME = 0.92
"""The delay is as long as so many of the pictures need; rarer ones are shown late."""
LEAST_PICTURES = 30
"""Fewer say nothing."""
BEGINNING = 30
"""Pictures that do not count: while a call begins, both machines are busy with other things."""
UNSEEN_S = 0.03
"""Less than from one picture to the next, an unevenness that nobody sees is not worth waiting for."""
SHRINK_PER_S = 0.05
"""Five per cent faster than life is not seen either."""
SEEN_S = 0.1
"""A delay so much longer than needed, as after a jam, may be seen to shrink."""
CATCH_UP_PER_S = 3.0
"""By so many times the excess per second: half of it is gone after 0.23 s."""
RECENT_S, RECENT_PICTURES = 1.2, 10
"""Pictures that were all in time for so long say that what made the others late is over."""
JAM_S, JAM_OVER_S, JAM_PICTURES = 0.25, 0.6, 6
"""Lateness so much greater than that of the latest pictures was a jam, and it is over."""
OUT_OF_STEP_S = 0.04
"""A picture may be so long before its sound. EBU R 37 allows 60 ms; the speaker's buffer delays sound by some
40 ms more than is known here, the screen the picture by some 20.
"""
RESTART_S = 2.0
"""A time stamp this far off is of a sender that began anew."""


class PlayoutDelay:
    """Pure: times come in, due times go out. For one thread at a time.

    A picture's way takes an unknown time, but the same for all but for what the
    network adds: against the quickest of the last seconds every other is late by
    so much. With retransmissions that lateness is a round trip, with jitter the
    jitter. The delay follows its 92nd percentile up at once and down slowly, but quickly after a jam.
    """

    def __init__(self) -> None:
        self._ways: deque[tuple[float, float]] = deque()
        self._begun = 0
        self._delay_s = 0.0
        self._at = -math.inf
        self._due = -math.inf

    @property
    def delay_s(self) -> float:
        """Beyond the quickest picture's way; 0.0 to MAX_DELAY_S."""
        return self._delay_s

    def due(
        self,
        media_s: float,
        now: float,
        sender_time: float | None = None,
        sound_lag_s: float | None = None,
    ) -> float:
        """When to show the picture that has just become complete, on the clock of `now`.

        `media_s` is its RTP time stamp in seconds, unwrapped. `sender_time` is when
        it was captured and `sound_lag_s` how much later than its capture sound is
        heard, both from the sender's wall clock to ours; with both known, pictures
        wait as long as is needed to be no more than `OUT_OF_STEP_S` before their
        sound. Due times never go back.
        """
        way = now - media_s
        if self._ways and abs(way - self._ways[-1][1]) > RESTART_S:
            self._ways.clear()
        if self._begun < BEGINNING:
            self._begun += 1
            if self._begun == BEGINNING:
                self._ways.clear()
        self._ways.append((now, way))
        while self._ways[0][0] < now - WINDOW_S:
            self._ways.popleft()
        ways = sorted(way for _, way in self._ways)
        target_s = ways[int(SHARE_IN_TIME * (len(ways) - 1))] - ways[0]
        recent = self._since(now - RECENT_S)
        if len(recent) >= RECENT_PICTURES:
            target_s = min(target_s, max(recent) - ways[0])
        latest = self._since(now - JAM_OVER_S)
        longest = max(latest)
        if len(latest) >= JAM_PICTURES and target_s - (longest - ways[0]) > JAM_S:
            target_s = longest - ways[0]
            # For good: what is left of it in the window would lengthen the delay again.
            self._ways = deque(each for each in self._ways if each[1] <= longest)
        if target_s < UNSEEN_S or len(ways) < LEAST_PICTURES:
            target_s = 0.0
        earliest = ways[0] + media_s
        if sender_time is not None and sound_lag_s is not None:
            target_s = max(target_s, sound_lag_s - (earliest - sender_time) - OUT_OF_STEP_S)
        self._follow(min(target_s, MAX_DELAY_S), now)
        self._due = max(self._due, earliest + self._delay_s)
        return self._due

    def _since(self, time: float) -> list[float]:
        return [way for at, way in self._ways if at > time]

    def _follow(self, target_s: float, now: float) -> None:
        rate = SHRINK_PER_S + CATCH_UP_PER_S * max(0.0, self._delay_s - target_s - SEEN_S)
        slowly = self._delay_s - rate * max(0.0, now - self._at)
        self._delay_s = max(target_s, slowly, 0.0)
        self._at = now
