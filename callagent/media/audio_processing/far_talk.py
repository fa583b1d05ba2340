# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the other side is heard in the room."""

import numpy as np

from callagent.media.audio_processing.contract import Wave
from callagent.media.sound import FRAME_S

_LOUD = 32768 * 10 ** (-50 / 20)
_TAIL_S = 0.3
"""How long the far end's last word is heard in the room."""


class FarTalk:
    """Told of every 10 ms; not thread-safe."""

    def __init__(self) -> None:
        self._audible_s = 0.0

    @property
    def audible(self) -> bool:
        return self._audible_s > 0.0

    def reset(self) -> None:
        self._audible_s = 0.0

    def hear(self, far: Wave) -> bool:
        """480 samples of what the speaker plays; whether the far end is audible now."""
        loud = float(np.sqrt(np.mean(far**2))) > _LOUD
        self._audible_s = _TAIL_S if loud else max(0.0, self._audible_s - FRAME_S)
        return self.audible
