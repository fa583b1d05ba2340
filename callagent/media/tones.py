# SPDX-License-Identifier: GPL-3.0-or-later
"""The built-in sounds, synthesised: nothing to install, nothing to licence."""

import numpy as np
from numpy.typing import NDArray

from callagent.media.sound import RATE_HZ, Samples

_RINGBACK_HZ = 425.0
"""The European ringing tone (ITU-T Q.35), made soft with a little of its octave."""
_FADE_S = 0.03


def dialing() -> Samples:
    """One second of ringing tone and three of silence; loops."""
    tone = _partials(_RINGBACK_HZ, 1.0, (1.0, 0.12))
    return _samples(_faded(tone) * 0.22, 4.0)


def ringing() -> Samples:
    """A chime of four notes, twice, then a pause; three seconds, loops."""
    song = np.zeros(int(3.0 * RATE_HZ))
    for start_s, frequency_hz in zip(
        (0.0, 0.16, 0.32, 0.48, 1.1, 1.26, 1.42, 1.58), (659.26, 830.61, 987.77, 1318.51) * 2, strict=True
    ):
        _lay_over(song, _bell(frequency_hz, 1.2), start_s)
    return _samples(song * (0.55 / np.abs(song).max()), 3.0)


def hang_up() -> Samples:
    """Two falling notes, once."""
    song = np.zeros(int(0.7 * RATE_HZ))
    _lay_over(song, _bell(587.33, 0.45), 0.0)
    _lay_over(song, _bell(440.0, 0.5), 0.18)
    return _samples(song * (0.35 / np.abs(song).max()), 0.7)


def _time(seconds: float) -> NDArray[np.float64]:
    return np.arange(int(seconds * RATE_HZ)) / RATE_HZ


def _partials(frequency_hz: float, seconds: float, levels: tuple[float, ...]) -> NDArray[np.float64]:
    time = _time(seconds)
    wave = np.zeros_like(time)
    for number, level in enumerate(levels, start=1):
        wave += level * np.sin(2 * np.pi * frequency_hz * number * time)
    return wave


def _bell(frequency_hz: float, seconds: float) -> NDArray[np.float64]:
    """A struck bar: quick attack, upper partials that die away sooner."""
    time = _time(seconds)
    wave = np.sin(2 * np.pi * frequency_hz * time) * np.exp(-5.0 * time)
    wave += 0.25 * np.sin(2 * np.pi * 2 * frequency_hz * time) * np.exp(-9.0 * time)
    wave += 0.10 * np.sin(2 * np.pi * 4 * frequency_hz * time) * np.exp(-18.0 * time)
    return _faded(wave, attack_s=0.004)


def _faded(wave: NDArray[np.float64], attack_s: float = _FADE_S) -> NDArray[np.float64]:
    """Without clicks at the edges."""
    attack, release = int(attack_s * RATE_HZ), int(_FADE_S * RATE_HZ)
    envelope = np.ones_like(wave)
    envelope[:attack] = np.linspace(0, 1, attack)
    envelope[-release:] = np.linspace(1, 0, release)
    return wave * envelope


def _lay_over(song: NDArray[np.float64], note: NDArray[np.float64], start_s: float) -> None:
    start = int(start_s * RATE_HZ)
    end = min(len(song), start + len(note))
    song[start:end] += note[: end - start]


def _samples(wave: NDArray[np.float64], seconds: float) -> Samples:
    """To 16 bit, filled up with silence to its length; full scale is 1.0."""
    samples = np.zeros(int(seconds * RATE_HZ), np.int16)
    samples[: len(wave)] = np.rint(wave[: len(samples)] * 32767).astype(np.int16)
    return samples
