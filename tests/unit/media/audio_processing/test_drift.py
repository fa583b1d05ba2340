# SPDX-License-Identifier: GPL-3.0-or-later
"""Clock drift from the level of a queue whose two ends are never quite on time."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from callagent.media.audio_processing.drift import ClockDrift

FRAME_S = 0.01


def watch(drift: ClockDrift, ppm: float, seconds: float, seed: int, jitter_s: float = 0.0005) -> None:
    chance = np.random.default_rng(seed)
    for frame in range(round(seconds / FRAME_S)):
        late = chance.exponential(jitter_s) - chance.exponential(jitter_s)
        drift.observe(0.025 + frame * FRAME_S * ppm * 1e-6 + late, FRAME_S)


@settings(max_examples=10, deadline=None)
@given(st.floats(-300, 300), st.integers(0, 1000))
def test_drift_is_measured_through_jitter(ppm: float, seed: int) -> None:
    drift = ClockDrift()
    watch(drift, ppm, 40, seed)
    assert abs((drift.ratio - 1) * 1e6 - ppm) < 15


def test_jitter_of_one_card_is_no_drift() -> None:
    drift = ClockDrift()
    watch(drift, 0.0, 120, 3)
    assert abs(drift.ratio - 1) < 3e-6


def test_nothing_is_believed_in_the_first_seconds_and_nothing_impossible_ever() -> None:
    drift = ClockDrift()
    watch(drift, 400.0, 4, 1)
    assert drift.ratio == 1.0
    watch(drift, 5000.0, 60, 1)
    assert drift.ratio == 1.0005


def test_a_new_line_keeps_what_is_known_of_the_clocks() -> None:
    drift = ClockDrift()
    watch(drift, 100.0, 40, 1)
    known = drift.ratio
    drift.restart()
    assert drift.ratio == known > 1.00008
