# SPDX-License-Identifier: GPL-3.0-or-later
"""How loud voices are, and what happens when they are too loud together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from callagent.media import Mixer
from callagent.media.level import LevelMeter
from callagent.media.limiter import Limiter
from callagent.media.sound import FRAME_SAMPLES, RATE_HZ, Samples
from callagent.ports import AudioFrame


def tone(frequency_hz: float, level: float, seconds: float = 2.0) -> NDArray[np.float32]:
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    wave: NDArray[np.float32] = (level * np.sin(2 * np.pi * frequency_hz * time)).astype(np.float32)
    return wave


def limit(mix: NDArray[np.float32], limiter: Limiter | None = None) -> Samples:
    limiter = limiter or Limiter()
    return np.concatenate([limiter.limit(block) for block in mix.reshape(-1, FRAME_SAMPLES)])


def distortion_db(sound: NDArray[np.float64], *frequencies_hz: float) -> float:
    """What is neither of the tones, below them."""
    power = np.abs(np.fft.rfft(sound * np.blackman(len(sound)))) ** 2
    rest = power.copy()
    for frequency in frequencies_hz:
        place = round(frequency * len(sound) / RATE_HZ)
        rest[place - 20 : place + 20] = 0
    return float(10 * np.log10(rest.sum() / power.sum()))


def test_what_fits_is_left_as_it_is() -> None:
    mix = tone(300, 32767.0)
    assert np.array_equal(limit(mix), np.rint(mix).astype(np.int16))


def test_two_loud_voices_are_turned_down_not_cut_off() -> None:
    mix = tone(310, 24000) + tone(470, 24000)
    heard = limit(mix)[RATE_HZ:].astype(np.float64)
    cut = np.clip(mix, -32768, 32767)[RATE_HZ:].astype(np.float64)
    assert np.abs(heard).max() <= 32768
    assert np.abs(heard).max() > 29_000, "no quieter than needed"
    assert distortion_db(heard, 310, 470) < -40
    assert distortion_db(heard, 310, 470) < distortion_db(cut, 310, 470) - 20


def test_the_gain_goes_down_at_once_and_comes_back_without_a_step() -> None:
    limiter = Limiter()
    quiet = tone(100, 10_000, 0.01)
    limit(tone(500, 60_000, 0.1), limiter)
    assert limiter.gain == pytest.approx(32768 / 60_000, rel=0.01)
    gains = []
    for _ in range(150):
        limiter.limit(quiet)
        gains.append(limiter.gain)
    steps = np.diff(gains)
    assert (steps >= 0).all()
    assert steps.max() < 0.03
    assert gains[-1] == 1.0
    assert gains[10] < 0.9


@given(levels=st.lists(st.floats(0, 400_000), min_size=1, max_size=20), seed=st.integers(0, 99))
def test_no_sum_wraps_and_the_gain_never_jumps(levels: list[float], seed: int) -> None:
    random = np.random.default_rng(seed)
    limiter = Limiter()
    for level in levels:
        mix = random.uniform(-level, level, FRAME_SAMPLES).astype(np.float32)
        before = limiter.gain
        heard = limiter.limit(mix)
        assert (heard.astype(np.float32) * mix >= -0.5 * np.abs(mix)).all(), "no sample changes its sign"
        assert 0 < limiter.gain <= 1
        assert limiter.gain - before < 0.07


def test_the_level_is_decibels_from_0_to_100() -> None:
    for amplitude, level in ((32767, 95), (3277, 62), (328, 28), (33, 0), (0, 0)):
        meter = LevelMeter()
        for block in tone(440, amplitude).reshape(-1, FRAME_SAMPLES):
            meter.add(block.astype(np.int16))
        assert meter.level == pytest.approx(level, abs=1)
    for _ in range(20):
        meter.add(None)
    assert meter.level == 0


def test_the_level_follows_within_a_syllable() -> None:
    meter = LevelMeter()
    loud = tone(440, 8000, 0.01).astype(np.int16)
    for _ in range(30):
        meter.add(loud)
    assert meter.level > 70
    for _ in range(100):
        meter.add(None)
    assert meter.level < 45


def test_the_mixer_tells_each_voice_apart_before_gain_and_volume() -> None:
    mixer = Mixer()
    loud, quiet = mixer.add("loud", gain=0.1), mixer.add("quiet")
    mixer.volume = 10
    for _ in range(100):
        for entry, level in ((loud, 16_000), (quiet, 500)):
            samples = np.full(FRAME_SAMPLES, level, np.int16)
            entry.put(AudioFrame(samples.data, RATE_HZ, 1, 0.0))
        mixer.pull()
    assert mixer.level(loud) == pytest.approx(90, abs=2)
    assert mixer.level(quiet) == pytest.approx(40, abs=2)
    for _ in range(300):
        mixer.pull()
    assert mixer.level(loud) == 0
    loud.close()
    assert mixer.level(loud) == 0
