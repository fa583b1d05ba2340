# SPDX-License-Identifier: GPL-3.0-or-later
"""What is given up when a way carries less than the wanted picture needs. Pure: no clock, no I/O."""

from dataclasses import dataclass
from enum import StrEnum


class Priority(StrEnum):
    """What is to suffer last."""

    BALANCE = "balance"
    FRAMERATE = "framerate"
    RESOLUTION = "resolution"


@dataclass(frozen=True, slots=True)
class Quality:
    """Shares of what the site wants, 0 to 1."""

    scale: float = 1.0
    """Of the width and of the height."""
    rate: float = 1.0
    """Of the pictures per second."""


_FULL = Quality()
_LADDERS = {
    Priority.BALANCE: (
        *(_FULL, Quality(1, 2 / 3), Quality(3 / 4, 2 / 3), Quality(1 / 2, 2 / 3)),
        *(Quality(1 / 2, 1 / 2), Quality(3 / 8, 1 / 2), Quality(1 / 4, 1 / 3)),
    ),
    Priority.FRAMERATE: (_FULL, Quality(3 / 4), Quality(1 / 2), Quality(3 / 8), Quality(1 / 4)),
    Priority.RESOLUTION: (
        *(_FULL, Quality(1, 2 / 3), Quality(1, 1 / 2), Quality(1, 1 / 3), Quality(1, 1 / 5)),
        *(Quality(3 / 4, 1 / 5), Quality(1 / 2, 1 / 5)),
    ),
}
_ENOUGH = 0.5
"""An encoder still makes a good picture at this share of the bitrate the picture was given."""
_PLENTY = 0.65
_DOWN_S, _UP_S = 2.0, 5.0
_PLUNGE = 0.5
"""A rate below this share of what is enough allows no waiting: pictures pile up at once."""
MIN_WIDTH, MIN_FPS = 160, 5


def demand(quality: Quality) -> float:
    """Share of the full bitrate a picture of this quality is given.

    Bits grow slower than pixels and than pictures: neighbours resemble each other the more, the
    closer they are.
    """
    return float(quality.scale**1.5 * quality.rate**0.6)


class Adaptation:
    """From the bitrate there is to the picture it is spent on, without swinging.

    The bitrate alone follows within a step; only when it stays below half of what the step was made
    for does the next one begin. The way up is taken once there has been plenty for a while, at once as far
    as there is plenty for.
    """

    def __init__(self, priority: Priority, width: int, fps: int, full_bps: int) -> None:
        """Width, pictures per second and bitrate of the picture the site wants."""
        self._full_bps = full_bps
        self._ladder = [
            each
            for each in _LADDERS[priority]
            if each is _FULL or (width * each.scale >= MIN_WIDTH and fps * each.rate >= MIN_FPS)
        ]
        self._step = 0
        self._low_since: float | None = None
        self._high_since: float | None = None

    @property
    def quality(self) -> Quality:
        return self._ladder[self._step]

    def update(self, target_bps: int, now: float) -> Quality:
        """The quality for this rate, at this moment."""
        share = target_bps / self._full_bps
        enough = _ENOUGH * demand(self.quality)
        last = self._step + 1 == len(self._ladder)
        self._low_since = None if share >= enough or last else self._low_since or now
        plenty = self._step > 0 and share >= _PLENTY * demand(self._ladder[self._step - 1])
        self._high_since = (self._high_since or now) if plenty else None
        if self._low_since is not None and (share < _PLUNGE * enough or now - self._low_since >= _DOWN_S):
            self._go(self._sustained(share))
        elif self._high_since is not None and now - self._high_since >= _UP_S:
            self._go(self._plentiful(share))
        return self.quality

    def _sustained(self, share: float) -> int:
        """The first step down that this rate is enough for."""
        for step in range(self._step + 1, len(self._ladder)):
            if share >= _ENOUGH * demand(self._ladder[step]):
                return step
        return len(self._ladder) - 1

    def _plentiful(self, share: float) -> int:
        """The last step up that there is plenty for."""
        step = self._step
        while step > 0 and share >= _PLENTY * demand(self._ladder[step - 1]):
            step -= 1
        return step

    def _go(self, step: int) -> None:
        self._step = step
        self._low_since = self._high_since = None
