# SPDX-License-Identifier: GPL-3.0-or-later
"""How much faster one sound card's clock runs than another's, from how a queue between them fills. Pure."""

import math

_MEMORY_S = 60.0
_LEAST_S = 5.0
_CERTAIN = 4.0
"""A drift is believed when it is so many standard errors away from what is believed already."""
_CORRELATION = 2.0
"""Late threads come in bunches, so that the samples tell less than their number promises."""
_MOST = 500e-6
"""Crystals of sound cards differ by less."""


class ClockDrift:
    """A straight line through the fill level, the past forgotten with a time constant of 60 s.

    Two ends of one sound card have no drift, and the noise of the threads' timing must not look like one:
    `ratio` stays 1.0 until the line's slope is certain, and changes in steps. Not thread-safe.
    """

    def __init__(self) -> None:
        self.ratio = 1.0
        """Samples the filling side makes per sample of the draining side."""
        self.restart()

    def restart(self) -> None:
        """The level jumped: begin a new line. What is believed of the clocks holds on."""
        self._weight = self._time = self._time2 = 0.0
        self._level = self._level2 = self._cross = 0.0
        self._first: float | None = None
        self._span_s = 0.0

    def observe(self, level_s: float, step_s: float) -> None:
        """The queue's level in seconds, as if it were drained at its own nominal rate.

        `step_s`: since the last observation. Sums are kept relative to now and to the first level.
        """
        if self._first is None:
            self._first = level_s
        level = level_s - self._first
        kept = math.exp(-step_s / _MEMORY_S)
        self._span_s += step_s
        self._time2 = kept * (self._time2 - 2 * step_s * self._time + step_s * step_s * self._weight)
        self._cross = kept * (self._cross - step_s * self._level)
        self._time = kept * (self._time - step_s * self._weight)
        self._level = kept * self._level + level
        self._level2 = kept * self._level2 + level * level
        self._weight = kept * self._weight + 1.0
        self._believe()

    def _believe(self) -> None:
        if self._span_s < _LEAST_S:
            return
        variance = self._time2 - self._time**2 / self._weight
        covariance = self._cross - self._time * self._level / self._weight
        slope = covariance / variance
        rest = max(0.0, self._level2 - self._level**2 / self._weight - slope * covariance)
        error = _CORRELATION * math.sqrt(rest / self._weight / variance)
        wanted = max(-_MOST, min(_MOST, slope))
        if abs(wanted - (self.ratio - 1.0)) > _CERTAIN * error:
            self.ratio = 1.0 + wanted
