# SPDX-License-Identifier: GPL-3.0-or-later
"""Time in the tests' hands."""


class HandClock:
    """A `ports.Clock` that stands still until somebody sets `seconds`; callable too."""

    def __init__(self, seconds: float = 100.0) -> None:
        self.seconds = seconds

    def now(self) -> float:
        return self.seconds

    __call__ = now
