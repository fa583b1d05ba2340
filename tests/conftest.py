# SPDX-License-Identifier: GPL-3.0-or-later
"""For all tests."""

import gc
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.standstill import WATCH

# A noisy machine stops a process for longer than any deadline of one example.
settings.register_profile("noisy machine", deadline=None)
settings.load_profile("noisy machine")


@pytest.fixture(scope="session", autouse=True)
def standstill_watch() -> Iterator[None]:
    with WATCH:
        yield


@pytest.fixture(scope="module", autouse=True)
def few_garbage_collections(request: pytest.FixtureRequest) -> None:
    """What hundreds of tests have loaded is not looked through again and again while one of them measures."""
    if request.path.parent.name in ("integration", "browser"):
        gc.unfreeze()
        gc.collect()
        gc.freeze()
