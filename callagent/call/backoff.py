# SPDX-License-Identifier: GPL-3.0-or-later
"""How long to wait before trying again: arithmetic only, on the caller's own clock."""

import random

PER_WINDOW = 5
WINDOW_S = 60.0
FIRST_BACKOFF_S = 1.0


class Backoff:
    """Pauses that double from `first_s` to `longest_s`, each shortened at random by up to a half."""

    def __init__(self, first_s: float, longest_s: float, rng: random.Random | None = None) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._rng = rng or random.Random()
        self._next_s = first_s

    def reset(self) -> None:
        self._next_s = self._first_s

    def next(self) -> float:
        pause = self._next_s
        self._next_s = min(self._longest_s, pause * 2)
        return pause * self._rng.uniform(0.5, 1.0)


class RetryBudget:
    """How often media may be made anew: at once the first time, then with back-off, five times a minute.

    Times are seconds on the caller's monotonic clock.
    """

    def __init__(self) -> None:
        self._spent: list[float] = []

    def delay_s(self, now: float) -> float:
        """How long the next attempt has to wait."""
        recent = [at for at in self._spent if at > now - WINDOW_S]
        if not recent:
            return 0.0
        backoff = recent[-1] + FIRST_BACKOFF_S * 2.0 ** (len(recent) - 1)
        room = recent[-PER_WINDOW] + WINDOW_S if len(recent) >= PER_WINDOW else now
        return max(0.0, backoff - now, room - now)

    def spend(self, now: float) -> None:
        self._spent = [at for at in self._spent if at > now - WINDOW_S] + [now]
