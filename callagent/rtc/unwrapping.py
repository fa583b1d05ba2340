# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters of the wire that begin again at 0, made to go on."""


class Unwrapper:
    """Gives each number of `bits` bits the unbounded one nearest to the one before (RFC 3550 A.1)."""

    def __init__(self, bits: int) -> None:
        self._range = 1 << bits
        self._last: int | None = None

    def unwrap(self, number: int) -> int:
        """May be negative for a number from before the first one."""
        if self._last is None:
            self._last = number
        else:
            half = self._range >> 1
            self._last += (number - self._last + half) % self._range - half
        return self._last
