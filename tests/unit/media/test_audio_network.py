# SPDX-License-Identifier: GPL-3.0-or-later
"""A voice over bad networks and other clocks: on time, without gaps, without clicks."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.audio_network import (
    Heard,
    Path,
    Speech,
    harshest,
    listen,
    longest_gap_s,
    losses,
    mouth_to_ear,
    speech,
)
from callagent.media.opus import OpusDecoder
from callagent.media.playout.audio_core import AudioPlayoutCore
from callagent.media.sound import FRAME_SAMPLES, RATE_HZ, Samples
from callagent.ports import ReceivedPacket
from tests.unit.media.numbered_tone import TONE_HZ, NumberedTone


@pytest.fixture(scope="module")
def said() -> Speech:
    return speech(10.0)


def test_on_a_clean_network_sound_is_heard_40_ms_after_it_was_spoken(said: Speech) -> None:
    heard = listen(Path(), 20, said.payload)
    settled = mouth_to_ear(heard, said.original)[10:]
    assert np.quantile(settled, 0.95) < 0.060
    assert heard.core.counters.concealed_samples == 0
    assert heard.target_s[-1] == pytest.approx(0.02)
    # What the playout believes is what is heard: 20 ms of packet and 6.5 ms of codec more.
    assert np.median(settled) == pytest.approx(np.median(heard.delay_s[1000:]) + 0.0265, abs=0.008)


def test_at_5_percent_loss_and_20_ms_jitter_no_word_is_missing(said: Speech) -> None:
    heard = listen(Path(loss=0.05, jitter_s=0.02), 40, said.payload)
    assert longest_gap_s(heard, said.original) <= 0.060
    counters = heard.core.counters
    assert counters.lost > 50
    assert counters.recovered > 0.5 * counters.lost
    assert np.quantile(mouth_to_ear(heard, said.original)[10:], 0.95) < 0.150


@pytest.mark.parametrize(
    "path",
    [Path(jitter_s=0.1), Path(loss=0.05, jitter_s=0.02), Path(loss=0.2, burst=2), Path(sender_ppm=200)],
    ids=["jitter", "loss", "bursts", "drift"],
)
def test_speech_has_no_clicks_that_a_clean_network_has_not(said: Speech, path: Path) -> None:
    clean, heard = (listen(each, 20, said.payload) for each in (Path(), path))
    assert harshest(heard.sound) < 1.5 * harshest(clean.sound)


def test_what_measures_the_sound_finds_what_is_put_in(said: Speech) -> None:
    heard = listen(Path(), 10, said.payload)
    delay, gap, click = (
        mouth_to_ear(heard, said.original),
        longest_gap_s(heard, said.original),
        harshest(heard.sound),
    )
    later = np.concatenate((np.zeros(4800, np.int16), heard.sound[:-4800]))
    heard.sound = later
    assert np.median(mouth_to_ear(heard, said.original) - delay) == pytest.approx(0.1, abs=0.001)
    assert gap < 0.02
    later[5 * RATE_HZ :][: int(0.07 * RATE_HZ)] = 0
    assert longest_gap_s(heard, said.original) == pytest.approx(0.07, abs=0.011)
    later[6 * RATE_HZ : 6 * RATE_HZ + 2] += 3000
    assert harshest(later) > 1.5 * click


def test_the_simulated_network_loses_what_it_should() -> None:
    for path in (Path(loss=0.05), Path(loss=0.2, burst=3)):
        lost = losses(path, 100_000, np.random.default_rng(1))
        assert np.mean(lost) == pytest.approx(path.loss, rel=0.1)
        runs = sum(now and not before for before, now in zip([False, *lost], lost, strict=False))
        assert sum(lost) / runs == pytest.approx(path.burst if path.burst > 1 else 1 / (1 - 0.05), rel=0.1)


def test_a_clock_200_ppm_off_is_followed_without_a_step() -> None:
    ends = []
    for ppm in (200.0, -200.0):
        heard = listen(Path(sender_ppm=ppm, jitter_s=0.003), 180, NumberedTone.payload, NumberedTone())
        # Uncompensated, the delay would have wandered by 24 ms.
        later = heard.delay_s[60 * 100 :]
        assert later.max() - later.min() < 0.010
        assert heard.core.counters.concealed_samples == 0
        assert heard.core.counters.skipped == 0
        assert heard.core.drift_ppm == pytest.approx(ppm, abs=60)
        ends.append(float(later[-1]))
    assert abs(ends[0] - ends[1]) < 0.010


@pytest.mark.parametrize(
    "path",
    [
        Path(),
        Path(sender_ppm=200),
        Path(jitter_s=0.1),
        Path(jitter_s=0.03, loss=0.03),
        Path(jitter_s=0.005, tremble_s=0.003),
    ],
    ids=["clean", "drift", "jitter", "loss", "late pulls"],
)
def test_a_tone_comes_through_without_clicks(path: Path) -> None:
    heard = listen(path, 40, NumberedTone.payload, NumberedTone())
    sound = smooth(heard)
    # The second difference of a tone is bounded; a click of 1 % of it would be seen.
    steepest = 8000 * (2 * np.pi * TONE_HZ / RATE_HZ) ** 2
    assert np.abs(np.diff(sound, 2)).max() < 1.5 * steepest
    last = sound[-8 * RATE_HZ :]
    power = np.abs(np.fft.rfft(last * np.hanning(len(last)))) ** 2
    peak = int(power.argmax())
    assert abs(peak / 8 - TONE_HZ) < 1.0
    tone = power[peak - 160 : peak + 160].sum()
    assert 10 * np.log10(tone / (power.sum() - tone)) > 50


def smooth(heard: Heard) -> NDArray[np.float64]:
    """The sound after the first second, without what surrounds concealed stretches (the stub has none)."""
    assert heard.core.counters.concealed_samples <= 0.01 * len(heard.sound)
    sound = heard.sound[RATE_HZ:].astype(np.float64)
    quiet = np.abs(sound).reshape(-1, 480).max(axis=1) < 4000
    keep = ~(quiet | np.roll(quiet, 1) | np.roll(quiet, -1))
    runs = np.split(np.arange(len(keep))[keep], np.flatnonzero(np.diff(np.flatnonzero(keep)) > 1) + 1)
    longest = max(runs, key=len)
    assert len(longest) > 800, "8 s"
    return sound[longest[0] * 480 : (longest[-1] + 1) * 480]


def test_half_a_correction_joins_what_was_made_up_without_an_edge(said: Speech) -> None:
    def hear(lost_every: int) -> tuple[Samples, AudioPlayoutCore]:
        core = AudioPlayoutCore(OpusDecoder())
        parts: list[Samples] = []
        for number in range(1000):
            lost, after = (number % lost_every == place for place in (60, 61))
            packet = ReceivedPacket(number, number * 960, said.payload(number), number * 0.02, None)
            for half in range(2):
                # The packet after a lost one comes when half of the lost one had to be made up already.
                if not lost and half == (1 if after else 0):
                    core.put(packet)
                samples = core.take(number * 0.02 + half * 0.01)
                parts.append(np.zeros(FRAME_SAMPLES, np.int16) if samples is None else samples)
        return np.concatenate(parts), core

    clean, _ = hear(10**9)
    joined, core = hear(70)
    assert core.counters.recovered >= 5
    assert 0 < core.counters.concealed_samples < 960 * core.counters.lost
    assert harshest(joined, 2.0) < 1.5 * harshest(clean, 2.0)
