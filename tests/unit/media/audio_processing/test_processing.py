# SPDX-License-Identifier: GPL-3.0-or-later
"""The way through the processing: threads, devices that change, and what stays exact."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from callagent.devices.virtual import VirtualMicrophone, VirtualSpeaker
from callagent.media import MicrophoneSlot, Sound, SoundPlayer, SpeakerSlot
from callagent.media.audio_processing import ProcessingSettings, SoundProcessing, SoundProcessor
from callagent.media.audio_processing.budget import Budget
from callagent.media.audio_processing.contract import (
    EchoCancellation,
    Effort,
    NoiseSuppression,
    ProcessingError,
    Wave,
)
from callagent.media.sound import Samples
from callagent.ports import AudioFrame
from tests.unit.media.collector import Collector


class Recorder:
    """A processor that marks what went through it, and keeps what it was told."""

    name = "recorder"
    latency_s = 0.015

    def __init__(self) -> None:
        self.far: list[Wave] = []
        self.delays_ms: list[int] = []
        self.resets = 0
        self.fail = False

    def far_end(self, samples: Wave) -> None:
        self.far.append(samples)

    def capture(self, samples: Samples) -> Samples:
        if self.fail:
            raise ProcessingError("it broke")
        return np.full(480, 77, np.int16)

    def set_delay_ms(self, delay_ms: int) -> None:
        self.delays_ms.append(delay_ms)

    def reset(self) -> None:
        self.resets += 1

    def figures(self) -> dict[str, float | int | str]:
        return {"processing": self.name}


class Maker:
    def __init__(self) -> None:
        self.made: list[Recorder] = []
        self.settings: list[ProcessingSettings] = []
        self.efforts: list[Effort] = []
        self.problems: list[str] = []

    def __call__(self, settings: ProcessingSettings, effort: Effort) -> tuple[SoundProcessor, list[str]]:
        self.settings.append(settings)
        self.efforts.append(effort)
        self.made.append(Recorder())
        return self.made[-1], self.problems


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def processing(maker: Maker) -> Iterator[SoundProcessing]:
    processing = SoundProcessing(make=maker, idle_s=1.0)
    yield processing
    assert processing.wait_idle(5)


@pytest.fixture
def microphone_slot(processing: SoundProcessing) -> Iterator[MicrophoneSlot]:
    slot = MicrophoneSlot(processing=processing)
    yield slot
    slot.stop()
    slot.wait_closed(5)


@pytest.fixture
def speaker_slot(processing: SoundProcessing) -> Iterator[SpeakerSlot]:
    slot = SpeakerSlot(processing=processing)
    yield slot
    slot.stop()
    slot.wait_closed(5)


def until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.005)


def is_all(frame: AudioFrame, value: int) -> bool:
    return bool(np.all(np.frombuffer(frame.samples, np.int16) == value))


def test_all_live_sound_is_processed_and_mute_stays_exact(
    microphone_slot: MicrophoneSlot, maker: Maker
) -> None:
    got: Collector[AudioFrame] = Collector()
    microphone_slot.subscribe(got)
    microphone_slot.set_source(VirtualMicrophone(level_dbfs=-3, hears_room=True))
    microphone_slot.start()
    got.wait_until(lambda: is_all(got.frames[-1], 77))
    microphone_slot.muted = True
    muted_from = len(got.frames)
    got.wait_more(20)
    assert all(is_all(frame, 0) for frame in got.frames[muted_from:])
    microphone_slot.muted = False
    got.wait_until(lambda: is_all(got.frames[-1], 77))
    assert all(is_all(frame, 0) or is_all(frame, 77) for frame in got.frames)
    assert maker.made[0].resets == 1


def test_nothing_comes_after_the_slot_was_stopped(microphone_slot: MicrophoneSlot) -> None:
    got: Collector[AudioFrame] = Collector()
    microphone_slot.subscribe(got)
    microphone_slot.set_source(VirtualMicrophone(hears_room=True))
    microphone_slot.start()
    got.wait(20)
    microphone_slot.stop()
    count = len(got.frames)
    assert microphone_slot.wait_closed(5)
    assert len(got.frames) == count


def test_what_the_speaker_plays_is_the_far_end_ring_tones_too(
    microphone_slot: MicrophoneSlot, speaker_slot: SpeakerSlot, maker: Maker
) -> None:
    microphone_slot.set_source(VirtualMicrophone(hears_room=True))
    microphone_slot.start()
    speaker_slot.set_source(VirtualSpeaker())
    speaker_slot.start()
    player = SoundPlayer(speaker_slot)
    player.play(Sound.RINGING, loop=True)
    until(lambda: bool(maker.made) and any(np.abs(far).max() > 100 for far in maker.made[0].far[-50:]))
    player.stop()
    until(lambda: not any(far.any() for far in maker.made[0].far[-20:]))


def test_other_devices_are_told_to_the_processor(
    microphone_slot: MicrophoneSlot, speaker_slot: SpeakerSlot, maker: Maker
) -> None:
    microphone_slot.set_source(VirtualMicrophone("one", hears_room=True))
    microphone_slot.start()
    speaker_slot.set_source(VirtualSpeaker("one"))
    speaker_slot.start()

    def resets() -> int:
        return sum(each.resets for each in maker.made)

    until(lambda: resets() >= 1 and any(len(each.delays_ms) >= 2 for each in maker.made))
    before = resets()
    microphone_slot.set_source(VirtualMicrophone("two", hears_room=True), overlap=True)
    until(lambda: resets() > before)
    before = resets()
    speaker_slot.set_source(VirtualSpeaker("two"), overlap=True)
    until(lambda: resets() > before)


def test_settings_change_in_a_running_call(
    microphone_slot: MicrophoneSlot, processing: SoundProcessing, maker: Maker
) -> None:
    microphone_slot.set_source(VirtualMicrophone(hears_room=True))
    microphone_slot.start()
    until(lambda: len(maker.made) == 1)
    wanted = replace(processing.settings, echo_cancellation=EchoCancellation.HALF_DUPLEX)
    processing.change(wanted)
    until(lambda: len(maker.made) == 2)
    processing.change(wanted)
    assert maker.settings[-1] == processing.settings == wanted


def test_a_processor_that_fails_leaves_the_call_its_sound(
    microphone_slot: MicrophoneSlot,
    processing: SoundProcessing,
    maker: Maker,
    caplog: pytest.LogCaptureFixture,
) -> None:
    got: Collector[AudioFrame] = Collector()
    microphone_slot.subscribe(got)
    microphone_slot.set_source(VirtualMicrophone(level_dbfs=-3, hears_room=True))
    microphone_slot.start()
    got.wait_until(lambda: is_all(got.frames[-1], 77))
    maker.made[0].fail = True
    got.wait_until(lambda: bool(np.frombuffer(got.frames[-1].samples, np.int16).max() > 10_000))
    assert processing.problems == ["it broke; until the next call: half duplex"]
    assert processing.figures()["processing"] == "half duplex"
    assert [r.message for r in caplog.records if r.levelno == logging.WARNING] == processing.problems


def test_every_call_begins_with_a_fresh_room_and_idleness_costs_no_thread(
    processing: SoundProcessing, maker: Maker
) -> None:
    got: Collector[AudioFrame] = Collector()
    microphone = VirtualMicrophone(hears_room=True)
    frame = AudioFrame(np.zeros(480, np.int16).data, 48_000, 1, 5.0)
    for call in (1, 2):
        processing.in_front_of(microphone, got).put(frame)
        got.wait(call)
        assert processing.figures() == {"processing": "recorder"}
        assert processing.wait_idle(10)
        assert len(maker.made) == call
        assert processing.figures() == {}
    assert got.frames[0].capture_time == 5.0 - 0.015


def test_a_slow_processor_never_holds_up_the_microphone(maker: Maker) -> None:
    """Making it may take as long as loading a library does: the oldest sound is dropped meanwhile."""
    let_go = threading.Event()

    def slow(settings: ProcessingSettings, effort: Effort) -> tuple[SoundProcessor, list[str]]:
        assert let_go.wait(10)
        return maker(settings, effort)

    processing = SoundProcessing(make=slow, idle_s=1.0)
    got: Collector[AudioFrame] = Collector()
    inlet = processing.in_front_of(VirtualMicrophone(hears_room=True), got)
    for number in range(30):
        inlet.put(AudioFrame(np.zeros(480, np.int16).data, 48_000, 1, float(number)))
    let_go.set()
    got.wait_until(lambda: got.frames[-1].capture_time > 28)
    assert len(got.frames) in (10, 11)
    assert processing.dropped == 30 - len(got.frames)
    assert processing.wait_idle(10)


def test_problems_are_known_before_anything_is_loaded() -> None:
    assert SoundProcessing().problems == []


def test_a_microphone_of_software_is_not_processed(processing: SoundProcessing) -> None:
    got: Collector[AudioFrame] = Collector()
    assert processing.in_front_of(VirtualMicrophone(), got) is got


def test_a_machine_that_is_too_slow_does_less_until_the_settings_change(maker: Maker) -> None:
    """Two seconds take two seconds of the processor: in the end nothing of it is left."""
    spent = count(step=2.0)
    processing = SoundProcessing(
        replace(ProcessingSettings(), noise_suppression=NoiseSuppression.STRONG),
        make=maker,
        budget=Budget(lambda: next(spent)),
        idle_s=1.0,
    )
    got: Collector[AudioFrame] = Collector()
    inlet = processing.in_front_of(VirtualMicrophone(hears_room=True), got)
    frame = AudioFrame(np.zeros(480, np.int16).data, 48_000, 1, 5.0)
    for number in range(1000):
        inlet.put(frame)
        got.wait(number + 1)
    assert maker.efforts == [Effort.NETWORK, Effort.FILTER, Effort.MODULE, Effort.HALF_DUPLEX]
    processing.change(ProcessingSettings())
    inlet.put(frame)
    got.wait(1001)
    assert maker.efforts[-1] is Effort.NETWORK
    assert processing.wait_idle(10)


def test_sound_that_is_to_be_left_as_it_is_takes_no_way_through_a_thread(maker: Maker) -> None:
    nothing = ProcessingSettings(
        EchoCancellation.OFF, NoiseSuppression.OFF, gain_control=False, high_pass=False
    )
    processing = SoundProcessing(nothing, make=maker)
    got: Collector[AudioFrame] = Collector()
    frame = AudioFrame(np.zeros(480, np.int16).data, 48_000, 1, 5.0)
    processing.in_front_of(VirtualMicrophone(hears_room=True), got).put(frame)
    assert got.frames == [frame]
    assert maker.made == []
