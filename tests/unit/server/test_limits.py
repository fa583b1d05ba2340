# SPDX-License-Identifier: GPL-3.0-or-later
"""How much one client may ask."""

from contextlib import ExitStack

import pytest

from callagent.server.limits import Limits, LimitSettings, TooMany


def test_connections_of_one_address_and_of_all() -> None:
    limits = Limits(LimitSettings(connections=3, connections_per_address=2))
    with ExitStack() as stack:
        stack.enter_context(limits.connection("a"))
        with limits.connection("a"), pytest.raises(TooMany), limits.connection("a"):
            pass
        stack.enter_context(limits.connection("a"))
        stack.enter_context(limits.connection("b"))
        with pytest.raises(TooMany), limits.connection("c"):
            pass
    with limits.connection("a"), limits.connection("a"):
        pass


def test_what_one_user_asks_does_not_count_for_another() -> None:
    limits = Limits(LimitSettings(requests_per_s=1, calls_per_minute=60))
    assert [limits.allows_request(1, "anna") for _ in range(5)] == [True, True, True, False, False]
    assert limits.allows_request(1, "bea")
    assert limits.allows_request(2, "anna")
    assert [limits.allows_call(1, "anna") for _ in range(11)] == [True] * 10 + [False]
