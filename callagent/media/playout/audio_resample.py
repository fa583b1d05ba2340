# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound played a few parts in a million faster or slower: clocks differ, and nobody should hear it."""

import math
from collections.abc import Iterator
from typing import cast

import numpy as np
from numpy.typing import NDArray

from callagent.media.sound import Samples

_TAPS = 6


def _weights() -> NDArray[np.float32]:
    """Lagrange's polynomials over six samples, a row for each power of the fraction (Farrow's structure)."""
    places = np.arange(_TAPS) - 2.0
    inverse: NDArray[np.float64] = np.linalg.inv(np.vander(places, increasing=True))
    return np.ascontiguousarray(inverse, np.float32)


_WEIGHTS = _weights()
_PARABOLA = np.array([[1, 0, 0], [-3, 4, -1], [2, -4, 2]], np.float32)
"""From values at the beginning, in the middle and at the end to the powers of the way between."""
_COUNT = np.arange(2880, dtype=np.float32)
_BEND = 0.25
"""How far the fraction may move in one piece: a parabola follows the weights to -70 dB at 9 kHz."""


class DriftResampler:
    """As many samples out as go in, and a little more or less, as a stream. Not thread-safe.

    Interpolation of the fifth order: flat to 0.1 dB below 9 kHz. The delay is three samples.
    """

    def __init__(self) -> None:
        self._tail = np.zeros(_TAPS, np.int16)
        self._fraction = 0.0

    def needed(self, count: int, rate: float) -> int:
        """How many samples `convert` takes next for `count` at this rate; `rate` 0.001 is 0.1 % faster."""
        return math.floor(self._fraction + count * (1.0 + rate))

    def convert(self, samples: Samples, count: int, rate: float) -> Samples:
        """The next `count` samples made of exactly `needed(count, rate)`."""
        taken = self.needed(count, rate)
        sound = np.concatenate((self._tail, samples))
        begin, self._fraction = self._fraction, self._fraction + count * (1.0 + rate) - taken
        self._tail = sound[taken:]
        if begin == 0.0 and rate == 0.0:
            return sound[2 : count + 2]
        single = sound.astype(np.float32)
        pieces = [
            _between(single[start + whole :], fraction, rate, until - start)
            for start, until, whole, fraction in _pieces(begin, count, rate)
        ]
        result = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        np.rint(result, out=result)
        np.maximum(result, -32768, out=result)
        np.minimum(result, 32767, out=result)
        limited: Samples = result.astype(np.int16)
        return limited


def _pieces(begin: float, count: int, rate: float) -> Iterator[tuple[int, int, int, float]]:
    """Parts of the output by how many whole samples the input is ahead in them.

    Of each: where it starts and ends, that number, and the fraction that comes on top at its start.
    """
    start = 0
    longest = min(len(_COUNT), int(_BEND / max(abs(rate), 1e-6)))
    while start < count:
        place = begin + start * rate
        whole = math.floor(place)
        until = min(count, start + longest)
        if math.floor(begin + (until - 1) * rate) != whole:
            # Rates are so small that this happens once.
            edge = whole + 1 if rate > 0 else whole
            until = min(until, math.floor((edge - begin) / rate) + 1)
        until = max(until, start + 1)
        yield start, until, whole, place - whole
        start = until


def _powers(x: float) -> tuple[float, ...]:
    square = x * x
    return (1.0, x, square, square * x, square * square, square * square * x)


def _between(sound: NDArray[np.float32], fraction: float, rate: float, count: int) -> NDArray[np.float32]:
    """`count` samples, the first so far behind the third of `sound`.

    The fraction changes so little on the way that a parabola through both ends and the middle stands for
    the fifth power.
    """
    powers = [_powers(fraction), _powers(fraction + 0.5 * rate * count), _powers(fraction + rate * count)]
    weights = _PARABOLA @ (np.array(powers, np.float32) @ _WEIGHTS)
    # Six views of the same samples, each one sample further.
    shifted = np.ndarray((_TAPS, count), np.float32, sound, 0, (sound.itemsize, sound.itemsize))
    level, slope, result = weights @ shifted.copy()
    way: NDArray[np.float32] = _COUNT[:count] * np.float32(1.0 / count)
    result *= way
    result += slope
    result *= way
    result += level
    return cast(NDArray[np.float32], result)
