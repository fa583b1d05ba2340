# SPDX-License-Identifier: GPL-3.0-or-later
"""The time the service reckons calls and sessions with."""

import time
from collections.abc import Callable

Now = Callable[[], float]
"""Unix seconds."""


def steady_clock() -> Now:
    """Unix time that is read once and then runs on with CLOCK_BOOTTIME.

    Deadlines and durations are stored as Unix seconds, because they outlive the
    process; a step of the wall clock under a running service must not end calls.
    """
    offset = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return lambda: offset + time.clock_gettime(time.CLOCK_BOOTTIME)
