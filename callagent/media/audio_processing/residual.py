# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes back what gain control adds to what is left of the echo."""

from collections import deque

import numpy as np

from callagent.media.audio_processing.contract import Wave
from callagent.media.audio_processing.far_talk import FarTalk
from callagent.media.sound import FRAME_S, FRAME_SAMPLES

_RESIDUAL_DB = -14.0
"""Sent over heard, while the far end talks: what is further below is echo only. Somebody at the near end who
talks 10 dB more softly than the echo is at -10 dB before any gain."""
_MOST_DB = -15.0
"""WebRTC's gain control begins with 15 dB and lowers them only once somebody has talked."""
_HEARD_S = 0.3
"""The echo of a syllable lasts longer than the syllable."""
_CLOSE_S = 0.05


class ResidualGate:
    """A downward expander on the ratio of what is sent to what the microphone hears. Not thread-safe.

    Opens within 10 ms, so that nobody's first word is cut; closes within 50 ms. It is open while the far end
    is silent.
    """

    def __init__(self) -> None:
        self._far = FarTalk()
        self._heard: deque[float] = deque(maxlen=round(_HEARD_S / FRAME_S))
        self._gain_db = 0.0

    def reset(self) -> None:
        self._far.reset()
        self._heard.clear()
        self._gain_db = 0.0

    def attenuate(self, far: Wave, heard: Wave, sent: Wave) -> Wave:
        """480 samples each: far end, microphone, what became of it; gives what is to be sent."""
        self._heard.append(float(heard @ heard))
        before_db, target_db = self._gain_db, 0.0
        if self._far.hear(far):
            ratio_db = 10 * np.log10((float(sent @ sent) + 1) / (max(self._heard) + 1))
            target_db = float(np.clip(ratio_db - _RESIDUAL_DB, _MOST_DB, 0.0))
        step_db = _MOST_DB * FRAME_S / _CLOSE_S
        self._gain_db = max(target_db, before_db + step_db)
        if self._gain_db == before_db == 0.0:
            return sent
        gains = 10 ** (np.linspace(before_db, self._gain_db, FRAME_SAMPLES) / 20)
        return np.asarray(sent * gains, np.float32)
