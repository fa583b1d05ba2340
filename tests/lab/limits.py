# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of the design, in a guest that is slower than any machine they were made for."""

from collections.abc import Callable


class Limits:
    """What took how long on the guest's clock, and what it may take there: the limit times k.

    k is how many times slower one fixed workload is in the guest than here.
    """

    def __init__(self, slowdown: float, say: Callable[[str], None]) -> None:
        self.slowdown = slowdown
        self.say = say

    def hold(self, what: str, took_s: float, limit_s: float) -> None:
        """Print it; raises AssertionError when it took longer than it may."""
        allowed_s = limit_s * self.slowdown
        self.say(
            f"laboratory: {what}: {1000 * took_s:.0f} ms "
            f"(limit {1000 * limit_s:.0f} ms x k {self.slowdown:.1f} = {1000 * allowed_s:.0f} ms)"
        )
        assert took_s <= allowed_s, f"{what} took {took_s:.2f} s, more than {allowed_s:.2f} s"
