# SPDX-License-Identifier: GPL-3.0-or-later
"""How loud a voice is, for people to see who speaks. Pure."""

import math

import numpy as np

from callagent.media.sound import Samples

_SMOOTHING = 0.05
"""Of each 10 ms: a time constant of 0.2 s, about a syllable."""
_FULL_SCALE = 32768.0**2
_FLOOR_DB = 60.0


class LevelMeter:
    """Root mean square over the last syllable, from -60 dB of full scale (0) to full scale (100)."""

    def __init__(self) -> None:
        self._power = 0.0

    @property
    def level(self) -> int:
        """0 to 100, linear in decibels as ears are. Callable from any thread."""
        share = self._power / _FULL_SCALE
        if share <= 0.0:
            return 0
        decibels = 10 * math.log10(share) + _FLOOR_DB
        return max(0, min(100, round(decibels * 100 / _FLOOR_DB)))

    def add(self, samples: Samples | None) -> None:
        """The next 10 ms; None is silence."""
        power = 0.0
        if samples is not None:
            single = samples.astype(np.float32)
            # Not np.dot: BLAS gives the interpreter's lock away, which comes back late on a busy machine.
            power = float(np.add.reduce(single * single)) / len(samples)
        self._power += (power - self._power) * _SMOOTHING
        if self._power < 1e-3:
            self._power = 0.0
