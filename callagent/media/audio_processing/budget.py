# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this machine is fast enough for what is done to the sound."""

import time
from collections.abc import Callable

from callagent.media.sound import FRAME_S

MOST = 0.7
"""Of real time: the other threads want some, and behind that the queue runs over."""
WINDOW_FRAMES = 200


class Budget:
    """Compares the processing's own time on the processor with the time it has. For one thread.

    Its own: a machine that is busy with something else for a moment is not too slow.
    """

    def __init__(self, spent: Callable[[], float] = time.thread_time) -> None:
        self._spent = spent
        self.restart()

    def restart(self) -> None:
        """Something else is measured from now on."""
        self._began: float | None = None
        self._frames = 0

    def exceeded(self) -> bool:
        """To be asked after each stretch of 10 ms; true when two seconds of them took too long."""
        if self._began is None:
            self._began = self._spent()
            return False
        self._frames += 1
        if self._frames < WINDOW_FRAMES:
            return False
        took = self._spent() - self._began
        available = self._frames * FRAME_S
        self.restart()
        return took > MOST * available
