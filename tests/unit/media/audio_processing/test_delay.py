# SPDX-License-Identifier: GPL-3.0-or-later
"""The delay of an echo, from the sound itself."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.echo_room import voice
from callagent.media.audio_processing.delay import MAX_DELAY_S, DelayEstimator

VOICE = (voice(7, 5) * 32_768).astype(np.float32)


def listen(
    estimator: DelayEstimator, far: NDArray[np.float32], microphone: NDArray[np.float32]
) -> list[float]:
    """Every answer, in seconds."""
    found = []
    for start in range(0, len(far) - 479, 480):
        if estimator.observe(far[start : start + 480], microphone[start : start + 480]):
            assert estimator.delay_s is not None
            found.append(estimator.delay_s)
    return found


def later(sound: NDArray[np.float32], delay_s: float) -> NDArray[np.float32]:
    return np.concatenate((np.zeros(round(delay_s * 48_000), np.float32), sound))[: len(sound)]


@settings(max_examples=8, deadline=None)
@given(st.floats(0, 0.4), st.integers(0, 100), st.sampled_from([1.0, -1.0]))
def test_any_delay_is_found_in_noise_and_with_any_sign(delay_s: float, seed: int, sign: float) -> None:
    noise = np.random.default_rng(seed).standard_normal(len(VOICE)) * 100
    found = listen(DelayEstimator(), VOICE, (sign * 0.3 * later(VOICE, delay_s) + noise).astype(np.float32))
    assert found
    assert all(abs(each - delay_s) < 0.002 for each in found)


def test_a_jump_is_noticed_within_three_seconds() -> None:
    jumped = np.concatenate((later(VOICE, 0.05)[:96_000], later(VOICE, 0.11)[96_000:]))
    found = listen(DelayEstimator(), VOICE, jumped)
    assert abs(found[0] - 0.05) < 0.002
    assert abs(found[-1] - 0.11) < 0.002


def test_strangers_and_silence_have_no_delay() -> None:
    other = (voice(8, 5) * 32_768).astype(np.float32)
    assert listen(DelayEstimator(), VOICE, other) == []
    assert listen(DelayEstimator(), np.zeros_like(VOICE), other) == []
    assert listen(DelayEstimator(), VOICE, np.zeros_like(VOICE)) == []
    assert MAX_DELAY_S > 0.4


def test_another_device_voids_the_answer() -> None:
    estimator = DelayEstimator()
    assert listen(estimator, VOICE, later(VOICE, 0.1))
    estimator.reset()
    assert estimator.delay_s is None
