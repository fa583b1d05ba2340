# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound played a few parts in a million faster or slower: clocks differ, and nobody should hear it."""

import math

import numpy as np
from numpy.typing import NDArray

from callagent.media.sound import FRAME_SAMPLES, Samples

_TAPS = 6


def _weights() -> NDArray[np.float32]:
    """Lagrange's polynomials over six samples, a row for each power of the fraction (Farrow's structure)."""
    places = np.arange(_TAPS) - 2.0
    inverse: NDArray[np.float64] = np.linalg.inv(np.vander(places, increasing=True))
    return np.ascontiguousarray(inverse, np.float32)


_WEIGHTS = _weights()
_OFFSETS = np.arange(_TAPS)[:, None]
_COUNT = np.arange(FRAME_SAMPLES, dtype=np.float64)


class DriftResampler:
    """480 samples out for 480 and a little more or less in, as a stream. Not thread-safe.

    Interpolation of the fifth order: flat to 0.1 dB below 9 kHz. The delay is three samples.
    """

    def __init__(self) -> None:
        self._tail = np.zeros(_TAPS, np.int16)
        self._fraction = 0.0

    def needed(self, rate: float) -> int:
        """How many samples the next `convert` at this rate takes; `rate` 0.001 is 0.1 % faster."""
        return math.floor(self._fraction + FRAME_SAMPLES * (1.0 + rate))

    def convert(self, samples: Samples, rate: float) -> Samples:
        """The next 480 samples, made of exactly `needed(rate)` samples."""
        count = self.needed(rate)
        sound = np.concatenate((self._tail, samples))
        places = self._fraction + _COUNT * (1.0 + rate)
        self._fraction += FRAME_SAMPLES * (1.0 + rate) - count
        self._tail = sound[count:]
        whole = places.astype(np.intp)
        fraction = (places - whole).astype(np.float32)
        if not fraction.any():
            return sound[whole + 2]
        terms = _WEIGHTS @ sound.astype(np.float32)[whole + _OFFSETS]
        result = terms[-1]
        for term in terms[-2::-1]:
            result *= fraction
            result += term
        np.rint(result, out=result)
        limited: Samples = result.clip(-32768, 32767).astype(np.int16)
        return limited
