# SPDX-License-Identifier: GPL-3.0-or-later
"""The short form of the laboratory's torture; `make long` runs it at full length."""

from pathlib import Path

import pytest

from tests.lab.limits import Limits
from tests.lab.machine import Machine
from tests.lab.torture import SEED, limit_s, torture

EVENTS = 20


@pytest.mark.timeout(900)
async def test_twenty_random_events_in_one_call(installed: Machine, tmp_path: Path, limits: Limits) -> None:
    outcome = await torture(installed, tmp_path, EVENTS, SEED, limits.say, thorough=False)
    assert outcome.errors == []
    for name, times in outcome.times_s.items():
        limits.hold(f"torture: {name} ({len(times)})", max(times), limit_s(name))
    assert outcome.leaked_descriptors == []
    assert outcome.leaked_threads == []
    limits.say(f"torture: memory {outcome.grown_mb:+.1f} MB")
