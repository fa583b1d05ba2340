# SPDX-License-Identifier: GPL-3.0-or-later
import itertools
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.media.playout.freezes import Freezes
from callagent.media.playout.video_delay import MAX_DELAY_S, OUT_OF_STEP_S, SHRINK_PER_S, PlayoutDelay

FPS = 30


class Viewer:
    """Pictures at a steady rate over a network that adds what it is told to."""

    def __init__(self) -> None:
        self.delay = PlayoutDelay()
        self.number = 0
        self.last_arrival = 0.0
        self.waits: list[float] = []
        self.shown: list[float] = []

    def watch(self, seconds: float, way: Callable[[], float], sound_lag_s: float | None = None) -> None:
        for _ in range(int(seconds * FPS)):
            captured = self.number / FPS
            # In order: what is held up holds up what follows.
            arrival = max(self.last_arrival, 1000 + captured + way())
            due = self.delay.due(captured, arrival, captured, sound_lag_s)
            self.waits.append(max(0.0, due - arrival))
            self.shown.append(max(due, arrival))
            self.last_arrival = arrival
            self.number += 1

    def longest_step_s(self, last: int) -> float:
        shown = self.shown[-last:]
        return max(after - before for before, after in itertools.pairwise(shown))


def test_a_clean_network_delays_nothing() -> None:
    chance, viewer = random.Random(1), Viewer()
    viewer.watch(60, lambda: 0.03 + chance.uniform(0, 0.015))
    assert viewer.delay.delay_s == 0.0
    assert max(viewer.waits) == 0.0


def test_the_beginning_of_a_call_does_not_count() -> None:
    chance, viewer = random.Random(1), Viewer()
    viewer.watch(0.9, lambda: 0.03 + chance.uniform(0, 0.3))
    viewer.watch(5, lambda: 0.03)
    assert max(viewer.waits) == 0.0


def test_a_single_late_picture_delays_nothing() -> None:
    viewer = Viewer()
    for _ in range(5):
        viewer.watch(10, lambda: 0.03)
        viewer.watch(1 / FPS, lambda: 0.15)
    viewer.watch(10, lambda: 0.03)
    assert max(viewer.waits) == 0.0


def test_retransmissions_are_waited_for_and_forgotten_slowly() -> None:
    chance, viewer = random.Random(1), Viewer()
    round_trip_s = 0.1
    viewer.watch(5, lambda: 0.05)
    viewer.watch(10, lambda: 0.05 + (round_trip_s if chance.random() < 0.2 else 0.0))
    assert round_trip_s * 0.8 <= viewer.delay.delay_s <= round_trip_s * 1.2
    # Pictures come in heaps of three and more, and are shown evenly.
    assert viewer.longest_step_s(5 * FPS) < 0.045
    steps = []
    while viewer.delay.delay_s > 0.0:
        before = viewer.delay.delay_s
        viewer.watch(0.1, lambda: 0.05)
        steps.append(before - viewer.delay.delay_s)
        assert len(steps) < 100
    assert max(steps) == pytest.approx(SHRINK_PER_S * 0.1)
    assert sum(steps) / SHRINK_PER_S <= len(steps) * 0.1 + 1e-6
    assert viewer.waits[-1] == 0.0


def test_trouble_is_answered_within_a_second() -> None:
    viewer, late = Viewer(), itertools.cycle((0.0, 0.0, 0.0, 0.1))
    viewer.watch(10, lambda: 0.05)
    viewer.watch(1, lambda: 0.05 + next(late))
    assert viewer.delay.delay_s >= 0.06


def test_a_jam_is_caught_up_with_in_a_second_and_a_half() -> None:
    viewer = Viewer()
    viewer.watch(10, lambda: 0.05)
    jammed = itertools.chain(np.linspace(0.05, 0.9, 30), np.linspace(0.9, 0.05, 60), itertools.repeat(0.05))
    viewer.watch(3, lambda: float(next(jammed)))
    assert viewer.delay.delay_s > 0.4
    viewer.watch(1.5, lambda: 0.05)
    assert viewer.delay.delay_s < 0.15
    assert viewer.longest_step_s(FPS) < 0.04, "pictures come quicker, none is held back for it"


def test_jitter_is_smoothed() -> None:
    chance, viewer = random.Random(2), Viewer()
    viewer.watch(20, lambda: 0.02 + chance.uniform(0, 0.1))
    assert 0.05 < viewer.delay.delay_s < 0.1
    assert viewer.longest_step_s(10 * FPS) < 0.06


def test_a_way_that_has_become_longer_is_no_jitter() -> None:
    viewer = Viewer()
    viewer.watch(5, lambda: 0.02)
    viewer.watch(20, lambda: 0.3)
    assert viewer.delay.delay_s == 0.0


def test_a_sender_that_begins_anew_is_followed() -> None:
    delay = PlayoutDelay()
    for number in range(30):
        delay.due(number / FPS, 100 + number / FPS)
    assert delay.due(70_000.0, 101.1) == pytest.approx(101.1)
    assert delay.delay_s == 0.0


def test_clocks_that_run_apart_delay_nothing() -> None:
    delay = PlayoutDelay()
    waits = []
    for number in range(FPS * 600):
        now = 100 + number / FPS * (1 - 200e-6)
        waits.append(delay.due(number / FPS, now) - now)
    assert max(waits) <= 0.001


def test_pictures_wait_for_sound_that_is_later() -> None:
    viewer = Viewer()
    # The sender's clock begins at 0 with the first picture, ours at 1000; pictures take 20 ms.
    viewer.watch(2, lambda: 0.02, sound_lag_s=1000.02 + OUT_OF_STEP_S)
    assert viewer.delay.delay_s == pytest.approx(0.0, abs=1e-6)
    viewer.watch(2, lambda: 0.02, sound_lag_s=1000.03 + OUT_OF_STEP_S)
    assert viewer.delay.delay_s == pytest.approx(0.01, abs=1e-6), "no longer than for what is too much"
    viewer.watch(2, lambda: 0.02, sound_lag_s=1000.2 + OUT_OF_STEP_S)
    assert viewer.delay.delay_s == pytest.approx(0.18, abs=1e-6)
    assert viewer.shown[-1] - viewer.number / FPS == pytest.approx(1000.2 - 1 / FPS, abs=1e-6)
    viewer.watch(1, lambda: 0.02, sound_lag_s=1003.0)
    assert viewer.delay.delay_s == MAX_DELAY_S
    viewer.watch(20, lambda: 0.02, sound_lag_s=1000.05)
    assert viewer.delay.delay_s == 0.0
    viewer.watch(1, lambda: 0.02, sound_lag_s=999.0)
    assert viewer.delay.delay_s == 0.0


def test_without_the_senders_time_sound_is_not_waited_for() -> None:
    delay = PlayoutDelay()
    for number in range(30):
        delay.due(number / FPS, 100 + number / FPS, None, 1e6)
    assert delay.delay_s == 0.0


@given(
    st.lists(st.tuples(st.floats(0, 3), st.floats(-3, 3), st.none() | st.floats(-5, 5)), max_size=80),
)
def test_whatever_comes_due_times_rise_and_the_delay_is_bounded(
    steps: list[tuple[float, float, float | None]],
) -> None:
    delay, now, last_due = PlayoutDelay(), 10.0, -1.0
    for passed, media_s, lag_s in steps:
        now += passed
        due = delay.due(now + media_s, now, 0.0, lag_s)
        assert due >= last_due
        assert 0.0 <= delay.delay_s <= MAX_DELAY_S
        last_due = due


def shown_at(times: list[float]) -> Freezes:
    freezes = Freezes()
    for time in times:
        freezes.shown(time)
    return freezes


def test_freezes_are_counted_as_the_w3c_says() -> None:
    steady = [number / FPS for number in range(31)]
    # 33 ms on average: 183 ms are a freeze, a little less is none.
    assert shown_at([*steady, 1.0 + 0.18]).count == 0
    froze = shown_at([*steady, 1.0 + 0.19, 1.0 + 0.22])
    assert froze.count == 1
    assert froze.total_s == pytest.approx(0.19)
    # 200 ms on average: three times as much counts, not 150 ms more.
    slow = [number * 0.2 for number in range(31)]
    assert shown_at([*slow, 6.0 + 0.5]).count == 0
    assert shown_at([*slow, 6.0 + 0.61]).count == 1


def test_a_camera_that_was_off_is_no_freeze() -> None:
    steady = [number / FPS for number in range(31)]
    assert shown_at([*steady, 11.0, 11.03]).count == 0


def test_the_first_pictures_make_no_average() -> None:
    assert shown_at([0.0, 0.03, 0.06, 1.0]).count == 0
