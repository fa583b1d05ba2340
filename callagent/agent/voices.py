# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is heard how loud, told while a call runs."""

import asyncio
from collections.abc import Callable, Mapping

LOOK_INTERVAL_S = 0.3
CHANGE = 5
"""Smaller changes of a voice are nothing to see."""


class VoiceWatch:
    """Looks at the levels a few times a second and tells when one has changed. Used on the loop."""

    def __init__(
        self, levels: Callable[[], Mapping[str, int]], tell: Callable[[dict[str, int]], None]
    ) -> None:
        """`levels`: 0 to 100 by user id; none without a call. `tell` gets all of them."""
        self._levels = levels
        self._tell = tell
        self._told: dict[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_INTERVAL_S, self._look)

    def close(self) -> None:
        """Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        now = dict(self._levels())
        if self._differs(now):
            self._told = now
            if now:
                self._tell(now)
        self.start()

    def _differs(self, now: dict[str, int]) -> bool:
        if now.keys() != self._told.keys():
            return True
        # Silence is told however little is missing to it.
        return any(
            abs(level - self._told[user]) >= CHANGE or (level == 0) != (self._told[user] == 0)
            for user, level in now.items()
        )
