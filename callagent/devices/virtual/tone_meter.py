# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a tone stands above its neighbours: tells one virtual microphone from another, and from silence."""

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 48000
_SHORTEST_S = 0.2
_NEIGHBOURS_HZ = (-400.0, -250.0, -150.0, 150.0, 250.0, 400.0)


def tone_db(samples: NDArray[np.int16], tone_hz: float) -> float:
    """Level of the tone over the strongest of six neighbours, in dB (Goertzel's sums, Hann window).

    `samples`: mono, 48 kHz. 0.0 for less than 0.2 s of sound and for silence.
    """
    if len(samples) < _SHORTEST_S * RATE_HZ:
        return 0.0
    windowed = samples.astype(np.float64) / 32768 * np.hanning(len(samples))
    neighbours = max(_power(windowed, tone_hz + away) for away in _NEIGHBOURS_HZ)
    # The floor lies some 100 dB below a full tone: silence is not a tone over silence.
    floor = (len(samples) * 1e-6) ** 2
    return float(10 * np.log10((_power(windowed, tone_hz) + floor) / (neighbours + floor)))


def _power(windowed: NDArray[np.float64], frequency_hz: float) -> float:
    phase = np.exp(-2j * np.pi * frequency_hz / RATE_HZ * np.arange(len(windowed)))
    # Not np.dot: for so many samples it wakes threads that keep other processors busy for nothing.
    return float(abs((windowed * phase).sum()) ** 2)
