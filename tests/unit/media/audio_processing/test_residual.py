# SPDX-License-Identifier: GPL-3.0-or-later
"""What gain control adds to what is left of the echo is taken back."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from callagent.media.audio_processing.contract import Wave
from callagent.media.audio_processing.residual import ResidualGate

QUIET = np.zeros(480, np.float32)
TALK = np.full(480, 3000, np.float32)


def times_db(wave: Wave, level_db: float) -> Wave:
    return np.asarray(wave * 10 ** (level_db / 20), np.float32)


def gain_db(out: Wave, sent: Wave) -> float:
    return float(20 * np.log10(out[-1] / sent[-1]))


def test_nothing_is_changed_while_the_far_end_is_silent() -> None:
    gate, noise = ResidualGate(), np.full(480, 3, np.float32)
    assert gate.attenuate(QUIET, TALK, noise) is noise


def test_what_is_left_of_the_echo_is_15_db_down_within_50_ms_and_through_a_pause() -> None:
    gate, left = ResidualGate(), times_db(TALK, -35)
    gains = [gain_db(gate.attenuate(TALK, TALK, left), left) for _ in range(10)]
    assert gains[0] < -2.9
    assert np.allclose(gains[4:], -15, atol=0.01)
    between = times_db(TALK, -60)
    assert np.allclose(
        [gain_db(gate.attenuate(QUIET, between, left), left) for _ in range(25)], -15, atol=0.01
    )


def test_a_word_at_the_near_end_is_let_through_within_10_ms() -> None:
    gate, left = ResidualGate(), times_db(TALK, -35)
    for _ in range(10):
        gate.attenuate(TALK, TALK, left)
    softly = times_db(TALK, -10)
    gains = [gain_db(gate.attenuate(TALK, TALK, softly), softly) for _ in range(5)]
    assert gains == [0.0] * 5


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(-80, 30)), max_size=100))
def test_it_never_raises_and_never_clicks(moments: list[tuple[bool, int]]) -> None:
    gate, last_db = ResidualGate(), 0.0
    for far_talks, level_db in moments:
        sent = times_db(TALK, level_db)
        out = gate.attenuate(TALK if far_talks else QUIET, TALK, sent)
        gains_db = 20 * np.log10(out / sent)
        assert np.all((gains_db < 0.001) & (gains_db > -15.001))
        assert np.all(np.abs(np.diff(gains_db, prepend=last_db)) < 0.05)
        last_db = float(gains_db[-1])


def test_another_call_begins_open() -> None:
    gate, left = ResidualGate(), times_db(TALK, -35)
    for _ in range(10):
        gate.attenuate(TALK, TALK, left)
    gate.reset()
    assert gate.attenuate(QUIET, TALK, left) is left
