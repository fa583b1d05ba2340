# SPDX-License-Identifier: GPL-3.0-or-later
"""Encoded pictures waiting for the decoder: which is next and when, and which are given up."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from callagent.media.playout.video_delay import PlayoutDelay
from callagent.ports import UNTRACED, Drop, ReceivedPicture, Tracer

CAPACITY = 60
"""Twice as many as are waiting at 60 pictures a second with the longest delay."""
BEHIND_S = 0.4
"""The decoder has fallen behind when it could have had the next picture for so long."""
LATE_S = 0.1
"""A picture so late, with a newer one ready, would only hold that one up; but so often one is shown."""
RATE_HZ = 90_000

Cause = Literal["late", "behind", "broken"]


@dataclass(frozen=True, slots=True)
class DuePicture:
    picture: ReceivedPicture
    due: float
    """Seconds on the monotonic clock; never before the picture's before it."""
    ready: float
    """When it could be decoded: when it was due, or when it came, if it came later."""


class PictureQueue:
    """Pure; whoever shares it between threads locks it.

    What is taken always decodes: a picture is given up only together with all
    up to the next key frame.
    """

    def __init__(
        self, sound_lag: Callable[[], float | None] | None = None, tracer: Tracer = UNTRACED
    ) -> None:
        self._tracer = tracer
        self.dropped: dict[Cause, int] = {"late": 0, "behind": 0, "broken": 0}
        self._delay = PlayoutDelay()
        self._sound_lag = sound_lag
        self._pictures: deque[DuePicture] = deque()
        self._missing_key: Cause | None = "broken"
        self._shown_at = -math.inf

    def __len__(self) -> int:
        return len(self._pictures)

    @property
    def delay_s(self) -> float:
        return self._delay.delay_s

    def put(self, picture: ReceivedPicture, now: float) -> bool:
        """Take a picture that is complete now. True: ask for a key frame."""
        lag = self._sound_lag() if self._sound_lag is not None and picture.sender_time is not None else None
        due = self._delay.due(picture.timestamp / RATE_HZ, now, picture.sender_time, lag)
        if self._is_behind(now):
            self._catch_up()
        if picture.key:
            self._missing_key = None
        if self._missing_key is not None:
            self._count(self._missing_key)
            return True
        self._pictures.append(DuePicture(picture, due, max(due, now)))
        return False

    def wait_s(self, now: float) -> float | None:
        """How long until there is something to take: 0.0 at once, None when nothing waits."""
        return max(0.0, self._pictures[0].due - now) if self._pictures else None

    def take(self) -> DuePicture:
        """The next picture; there must be one."""
        return self._pictures.popleft()

    def break_off(self) -> bool:
        """A picture could not be decoded: go on at the next key frame. True: ask for one."""
        self._count("broken")
        while self._pictures and not self._pictures[0].picture.key:
            self._give_up("broken")
        if not self._pictures:
            self._missing_key = "broken"
        return self._missing_key is not None

    def shows(self, taken: DuePicture, now: float) -> bool:
        """Whether the decoded picture is to be shown, or comes too late; counts it then."""
        newer = bool(self._pictures) and self._pictures[0].due <= now
        if newer and now - taken.due > LATE_S and now - self._shown_at <= LATE_S:
            self._count("late")
            return False
        self._shown_at = now
        return True

    def clear(self) -> None:
        self._pictures.clear()

    def _is_behind(self, now: float) -> bool:
        pictures = self._pictures
        return bool(pictures) and (now - pictures[0].ready > BEHIND_S or len(pictures) >= CAPACITY)

    def _catch_up(self) -> None:
        """Give up everything before the newest key frame; where there is none to catch up to, everything."""
        newest_key = max((at for at, entry in enumerate(self._pictures) if entry.picture.key), default=0)
        for _ in range(newest_key or len(self._pictures)):
            self._give_up("behind")
        if not self._pictures:
            self._missing_key = "behind"

    def _give_up(self, cause: Cause) -> None:
        self._pictures.popleft()
        self._count(cause)

    def _count(self, cause: Cause) -> None:
        self.dropped[cause] += 1
        if self._tracer.on:
            self._tracer.dropped(Drop(cause))
