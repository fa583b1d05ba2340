# SPDX-License-Identifier: GPL-3.0-or-later
"""How long after the far end its echo comes, heard from the two themselves."""

import numpy as np
from numpy.typing import NDArray

from callagent.media.audio_processing.contract import Wave
from callagent.media.sound import FRAME_SAMPLES, RATE_HZ

MAX_DELAY_S = 0.5
_DECIMATION = 6
_RATE_HZ = RATE_HZ // _DECIMATION
_FRAME = FRAME_SAMPLES // _DECIMATION
_WINDOW = 8192
_EVERY_FRAMES = 25
_BAND_HZ = (150, 3500)
_KEPT = 0.5
_CLEAR = 7.0
"""A peak so much above the root mean square of all delays is an echo."""
_SAME_S = 0.003
_TIMES = 2
_LOUD = 32768 * 10 ** (-50 / 20)


class DelayEstimator:
    """Cross-correlation of far end and microphone with phase transform (GCC-PHAT), at 8 kHz.

    Source: C. Knapp, G. Carter, "The generalized correlation method for estimation of time delay", 1976.
    Looks one second back four times a second and answers when two looks agree. Not thread-safe.
    """

    def __init__(self) -> None:
        frequencies = np.fft.rfftfreq(2 * _WINDOW, 1 / _RATE_HZ)
        self._band = (frequencies >= _BAND_HZ[0]) & (frequencies <= _BAND_HZ[1])
        self.delay_s: float | None = None
        """The last answer."""
        self.reset()

    def reset(self) -> None:
        """Devices changed: the answer so far is void."""
        self.delay_s = None
        self._far = np.zeros(_WINDOW, np.float32)
        self._near = np.zeros(_WINDOW, np.float32)
        self._sum: NDArray[np.float32] = np.zeros(round(MAX_DELAY_S * _RATE_HZ), np.float32)
        self._frames = 0
        self._place = 0
        self._candidate_s = -1.0
        self._agreed = 0

    def observe(self, far: Wave, microphone: Wave) -> bool:
        """480 samples each; True when there is a new answer."""
        place = slice(self._place, self._place + _FRAME)
        # A moving average is low-pass enough for a peak's place.
        self._far[place] = far.reshape(_FRAME, _DECIMATION).mean(1)
        self._near[place] = microphone.reshape(_FRAME, _DECIMATION).mean(1)
        self._place += _FRAME
        if self._place + _FRAME > _WINDOW:
            self._slide()
        self._frames += 1
        return self._frames % _EVERY_FRAMES == 0 and self._look()

    def _slide(self) -> None:
        """Make room for the next look's stretches."""
        keep = self._place - _EVERY_FRAMES * _FRAME
        for ring in (self._far, self._near):
            ring[:keep] = ring[_EVERY_FRAMES * _FRAME : self._place].copy()
            ring[keep:] = 0
        self._place = keep

    def _look(self) -> bool:
        if _level(self._far) < _LOUD or _level(self._near) < 1.0:
            return False
        cross = np.fft.rfft(self._near, 2 * _WINDOW) * np.fft.rfft(self._far, 2 * _WINDOW).conj()
        cross[~self._band] = 0
        correlation = np.fft.irfft(cross / (np.abs(cross) + 1e-9))[: len(self._sum)]
        self._sum = (_KEPT * self._sum + correlation).astype(np.float32)
        best = int(np.argmax(np.abs(self._sum)))
        if abs(float(self._sum[best])) < _CLEAR * float(np.sqrt(np.mean(self._sum**2))):
            return False
        delay_s = best / _RATE_HZ
        self._agreed = self._agreed + 1 if abs(delay_s - self._candidate_s) <= _SAME_S else 1
        self._candidate_s = delay_s
        if self._agreed < _TIMES:
            return False
        self.delay_s = delay_s
        return True


def _level(sound: Wave) -> float:
    return float(np.sqrt(np.mean(sound**2)))
