# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects where the time goes, while somebody wants to know."""

from collections import Counter, deque
from dataclasses import dataclass

from callagent.ports import Drop, Stage

_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class StageFigures:
    """Of one stage, in seconds."""

    count: int
    p50_s: float
    p95_s: float
    max_s: float


class Window:
    """What happened since it was opened."""

    def __init__(self) -> None:
        self.drops: Counter[Drop] = Counter()
        self._times: dict[Stage, deque[float]] = {stage: deque(maxlen=_KEPT) for stage in Stage}

    def took(self, stage: Stage, seconds: float) -> None:
        self._times[stage].append(seconds)

    def figures(self) -> dict[Stage, StageFigures]:
        """Of the stages something passed, in their order."""
        found = {}
        for stage, times in self._times.items():
            ordered = sorted(times)
            if ordered:
                found[stage] = StageFigures(
                    len(ordered), _quantile(ordered, 0.5), _quantile(ordered, 0.95), ordered[-1]
                )
        return found


class LatencyTracer:
    """A `ports.Tracer`. `open` and `close` on the loop, the rest from any thread."""

    def __init__(self) -> None:
        self.on = False
        self._windows: tuple[Window, ...] = ()

    def open(self) -> Window:
        """Collect from now on, until `close`; several may be open."""
        window = Window()
        self._windows = (*self._windows, window)
        self.on = True
        return window

    def close(self, window: Window) -> None:
        """Idempotent."""
        self._windows = tuple(each for each in self._windows if each is not window)
        self.on = bool(self._windows)

    def took(self, stage: Stage, seconds: float) -> None:
        for window in self._windows:
            window.took(stage, seconds)

    def dropped(self, cause: Drop) -> None:
        for window in self._windows:
            window.drops[cause] += 1


def _quantile(ordered: list[float], share: float) -> float:
    """The nearest rank."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
