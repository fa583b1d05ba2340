# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets something again while others still set it up."""

import logging
import threading
from collections.abc import Callable, Sequence

log = logging.getLogger(__name__)

_PATIENCE_S = 0.5
MOMENTS_S = (0.5, 1.0, 2.0, 5.0, 10.0)
"""After a card was opened. The first card of a boot has its levels restored twice: `alsactl restore` is run
by udev at its plug and, through sound.target, by systemd a moment later."""


class Settling:
    """Runs `again` at some moments after `start`, on a thread of its own, until the last or until `stop`.

    What a person changes later than that is left alone.
    """

    def __init__(
        self, name: str, again: Callable[[], object], moments_s: Sequence[float] = MOMENTS_S
    ) -> None:
        """`again` may block. What it raises is logged."""
        self._again = again
        self._moments_s = moments_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"settling:{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Waits for an `again` under way, but not for one that hangs. Idempotent."""
        self._stop.set()
        self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        passed = 0.0
        for moment in self._moments_s:
            if self._stop.wait(moment - passed):
                return
            passed = moment
            try:
                self._again()
            except Exception:
                log.exception("%s failed", self._thread.name)
                return
