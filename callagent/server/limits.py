# SPDX-License-Identifier: GPL-3.0-or-later
"""How much one client may ask of one node. Used on the event loop."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.server.rate_limit import RateLimit

FAILED_LOGINS, FAILED_LOGINS_PER_S = 20, 0.2
"""Of one address: so many at once, then so often."""
USERS = 50_000
"""Whose rates are remembered; a user not heard of for longest is forgotten first."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LimitSettings:
    connections: int = 20_000
    """Of this node."""
    connections_per_address: int = 1_000
    """A whole site may come from one address."""
    requests_per_s: float = 100.0
    """Of one user; three times as many at once."""
    calls_per_minute: float = 60.0
    """Begun by one user."""


class TooMany(Exception):
    """No more connections, of this address or at all."""


class Limits:
    def __init__(self, settings: LimitSettings) -> None:
        self._settings = settings
        self._of_address: Counter[str] = Counter()
        self._open = 0
        self._failed_logins = RateLimit(FAILED_LOGINS, FAILED_LOGINS_PER_S)
        self._requests = RateLimit(3 * settings.requests_per_s, settings.requests_per_s, USERS)
        per_minute = settings.calls_per_minute
        self._calls = RateLimit(max(10.0, per_minute / 6), per_minute / 60, USERS)

    @contextmanager
    def connection(self, address: str) -> Iterator[None]:
        """For as long as it is open. Raises TooMany."""
        if (
            self._open >= self._settings.connections
            or self._of_address[address] >= self._settings.connections_per_address
        ):
            raise TooMany
        self._open += 1
        self._of_address[address] += 1
        try:
            yield
        finally:
            self._open -= 1
            self._of_address[address] -= 1
            if not self._of_address[address]:
                del self._of_address[address]

    def refused(self, address: str, why: CallAgentError) -> CallAgentError:
        """What to tell a login that failed: the reason, or that there were too many of this address.

        A right one always passes: a kiosk with a wrong ticket must not lock out those behind the same NAT.
        """
        if self._failed_logins.allows(address):
            return why
        logger.warning("too many failed logins from %s", address)
        return CallAgentError(
            ErrorCode.TOO_MANY_REQUESTS, "Too many failed logins from your address; try again in a minute"
        )

    def allows_request(self, app_id: int, user_id: str) -> bool:
        return self._requests.allows(f"{app_id}/{user_id}")

    def allows_call(self, app_id: int, user_id: str) -> bool:
        return self._calls.allows(f"{app_id}/{user_id}")
