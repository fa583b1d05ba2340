# SPDX-License-Identifier: GPL-3.0-or-later
"""Turning the microphone down while the other side talks."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from callagent.media.audio_processing.contract import Wave
from callagent.media.audio_processing.half_duplex import Ducker

QUIET = np.zeros(480, np.float32)
LOUD = np.full(480, 3000, np.float32)
NEAR = np.full(480, 10_000, np.float32)


def level_db(out: Wave) -> float:
    return float(20 * np.log10(out[-1] / NEAR[-1]))


def test_it_is_down_within_5_ms_and_up_again_after_300() -> None:
    ducker = Ducker()
    assert ducker.duck(QUIET, NEAR) is NEAR
    down = ducker.duck(LOUD, NEAR)
    assert abs(20 * np.log10(down[240] / 10_000) + 30) < 0.1
    assert abs(level_db(down) + 30) < 0.01
    held = [level_db(ducker.duck(QUIET, NEAR)) for _ in range(40)]
    assert all(abs(each + 30) < 0.01 for each in held[:19])
    assert -30 < held[24] < -0.1
    assert held[31:] == [0.0] * 9


def test_the_hold_lasts_until_the_echo_has_arrived() -> None:
    ducker = Ducker()
    ducker.delay_s = 0.1
    ducker.duck(LOUD, NEAR)
    held = [level_db(ducker.duck(QUIET, NEAR)) for _ in range(29)]
    assert all(abs(each + 30) < 0.01 for each in held)


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=100))
def test_it_never_clicks(talk: list[bool]) -> None:
    ducker, last = Ducker(), 10_000.0
    for loud in talk:
        out = ducker.duck(LOUD if loud else QUIET, NEAR)
        gains = np.concatenate(([last], out))
        assert np.all(np.abs(np.diff(20 * np.log10(gains))) < 0.15)
        assert np.all((out <= 10_001) & (out >= 316))
        last = float(out[-1])
