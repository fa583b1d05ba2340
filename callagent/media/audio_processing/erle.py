# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of the echo is gone: echo return loss enhancement, ITU-T G.168 section 3."""

from collections import deque

import numpy as np

from callagent.media.audio_processing.contract import Wave
from callagent.media.audio_processing.far_talk import FarTalk
from callagent.media.sound import FRAME_S

_KEPT = 0.99
"""Per stretch: the figure is of the last second or so in which the far end talked."""
_LEAST_FRAMES = 50


class EchoMeter:
    """Power of the microphone over power sent on, while the far end talks. Not thread-safe.

    Somebody who talks at the near end at the same time makes the figure smaller than the cancellation is.
    """

    def __init__(self, latency_s: float) -> None:
        """`latency_s`: how much later `after` is than `before`."""
        self._far = FarTalk()
        self._delayed: deque[float] = deque(maxlen=1 + round(latency_s / FRAME_S))
        self.reset()

    @property
    def erle_db(self) -> float | None:
        """None until the far end has talked for half a second."""
        if self._frames < _LEAST_FRAMES:
            return None
        return float(10 * np.log10((self._before + 1) / (self._after + 1)))

    def reset(self) -> None:
        self._before = self._after = 0.0
        self._frames = 0
        self._far.reset()
        self._delayed.clear()

    def measure(self, far: Wave, before: Wave, after: Wave) -> None:
        """480 samples each: far end, microphone, and what became of it."""
        self._delayed.append(float(before @ before))
        if self._far.hear(far):
            self._frames += 1
            self._before = _KEPT * self._before + self._delayed[0]
            self._after = _KEPT * self._after + float(after @ after)
