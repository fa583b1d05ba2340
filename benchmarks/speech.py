# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound that codecs take for speech: made, not recorded."""

import numpy as np
from numpy.typing import NDArray

from callagent.media.sound import RATE_HZ, Samples

_FORMANTS = ((700, 1220, 2600), (300, 2300, 3000), (500, 900, 2400), (400, 2000, 2550))
"""Resonances in Hz of a few vowels (a, i, o, e)."""


def voice(seconds: float, *, pitch_hz: float = 120.0, level: float = 6000.0, seed: int = 0) -> Samples:
    """Vowels of 0.25 s that glide into each other, without a pause; `level` is the highest peak."""
    random = np.random.default_rng(seed)
    count = int(seconds * RATE_HZ)
    time = np.arange(count) / RATE_HZ
    vowels = random.integers(0, len(_FORMANTS), int(seconds * 4) + 2)
    place = np.arange(len(vowels)) * 0.25
    formants = [np.interp(time, place, [_FORMANTS[vowel][k] for vowel in vowels]) for k in range(3)]
    # A voice never stays on a note: no two stretches of it are alike.
    turns = np.arange(int(seconds * 12) + 3) / 12
    pitch = pitch_hz * (1 + 0.12 * np.interp(time, turns, random.uniform(-1, 1, len(turns))))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
    sound: NDArray[np.float64] = np.zeros(count)
    for harmonic in range(1, int(4000 / pitch_hz)):
        frequency = harmonic * pitch
        strength = sum(np.exp(-(((frequency - formant) / 150) ** 2)) for formant in formants)
        sound += (strength + 0.02) * np.sin(harmonic * phase)
    sound += random.normal(0, 0.01, count)
    sound *= 0.75 + 0.25 * np.sin(2 * np.pi * 4 * time)
    # So that it can be played over and over.
    rise = np.minimum(1, np.arange(count) / (0.005 * RATE_HZ))
    sound *= rise * rise[::-1]
    scaled: Samples = (sound * (level / np.abs(sound).max())).astype(np.int16)
    return scaled
