# SPDX-License-Identifier: GPL-3.0-or-later
"""The mixer: sums, saturates, bounds what waits, takes any rate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from callagent.media import Mixer
from callagent.media.mixer import MAX_BUFFER_S
from callagent.ports import AudioFrame


def frame(samples: NDArray[np.int16], rate_hz: int = 48_000, channels: int = 1) -> AudioFrame:
    return AudioFrame(samples.data, rate_hz, channels, 0.0)


def pull(mixer: Mixer) -> NDArray[np.int16]:
    return np.frombuffer(mixer.pull(), np.int16)


def test_nothing_in_is_silence() -> None:
    assert not pull(Mixer()).any()
    assert len(pull(Mixer())) == 480


@given(levels=st.lists(st.integers(-32768, 32767), min_size=1, max_size=6))
@settings(max_examples=60)
def test_sum_saturates_instead_of_wrapping(levels: list[int]) -> None:
    mixer = Mixer()
    for number, level in enumerate(levels):
        mixer.add(f"input {number}").put(frame(np.full(960, level, np.int16)))
    expected = max(-32768, min(32767, sum(levels)))
    assert set(pull(mixer).tolist()) == {expected}


def test_gain_per_input() -> None:
    mixer = Mixer()
    mixer.add("loud").put(frame(np.full(960, 1000, np.int16)))
    mixer.add("soft", gain=0.5).put(frame(np.full(960, 1000, np.int16)))
    assert set(pull(mixer).tolist()) == {1500}


def test_one_voice_is_not_touched() -> None:
    sound = np.random.default_rng(1).integers(-32768, 32768, 960).astype(np.int16)
    mixer = Mixer()
    mixer.add("alone").put(frame(sound))
    assert (pull(mixer) == sound[:480]).all()
    mixer.volume = 50
    assert (np.abs(pull(mixer) - sound[480:] / 4) <= 0.5).all()


def test_an_input_that_is_behind_drops_its_oldest() -> None:
    mixer = Mixer()
    entry = mixer.add("late")
    ramp = np.arange(480 * 20) // 480
    for number in range(20):
        entry.put(frame(ramp[number * 480 : number * 480 + 480].astype(np.int16)))
    assert entry.buffered_s == pytest.approx(MAX_BUFFER_S)
    assert entry.dropped == 480 * 14
    assert [int(pull(mixer)[0]) for _ in range(6)] == [14, 15, 16, 17, 18, 19]
    assert not pull(mixer).any()
    assert entry.underruns == 1


@given(sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=30))
@settings(max_examples=60)
def test_any_chunking_keeps_order_and_bound(sizes: list[int]) -> None:
    mixer = Mixer()
    entry = mixer.add("chunks")
    position, heard = 1, []
    for size in sizes:
        part = np.arange(position, position + size) % 30_000
        position += size
        entry.put(frame(part.astype(np.int16)))
        assert entry.buffered_s <= MAX_BUFFER_S
        heard.extend(pull(mixer).tolist())
    steps = np.diff(np.array([value for value in heard if value], np.int64))
    assert (steps[steps < 0] < -10_000).all(), "time never runs backwards"


@pytest.mark.parametrize(
    ("rate_hz", "channels"), [(16_000, 1), (44_100, 2), (48_000, 2), (96_000, 1), (8_000, 4)]
)
def test_any_rate_and_channels_come_out_as_mono_48k(rate_hz: int, channels: int) -> None:
    mixer = Mixer()
    entry = mixer.add("other")
    heard = []
    tone_hz, per_frame = 1000.0, rate_hz // 100
    for number in range(100):
        time = (np.arange(per_frame) + number * per_frame) / rate_hz
        wave = (8000 * np.sin(2 * np.pi * tone_hz * time)).astype(np.int16)
        entry.put(frame(np.repeat(wave, channels), rate_hz, channels))
        heard.append(pull(mixer))
    sound = np.concatenate(heard)[-48_000 // 2 :].astype(float)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    assert abs(int(spectrum.argmax()) * 48_000 / len(sound) - tone_hz) <= 2
    assert 7000 < np.abs(sound).max() < 9000
    assert entry.dropped == 0


def test_a_closed_input_is_heard_no_more() -> None:
    mixer = Mixer()
    entry = mixer.add("gone")
    entry.put(frame(np.full(2880, 5, np.int16)))
    assert pull(mixer).any()
    entry.close()
    entry.close()
    assert not pull(mixer).any()
