# SPDX-License-Identifier: GPL-3.0-or-later
"""What is used of the processing, by what is wanted and what is there."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from callagent.media.audio_processing import (
    EchoCancellation,
    NoiseSuppression,
    ProcessingSettings,
    rnnoise,
    webrtc,
)
from callagent.media.audio_processing.choice import (
    NO_CANCELLER,
    NO_NETWORK,
    NO_SUPPRESSION,
    TOO_SLOW,
    lighter,
    make_chain,
    missing,
    missing_here,
)
from callagent.media.audio_processing.contract import Effort, ProcessingError

NOTHING = ProcessingSettings(EchoCancellation.OFF, NoiseSuppression.OFF, gain_control=False, high_pass=False)
STRETCH = (np.random.default_rng(1).standard_normal(480) * 3000).astype(np.int16)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine for which there are no wheels."""
    monkeypatch.setattr(webrtc, "_PACKAGE", "no_such_package.rtc")
    monkeypatch.setattr(rnnoise, "_places", lambda: ["/nowhere/librnnoise.so"])
    monkeypatch.setattr(rnnoise, "_SYSTEM_LIBRARY", "no_such_library")


def test_with_everything_there_nothing_is_missing() -> None:
    chain, problems = make_chain(ProcessingSettings())
    assert chain.name == "full duplex"
    assert problems == missing_here(ProcessingSettings()) == []


@pytest.mark.usefixtures("bare")
def test_without_a_canceller_it_is_half_duplex_and_says_so() -> None:
    chain, problems = make_chain(ProcessingSettings())
    assert chain.name == "half duplex"
    assert [problem.split(" (")[0] for problem in problems] == [NO_CANCELLER, NO_SUPPRESSION]
    assert "no_such_package" in problems[0]
    assert missing_here(ProcessingSettings()) == [NO_CANCELLER, NO_SUPPRESSION]
    loud = np.full(480, 5000, np.float32)
    for _ in range(3):
        chain.far_end(loud)
        out = chain.capture(STRETCH)
    assert np.abs(out).max() < np.abs(STRETCH).max() / 25
    assert chain.figures() == {"processing": "half duplex", "delay_ms": 0}


@pytest.mark.usefixtures("bare")
def test_half_duplex_by_choice_is_no_problem() -> None:
    wanted = replace(NOTHING, echo_cancellation=EchoCancellation.HALF_DUPLEX)
    chain, problems = make_chain(wanted)
    assert (chain.name, problems) == ("half duplex", [])


@pytest.mark.usefixtures("bare")
def test_all_off_hands_on_the_very_samples() -> None:
    chain, problems = make_chain(NOTHING)
    assert problems == []
    chain.far_end(np.full(480, 5000, np.float32))
    assert np.array_equal(chain.capture(STRETCH), STRETCH)
    assert chain.latency_s == 0.0


@pytest.mark.usefixtures("bare")
def test_strong_suppression_without_its_network_is_said() -> None:
    with pytest.raises(ProcessingError):
        rnnoise.RnNoise()
    strong = ProcessingSettings(noise_suppression=NoiseSuppression.STRONG)
    assert missing(strong, apm=True, network=False) == [NO_NETWORK]
    assert missing(strong, apm=True, network=True) == []
    assert missing(strong, apm=False, network=True) == [NO_CANCELLER, NO_SUPPRESSION]
    assert missing(replace(strong, gain_control=False), apm=False, network=True) == [NO_CANCELLER]


def test_each_switch_works_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    noise = (np.random.default_rng(1).standard_normal((300, 480)) * 1000).astype(np.int16)
    hum = (5000 * np.sin(2 * np.pi * 20 * np.arange(300 * 480) / 48_000)).astype(np.int16).reshape(300, 480)
    quiet = (noise // 20).astype(np.int16)

    def gain_db(
        settings: ProcessingSettings, stretches: np.ndarray[tuple[int, int], np.dtype[np.int16]]
    ) -> float:
        chain, problems = make_chain(settings)
        assert problems == []
        out = np.array([chain.capture(stretch) for stretch in stretches])
        power = [np.mean(sound[150:].astype(float) ** 2) for sound in (out, stretches)]
        return float(10 * np.log10(power[0] / power[1]))

    assert abs(gain_db(NOTHING, noise)) < 0.1
    assert gain_db(replace(NOTHING, noise_suppression=NoiseSuppression.NORMAL), noise) < -6
    assert gain_db(replace(NOTHING, high_pass=True), hum) < -10
    voice = 1000 * np.sin(2 * np.pi * 500 * np.arange(300 * 480) / 48_000)
    assert abs(gain_db(replace(NOTHING, high_pass=True), voice.astype(np.int16).reshape(300, 480))) < 1
    assert gain_db(replace(NOTHING, gain_control=True), quiet) > 3


@pytest.mark.parametrize(
    ("effort", "name", "said"),
    [
        (Effort.FILTER, "full duplex", TOO_SLOW[Effort.FILTER]),
        (Effort.MODULE, "full duplex", TOO_SLOW[Effort.MODULE]),
        (Effort.HALF_DUPLEX, "half duplex", f"{TOO_SLOW[Effort.HALF_DUPLEX]}: half duplex"),
    ],
)
def test_a_slow_machine_is_told_what_is_left_out(effort: Effort, name: str, said: str) -> None:
    chain, problems = make_chain(ProcessingSettings(noise_suppression=NoiseSuppression.STRONG), effort)
    assert (chain.name, problems) == (name, [said])


def test_what_is_not_wanted_cannot_be_left_out() -> None:
    assert lighter(NOTHING, Effort.NETWORK) is None
    assert lighter(ProcessingSettings(), Effort.NETWORK) is Effort.MODULE
    assert lighter(replace(NOTHING, high_pass=True), Effort.NETWORK) is Effort.HALF_DUPLEX
    assert lighter(replace(NOTHING, high_pass=True), Effort.HALF_DUPLEX) is None
