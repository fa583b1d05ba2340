# SPDX-License-Identifier: Apache-2.0
"""Time, as everything between lens and screen measures it."""

import time
from typing import Protocol


class Clock(Protocol):
    """A monotonic clock in seconds; tests put their own in its place."""

    def now(self) -> float:
        """Seconds since an arbitrary start; never goes back. Callable from any thread."""
        ...


class MonotonicClock:
    """`CLOCK_MONOTONIC`, the clock V4L2 and ALSA stamp their buffers with."""

    def now(self) -> float:
        return time.monotonic()
