# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests' own measure of gaps leaves out, and what it does not."""

import ctypes
import threading
import time

import pytest

from tests.standstill import StandstillWatch


def test_the_longest_gap_is_between_neighbours() -> None:
    assert StandstillWatch().longest_gap_s([1.0, 1.2, 2.0, 2.1]) == pytest.approx(0.8)


def test_a_standstill_is_no_gap_as_far_as_it_reaches_into_it() -> None:
    watch = StandstillWatch()
    watch.note(1.1, 1.4)
    watch.note(1.9, 2.05)
    assert watch.longest_gap_s([1.0, 1.2, 2.0, 2.1]) == pytest.approx(0.8 - 0.2 - 0.1)


def test_a_process_that_may_not_run_stands_still_and_one_that_is_busy_does_not() -> None:
    with StandstillWatch() as watch:
        began = time.monotonic()
        while time.monotonic() - began < 0.3:
            sum(range(1000))
        busy = watch.longest_gap_s([began, time.monotonic()])
        assert busy >= 0.15, "this thread's work counts"
        began = time.monotonic()
        # Keeps the interpreter's lock while it waits, as a garbage collection does.
        ctypes.PyDLL(None).usleep(300_000)
        ended = time.monotonic()
        noted = threading.Event()
        for _ in range(500):
            if ended - began - watch.longest_gap_s([began, ended]) >= 0.2:
                noted.set()
                break
            time.sleep(0.01)
        assert noted.is_set()
