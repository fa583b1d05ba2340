# SPDX-License-Identifier: GPL-3.0-or-later
"""Where nothing cancels echo: the microphone is turned down while the other side talks."""

import numpy as np

from callagent.media.audio_processing.contract import Wave
from callagent.media.sound import FRAME_S, FRAME_SAMPLES

DUCKED_DB = -30.0
ATTACK_S = 0.005
HOLD_S = 0.2
RELEASE_S = 0.1
_LOUD = 32768 * 10 ** (-42 / 20)
"""Far end that counts as talk: mean of 10 ms, at full volume of the speaker audible across a room."""


class Ducker:
    """Turns down by 30 dB within 5 ms, and up again 200 ms after the last talk has left the room.

    Works on what the speaker is about to play, so it is down before the echo arrives. Not thread-safe.
    """

    def __init__(self) -> None:
        self._floor = 10 ** (DUCKED_DB / 20)
        self._gain = 1.0
        self._hold_s = 0.0
        self.delay_s = 0.0
        """From the far end to its echo at the microphone: added to the hold."""

    @property
    def ducked(self) -> bool:
        """Whether the other side has the word."""
        return self._hold_s > 0.0

    def reset(self) -> None:
        self._gain, self._hold_s = 1.0, 0.0

    def duck(self, far: Wave, near: Wave) -> Wave:
        """480 samples each; returns the near end, turned down or not."""
        loud = float(np.sqrt(np.mean(far**2))) > _LOUD
        self._hold_s = HOLD_S + self.delay_s if loud else max(0.0, self._hold_s - FRAME_S)
        target = self._floor if self.ducked else 1.0
        if target == self._gain == 1.0:
            return near
        # Straight in dB, so that it is heard as one movement; the floor's depth sets the pace.
        rising = target > self._gain
        span_s, change = (RELEASE_S, 1 / self._floor) if rising else (ATTACK_S, self._floor)
        step = change ** (FRAME_S / span_s / FRAME_SAMPLES)
        gains = self._gain * step ** np.arange(1, FRAME_SAMPLES + 1)
        gains = np.clip(gains, self._floor, 1.0)
        self._gain = float(gains[-1])
        return np.asarray(near * gains, np.float32)
