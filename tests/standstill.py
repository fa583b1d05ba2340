# SPDX-License-Identifier: GPL-3.0-or-later
"""When the process that measures stood still itself: what it cannot have seen is nobody's gap.

A run of hundreds of tests collects garbage for most of a second, and the machine gives its cores to others.
Both stop a thread that only sleeps; a loop kept busy, by the code under test for instance, does not.
"""

import itertools
import time
from collections import deque
from collections.abc import Iterable
from threading import Event, Thread

_TICK_S, _LATE_S = 0.01, 0.05


class StandstillWatch:
    """A thread that notes when it was not let run. `with` starts and ends it."""

    def __init__(self) -> None:
        self._stood_still: deque[tuple[float, float]] = deque(maxlen=10_000)
        self._over = Event()
        self._thread = Thread(target=self._run, name="standstill-watch", daemon=True)

    def __enter__(self) -> "StandstillWatch":
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        self._thread.join()

    def note(self, began: float, ended: float) -> None:
        """Monotonic seconds; any thread."""
        self._stood_still.append((began, ended))

    def longest_gap_s(self, times: Iterable[float]) -> float:
        """Between neighbours of these (monotonic, rising), without what the process stood still in them."""
        return max(
            after - before - self._within_s(before, after) for before, after in itertools.pairwise(times)
        )

    def _within_s(self, began: float, ended: float) -> float:
        pauses = list(self._stood_still)
        return sum(max(0.0, min(ended, last) - max(began, first)) for first, last in pauses)

    def _run(self) -> None:
        last = time.monotonic()
        while not self._over.wait(_TICK_S):
            now = time.monotonic()
            if now - last > _LATE_S:
                self.note(last, now)
            last = now


WATCH = StandstillWatch()
"""Of this process; tests/conftest.py starts it."""
