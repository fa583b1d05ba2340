# SPDX-License-Identifier: GPL-3.0-or-later
"""Several loud voices at once, turned down for as long as they would not fit. Pure."""

import numpy as np
from numpy.typing import NDArray

from callagent.media.sound import Samples

_CEILING = 32768.0
_MIN_FALL = 24
"""Samples (0.5 ms): the gain never jumps; what still does not fit in there is clipped."""
_RELEASE = 0.06
"""Of the way back to full gain, per 10 ms: a time constant of 0.16 s."""


class Limiter:
    """A gain of 1 until the sum exceeds 16 bits, then just what makes it fit, released slowly.

    Works block by block of 10 ms without looking ahead, so it adds no delay. Not thread-safe.
    """

    def __init__(self) -> None:
        self._gain = 1.0

    @property
    def gain(self) -> float:
        """At the end of the last block; 1.0 when nothing is turned down."""
        return self._gain

    @property
    def idle(self) -> bool:
        """Whether a block that fits would pass unchanged."""
        return self._gain == 1.0

    def limit(self, mix: NDArray[np.float32]) -> Samples:
        """One block, in units of 16-bit samples."""
        magnitude = np.abs(mix)
        peak = float(magnitude.max())
        before = self._gain
        fits = 1.0 if peak <= _CEILING else _CEILING / peak
        released = before + (1.0 - before) * _RELEASE
        if released > 0.999:
            released = 1.0
        self._gain = min(fits, released)
        if before != 1.0 or self._gain != 1.0:
            mix = mix * self._curve(magnitude, before, len(mix))
        samples: Samples = np.clip(np.rint(mix), -32768, 32767).astype(np.int16)
        return samples

    def _curve(self, magnitude: NDArray[np.float32], before: float, count: int) -> NDArray[np.float32]:
        after = self._gain
        if after >= before:
            return np.linspace(before, after, count, dtype=np.float32)
        # Down before the first sample that would not fit.
        first = int(np.argmax(magnitude * before > _CEILING))
        fall = min(count, max(first, _MIN_FALL))
        curve = np.full(count, after, np.float32)
        curve[:fall] = np.linspace(before, after, fall, dtype=np.float32)
        return curve
