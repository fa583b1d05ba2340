# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound made shorter or longer by a period of its own pitch, so that neither pitch nor a seam is heard.

Overlap-add as in WebRTC's NetEQ (accelerate, preemptive expand): where the sound resembles
itself one lag later, one lag can be left out, or played twice, under a cross-fade. Pure.
"""

import numpy as np
from numpy.typing import NDArray

from callagent.media.sound import Samples

MIN_SAMPLES = 960
"""20 ms: shorter sound is left as it is."""
_MIN_LAG, _MAX_LAG = 120, 720
"""2.5 to 15 ms: from 400 Hz down to 67 Hz, and multiples of a higher pitch."""
_OVERLAP = 360
_LIKENESS, _URGENT_LIKENESS = 0.85, 0.5
_QUIET = 60.0
"""Root mean square below which no seam is heard (-55 dB of full scale)."""


def shorten(sound: Samples, most: int, urgent: bool = False) -> Samples:
    """The sound without one period of at most `most` samples; itself when it has no such period.

    Begins and ends as before. With `urgent` a less perfect seam will do.
    """
    lag = _lag(sound, most, urgent)
    if lag == 0:
        return sound
    seam = _cross_fade(sound[:_OVERLAP], sound[lag : lag + _OVERLAP])
    return np.concatenate((seam, sound[lag + _OVERLAP :]))


def lengthen(sound: Samples, most: int, urgent: bool = False) -> Samples:
    """The sound with one period of at most `most` samples played twice; else as `shorten`."""
    lag = _lag(sound, most, urgent)
    if lag == 0:
        return sound
    seam = _cross_fade(sound[lag : lag + _OVERLAP], sound[:_OVERLAP])
    return np.concatenate((sound[:lag], seam, sound[_OVERLAP:]))


def _lag(sound: Samples, most: int, urgent: bool) -> int:
    """After how many samples the beginning comes again; 0 when it does not."""
    longest = min(_MAX_LAG, most, len(sound) - _OVERLAP)
    if len(sound) < MIN_SAMPLES or longest < _MIN_LAG:
        return 0
    wave = sound[: longest + _OVERLAP].astype(np.float32)
    if float(np.dot(wave, wave)) / len(wave) < _QUIET**2:
        return longest
    likeness = _likeness(wave, longest)
    best = int(likeness.argmax())
    return _MIN_LAG + best if likeness[best] >= (_URGENT_LIKENESS if urgent else _LIKENESS) else 0


def _likeness(wave: NDArray[np.float32], longest: int) -> NDArray[np.float64]:
    """Normalised correlation of the beginning with what follows each lag from the shortest on."""
    beginning = wave[:_OVERLAP]
    products = np.correlate(wave[_MIN_LAG : longest + _OVERLAP], beginning, "valid")
    sums = np.concatenate(([0.0], np.cumsum(wave.astype(np.float64) ** 2)))
    energies = sums[_MIN_LAG + _OVERLAP : longest + _OVERLAP + 1] - sums[_MIN_LAG : longest + 1]
    both: NDArray[np.float64] = np.sqrt(np.maximum(energies, 1.0) * max(float(sums[_OVERLAP]), 1.0))
    return products / both


_RISE = (np.arange(_OVERLAP, dtype=np.float32) + 0.5) / _OVERLAP


def _cross_fade(first: Samples, second: Samples) -> Samples:
    mixed: Samples = np.rint(first * (1 - _RISE) + second * _RISE).astype(np.int16)
    return mixed
