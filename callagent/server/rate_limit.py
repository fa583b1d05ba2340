# SPDX-License-Identifier: GPL-3.0-or-later
"""A small token bucket for each client."""

import time
from collections import OrderedDict

MAX_CLIENTS = 4096


class RateLimit:
    """`burst` requests at once, then `per_s` per second, for each client. Not durable. Not thread-safe."""

    def __init__(self, burst: float, per_s: float, clients: int = MAX_CLIENTS) -> None:
        """`clients`: how many are remembered."""
        self._clients = clients
        self._burst = burst
        self._per_s = per_s
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, client: str, now: float | None = None) -> bool:
        """Whether this client may go on; counts the request. `now` in seconds of any steady clock."""
        at = time.monotonic() if now is None else now
        left, since = self._buckets.pop(client, (self._burst, at))
        left = min(self._burst, left + (at - since) * self._per_s)
        allowed = left >= 1.0
        self._buckets[client] = (left - 1.0 if allowed else left, at)
        while len(self._buckets) > self._clients:
            self._buckets.popitem(last=False)
        return allowed
