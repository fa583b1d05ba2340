# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting again while others still set up."""

import threading

from callagent.devices.settling import Settling

DEADLINE_S = 10.0


def test_it_is_done_again_and_then_left_alone() -> None:
    done = threading.Semaphore(0)
    settling = Settling("card", done.release, (0.0, 0.01, 0.02))
    settling.start()
    for _ in range(3):
        assert done.acquire(timeout=DEADLINE_S)
    settling._thread.join(DEADLINE_S)
    assert not settling._thread.is_alive()
    assert not done.acquire(blocking=False)


def test_stopped_it_does_nothing_more() -> None:
    done = threading.Event()
    settling = Settling("card", done.set, (60.0,))
    settling.start()
    settling.stop()
    settling._thread.join(DEADLINE_S)
    assert not settling._thread.is_alive()
    assert not done.is_set()


def test_a_card_that_fails_ends_it() -> None:
    def fail() -> None:
        raise OSError("gone")

    settling = Settling("card", fail, (0.0, 0.0))
    settling.start()
    settling._thread.join(DEADLINE_S)
    assert not settling._thread.is_alive()
