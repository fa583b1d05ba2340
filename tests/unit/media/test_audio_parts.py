# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playout is made of: delay, drift, time scale, order."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.speech import voice
from callagent.media.playout.audio_buffer import MAX_SAMPLES, PacketBuffer
from callagent.media.playout.audio_delay import (
    MAX_TARGET_S,
    MIN_TARGET_S,
    DriftControl,
    NetworkDelay,
    PullClock,
    WindowMinimum,
)
from callagent.media.playout.audio_resample import DriftResampler
from callagent.media.playout.audio_stretch import lengthen, shorten
from callagent.media.sound import RATE_HZ, Samples
from callagent.ports import ReceivedPacket


def tone(frequency_hz: float, count: int, level: float = 8000.0) -> Samples:
    wave: Samples = (level * np.sin(2 * np.pi * frequency_hz * np.arange(count) / RATE_HZ)).astype(np.int16)
    return wave


# --- delay --------------------------------------------------------------------------


@given(values=st.lists(st.integers(-100, 100), min_size=1, max_size=60), span=st.integers(0, 10))
def test_the_minimum_is_that_of_the_window(values: list[int], span: int) -> None:
    window = WindowMinimum(span)
    assert window.value is None
    for place, value in enumerate(values):
        assert window.add(place, value) == min(values[max(0, place - span) : place + 1]) == window.value


def arrive(network: NetworkDelay, delays_s: Sequence[float] | NDArray[np.float64], start: int = 0) -> int:
    for number, delay in enumerate(delays_s, start):
        network.arrived(number * 0.02, 5.0 + number * 0.02 + delay)
    return start + len(delays_s)


def test_the_target_covers_nearly_all_packets_of_a_network_and_no_more() -> None:
    random = np.random.default_rng(3)
    for jitter in (0.0, 0.01, 0.03, 0.1):
        network = NetworkDelay()
        delays = random.uniform(0, jitter, 3000)
        arrive(network, delays)
        assert network.base == pytest.approx(5.0, abs=0.002 + jitter / 20)
        covered = np.mean(delays + 0.01 <= network.target_s)
        assert covered > 0.98
        assert network.target_s <= max(MIN_TARGET_S, jitter + 0.015)


def test_one_late_packet_raises_the_target_at_once_and_wears_off() -> None:
    network = NetworkDelay()
    end = arrive(network, [0.0] * 1000)
    assert network.target_s == MIN_TARGET_S
    end = arrive(network, [0.15], end)
    assert network.target_s == pytest.approx(0.163, abs=0.001)
    end = arrive(network, [0.0] * 50, end)
    assert network.target_s > 0.12
    arrive(network, [0.0] * 700, end)
    assert network.target_s < 0.03


def test_a_longer_way_is_a_new_base_not_a_longer_delay() -> None:
    network = NetworkDelay()
    end = arrive(network, [0.0] * 500)
    end = arrive(network, [0.08] * 400, end)
    assert network.base == pytest.approx(5.08)
    assert network.target_s == MIN_TARGET_S
    # After a pause of seconds the first packet is all there is to go by, until a faster one comes.
    end = arrive(network, [3.0], end)
    assert network.base == pytest.approx(8.0)
    arrive(network, [2.98, 2.96, 0.1, 0.1], end)
    assert network.base == pytest.approx(5.1)


def test_a_sender_whose_clock_stood_still_is_noticed_within_half_a_second() -> None:
    network = NetworkDelay()
    for number in range(500):
        network.arrived(number * 0.02, number * 0.02)
    # Every other packet goes a way that takes a second longer: the base stays.
    for arrival, sent in sorted((number * 0.02 + number % 2, number * 0.02) for number in range(500, 600)):
        network.arrived(sent, arrival)
        assert arrival > 12 or network.base == pytest.approx(0, abs=1e-9)
    for number in range(600, 660):
        network.arrived(number * 0.02, number * 0.02 + 1)
    assert network.base == pytest.approx(1.0)


@given(delays=st.lists(st.floats(-20, 20), max_size=200))
def test_whatever_arrives_the_target_stays_in_its_bounds(delays: list[float]) -> None:
    network = NetworkDelay()
    for number, delay in enumerate(delays):
        network.arrived(number * 0.02, 100 + number * 0.02 + delay)
        assert MIN_TARGET_S <= network.target_s <= MAX_TARGET_S


def test_repeated_losses_make_room_for_their_correction_for_a_while() -> None:
    network = NetworkDelay()
    arrive(network, [0.0] * 1000)
    network.missed(20.0, 0.02, has_fec=True)
    assert network.target_s == MIN_TARGET_S, "one is no habit"
    network.missed(50.0, 0.02, has_fec=True)
    assert network.target_s == MIN_TARGET_S
    network.missed(51.0, 0.02, has_fec=False)
    assert network.target_s == MIN_TARGET_S, "there is no correction to wait for"
    network.missed(52.0, 0.02, has_fec=True)
    assert network.target_s == pytest.approx(0.033, abs=0.001)
    network.passed(61.0)
    assert network.target_s > MIN_TARGET_S
    network.passed(63.0)
    assert network.target_s == MIN_TARGET_S


def test_the_pull_clock_sees_through_a_trembling_thread_and_follows_the_card() -> None:
    random = np.random.default_rng(4)
    clock = PullClock()
    errors = []
    for pull in range(60_000):
        beat = 100 + pull * 0.01 * (1 + 150e-6)
        late = random.exponential(0.004) if pull % 3 else 0.0
        errors.append(clock.tick(beat + late) - beat)
    settled = np.abs(errors[500:])
    assert settled.max() < 0.001
    for pull in range(10):
        assert clock.tick(800 + pull * 0.0001) <= 800 + pull * 0.0001, "after a pause, all at once"
    for pull in range(250):
        ticked = clock.tick(800.1 + pull * 0.01)
    assert ticked == pytest.approx(800.1 + 249 * 0.01, abs=0.001)


@pytest.mark.parametrize("ppm", [-300, -20, 0, 200])
def test_the_drift_is_found_and_its_delay_undone(ppm: int) -> None:
    control, error = DriftControl(), 0.004
    for _ in range(100 * 240):
        error += 0.01 * (ppm * 1e-6 - control.update(error))
        assert abs(error) < 0.006
    assert abs(error) < 0.0002
    assert control.drift_ppm == pytest.approx(ppm, abs=5)


def test_a_target_far_away_is_no_drift() -> None:
    control = DriftControl()
    for _ in range(1000):
        assert control.update(0.2) == pytest.approx(0.001)
    assert control.drift_ppm == 0


# --- a few parts in a million ---------------------------------------------------------


def resample(sound: Samples, rate: float, at_once: int = 480) -> Samples:
    resampler, parts, place = DriftResampler(), [], 0
    while place + (count := resampler.needed(at_once, rate)) <= len(sound):
        parts.append(resampler.convert(sound[place : place + count], at_once, rate))
        place += count
    return np.concatenate(parts)


@given(
    parts=st.lists(
        st.tuples(st.floats(-0.001, 0.001), st.sampled_from([480, 960, 2880, 5760])), min_size=1, max_size=40
    )
)
def test_as_much_as_asked_for_and_none_is_lost_or_invented(parts: list[tuple[float, int]]) -> None:
    resampler, taken = DriftResampler(), 0
    for rate, count in parts:
        needed = resampler.needed(count, rate)
        assert len(resampler.convert(np.zeros(needed, np.int16), count, rate)) == count
        taken += needed
    assert abs(taken - sum(count * (1 + rate) for rate, count in parts)) <= 1


@pytest.mark.parametrize("rate", [0.0, 3e-6, -3e-6, 1e-4, -1e-4, 0.001, -0.001])
def test_a_packet_at_once_sounds_as_in_pieces(rate: float) -> None:
    sound = voice(1.0)
    whole, pieces = (resample(sound, rate, at_once) for at_once in (2880, 480))
    common = min(len(whole), len(pieces))
    assert common > 40_000
    difference = whole[:common].astype(int) - pieces[:common]
    assert np.abs(difference).max() <= 8
    assert np.abs(difference).mean() < 0.2


def test_at_rate_zero_it_is_the_same_sound_three_samples_later() -> None:
    sound = voice(0.1)
    # Six samples of silence stand before the first one, two of them are looked ahead over.
    assert np.array_equal(resample(sound, 0.0)[4:], sound[: 4800 - 4])


@pytest.mark.parametrize("rate", [0.0002, -0.0002, 0.001])
@pytest.mark.parametrize("frequency_hz", [300.0, 3000.0, 8000.0])
def test_a_tone_changes_its_pitch_by_so_little_and_nothing_else(frequency_hz: float, rate: float) -> None:
    heard = resample(tone(frequency_hz, 5 * RATE_HZ), rate)[480 : 480 + 4 * RATE_HZ].astype(float)
    power = np.abs(np.fft.rfft(heard * np.blackman(len(heard)))) ** 2
    peak = int(power.argmax())
    assert abs(peak / 4 - frequency_hz * (1 + rate)) <= 0.25
    near = power[peak - 40 : peak + 40].sum()
    assert 10 * np.log10(near / (power.sum() - near)) > 45
    assert 7800 < np.abs(heard).max() <= 8050


# --- time scale -----------------------------------------------------------------------


@pytest.mark.parametrize("change", [shorten, lengthen])
@pytest.mark.parametrize("frequency_hz", [110.0, 200.0, 440.0])
def test_a_period_is_left_out_or_played_twice_without_a_seam(
    change: Callable[[Samples, int], Samples], frequency_hz: float
) -> None:
    sound = tone(frequency_hz, 1440)
    changed = change(sound, 720)
    periods = abs(len(changed) - len(sound)) * frequency_hz / RATE_HZ
    assert periods > 0.9
    assert abs(periods - round(periods)) < 0.05, "whole periods"
    steepest = 8000 * (2 * np.pi * frequency_hz / RATE_HZ) ** 2
    assert np.abs(np.diff(changed.astype(float), 2)).max() < 1.3 * steepest + 2
    assert changed[0] == sound[0]
    assert changed[-1] == sound[-1]


def test_noise_is_left_alone_unless_it_is_urgent_and_silence_is_not() -> None:
    random = np.random.default_rng(5)
    noise = random.normal(0, 3000, 1440).astype(np.int16)
    assert shorten(noise, 720) is noise
    assert lengthen(noise, 720) is noise
    quiet = random.normal(0, 20, 1440).astype(np.int16)
    assert len(shorten(quiet, 500)) == 1440 - 500
    assert len(lengthen(quiet, 500)) == 1440 + 500


@given(
    values=st.lists(st.integers(-32768, 32767), max_size=60),
    count=st.integers(0, 2000),
    most=st.integers(0, 2000),
    urgent=st.booleans(),
)
def test_any_sound_changes_by_no_more_than_allowed(
    values: list[int], count: int, most: int, urgent: bool
) -> None:
    sound = np.resize(np.array(values or [0], np.int16), count)
    shorter, longer = shorten(sound, most, urgent), lengthen(sound, most, urgent)
    assert 0 <= len(sound) - len(shorter) <= min(most, 720)
    assert 0 <= len(longer) - len(sound) <= min(most, 720)


# --- order ----------------------------------------------------------------------------


@given(sequences=st.lists(st.integers(-50, 400), max_size=400))
def test_packets_come_out_in_order_once_and_bounded(sequences: list[int]) -> None:
    buffer = PacketBuffer()
    kept: set[int] = set()
    for sequence in sequences:
        packet = ReceivedPacket(sequence, sequence * 960, b"x", 0.0, None)
        assert buffer.insert(packet, 960) == (sequence not in kept)
        kept.add(sequence)
        for _ in range(buffer.trim()):
            kept.discard(min(kept))
        assert buffer.span <= MAX_SAMPLES
        assert len(buffer) == len(kept)
    out = [buffer.pop().sequence for _ in range(len(buffer))]
    assert out == sorted(kept)
    assert buffer.head is None
