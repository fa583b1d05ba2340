# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound in place of what never came: like what was heard before, fading when that lasts too long. Pure."""

import numpy as np
from numpy.typing import NDArray

from callagent.media.opus import OpusError, SoundDecoder
from callagent.media.opus.decoder import CONCEAL_STEP
from callagent.media.sound import RATE_HZ, Samples

_FULL_SAMPLES = int(0.10 * RATE_HZ)
"""So long the codec's own concealment, which fades by itself, is played as it is."""
ENDED_SAMPLES = int(0.25 * RATE_HZ)
"""From here on there is silence: nobody speaks a vowel for so long."""
_RISE_SAMPLES = 240
"""5 ms from silence, or from faded sound, to the full level."""


class Concealment:
    """The gain of made-up sound, continuous into the real sound after it."""

    def __init__(self) -> None:
        self._run = 0
        """Samples made up in a row."""

    @property
    def ended(self) -> bool:
        """Whether it has faded to silence."""
        return self._run >= ENDED_SAMPLES

    def muted(self) -> None:
        """There was silence: what is heard next rises from it."""
        self._run = ENDED_SAMPLES

    def make_up(self, decoder: SoundDecoder, count: int) -> Samples:
        """`count` samples in place of missing ones."""
        places = self._run + np.arange(count, dtype=np.float32)
        self._run += count
        made = _concealed(decoder, count)
        if self._run <= _FULL_SAMPLES:
            return made
        return _scaled(made, _gain(places))

    def fade_out(self, decoder: SoundDecoder, count: int) -> Samples:
        """`count` samples that end in silence."""
        gain = float(_gain(np.array([self._run], np.float32))[0])
        self.muted()
        return _scaled(_concealed(decoder, count), np.linspace(gain, 0, count, dtype=np.float32))

    def heard(self, samples: Samples) -> Samples:
        """Real sound again: the same, after a fade without its beginning's edge."""
        run, self._run = self._run, 0
        if run <= _FULL_SAMPLES:
            return samples
        gain = float(_gain(np.array([run], np.float32))[0])
        count = min(_RISE_SAMPLES, len(samples))
        rise = _scaled(samples[:count], np.linspace(gain, 1, count, dtype=np.float32))
        return np.concatenate((rise, samples[count:]))


def _gain(places: NDArray[np.float32]) -> NDArray[np.float32]:
    falling = (ENDED_SAMPLES - places) / np.float32(ENDED_SAMPLES - _FULL_SAMPLES)
    gain: NDArray[np.float32] = np.clip(falling, 0, 1)
    return gain


def _scaled(samples: Samples, gain: NDArray[np.float32]) -> Samples:
    scaled: Samples = np.rint(samples * gain).astype(np.int16)
    return scaled


def _concealed(decoder: SoundDecoder, count: int) -> Samples:
    whole = -(-count // CONCEAL_STEP) * CONCEAL_STEP
    try:
        return decoder.conceal(whole)[:count]
    except OpusError:
        return np.zeros(count, np.int16)
