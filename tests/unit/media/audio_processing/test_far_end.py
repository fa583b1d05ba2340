# SPDX-License-Identifier: GPL-3.0-or-later
"""The far end between two threads and two clocks."""

import threading

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from callagent.media.audio_processing.far_end import TARGET_S, FarEnd

FRAME_S = 0.01
LAG = round(TARGET_S * 48_000)


def sine(frame: int, hertz: float = 1000.0) -> NDArray[np.int16]:
    place = np.arange(frame * 480, (frame + 1) * 480) / 48_000
    return (10_000 * np.sin(2 * np.pi * hertz * place)).astype(np.int16)


def test_on_one_clock_the_very_samples_come_out_at_a_constant_distance() -> None:
    far_end = FarEnd()
    put, taken = [], []
    for frame in range(200):
        put.append(sine(frame, 440.0))
        far_end.put(put[-1].data, frame * FRAME_S)
        taken.append(far_end.take(frame * FRAME_S + 0.002))
    whole, out = np.concatenate(put).astype(np.float32), np.concatenate(taken)
    tail = out[-4800:]
    distances = [
        d for d in range(3000) if np.array_equal(whole[len(whole) - 4800 - d : len(whole) - d], tail)
    ]
    assert distances
    assert far_end.drift_ppm == 0.0
    assert far_end.slips == 0


def test_a_drift_is_taken_out() -> None:
    """After the clocks are known, a tone of the speaker's clock comes out as the microphone hears it."""
    far_end, taken = FarEnd(), []
    ratio, frame = 1 + 150e-6, 0
    chance = np.random.default_rng(1)
    for heard in range(6000):
        now = (heard + 1) * FRAME_S
        while frame * FRAME_S / ratio <= now:
            far_end.put(sine(frame).data, frame * FRAME_S / ratio + chance.exponential(2e-4))
            frame += 1
        taken.append(far_end.take(now + chance.exponential(2e-4)))
    assert abs(far_end.drift_ppm - 150) < 8
    assert far_end.slips == 0
    out = np.concatenate(taken[-1000:])
    # The phase against a tone of the drifted frequency stands still to a few samples in ten seconds.
    turning = out * np.exp(-2j * np.pi * 1000 * ratio * np.arange(len(out)) / 48_000)
    phases = np.unwrap(np.angle(turning.reshape(10, -1).mean(1)))
    assert np.ptp(phases) * 48_000 / (2 * np.pi * 1000) < 6
    assert 9_900 < np.abs(out).max() < 10_100


def test_no_speaker_is_silence_and_a_pause_begins_anew() -> None:
    far_end = FarEnd()
    assert not far_end.take(5.0).any()
    far_end.put(sine(0).data, 10.0)
    far_end.put(sine(1).data, 10.01)
    far_end.put(sine(2).data, 10.02)
    far_end.put(sine(3).data, 10.03)
    assert far_end.take(10.035).any()
    assert not far_end.take(10.5).any()


def test_lost_sound_is_made_good() -> None:
    far_end = FarEnd()
    for frame in range(300):
        far_end.put(sine(frame).data, frame * FRAME_S)
        # The microphone's card loses 100 ms: ten stretches never come.
        if not 100 <= frame < 110:
            far_end.take(frame * FRAME_S + 0.001)
    assert far_end.slips == 1
    assert abs(far_end.level_s - TARGET_S) < 0.003


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 0.4)), max_size=200))
def test_whatever_the_threads_do_a_stretch_comes_out(steps: list[tuple[bool, float]]) -> None:
    far_end, now = FarEnd(), 0.0
    for put, pause_s in steps:
        now += pause_s**3
        if put:
            far_end.put(sine(1).data, now)
        else:
            out = far_end.take(now)
            assert out.shape == (480,)
            assert out.dtype == np.float32
            assert np.all(np.abs(out) < 12_000)


def test_two_threads_at_once() -> None:
    far_end, stop = FarEnd(), threading.Event()

    def speak() -> None:
        frame = 0
        while not stop.is_set():
            far_end.put(sine(frame % 100).data, frame * FRAME_S)
            frame += 1

    thread = threading.Thread(target=speak, name="speaker", daemon=True)
    thread.start()
    for heard in range(2000):
        assert np.all(np.abs(far_end.take(heard * FRAME_S)) < 12_000)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
