# SPDX-License-Identifier: GPL-3.0-or-later
"""Microphone and speaker slots: an unbroken cadence whatever happens behind them."""

import itertools
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from callagent.devices.virtual import VirtualMicrophone, VirtualSpeaker
from callagent.media import MicrophoneSlot, SpeakerSlot
from callagent.media.tenancy import Tenancy
from callagent.ports import AudioFrame, SourceState
from tests.clock import HandClock
from tests.unit.media.collector import Collector, Watch


@pytest.fixture
def microphone_slot() -> Iterator[MicrophoneSlot]:
    slot = MicrophoneSlot()
    yield slot
    slot.stop()
    slot.wait_closed(5)


@pytest.fixture
def speaker_slot() -> Iterator[SpeakerSlot]:
    slot = SpeakerSlot()
    yield slot
    slot.stop()
    slot.wait_closed(5)


def samples(frame: AudioFrame) -> NDArray[np.int16]:
    return np.frombuffer(frame.samples, np.int16)


def test_cadence_is_unbroken_through_swaps_losses_and_silence(microphone_slot: MicrophoneSlot) -> None:
    got: Collector[AudioFrame] = Collector()
    microphone_slot.subscribe(got)
    started = time.monotonic()
    microphone_slot.start()
    got.wait_more(20)
    for _ in range(4):
        microphone = VirtualMicrophone()
        microphone_slot.set_source(microphone)
        got.wait_until(lambda: bool(samples(got.frames[-1]).any()))
        got.wait_more(10)
        microphone.fail("unplugged", absent=True)
        got.wait_until(lambda: not samples(got.frames[-1]).any())
        got.wait_more(10)
    frozen = VirtualMicrophone()
    microphone_slot.set_source(frozen)
    got.wait_until(lambda: bool(samples(got.frames[-1]).any()))
    frozen.freeze()
    got.wait_more(30)
    microphone_slot.stop()
    elapsed = time.monotonic() - started
    expected = elapsed / 0.01
    # Silence waits 60 ms for a late microphone; beyond that the count follows the time.
    assert expected - 15 <= len(got.frames) <= expected + 8
    assert all(f.rate_hz == 48000 and f.channels == 1 and len(f.samples) == 480 for f in got.frames)
    captured = [frame.capture_time for frame in got.frames]
    assert all(a < b for a, b in itertools.pairwise(captured))


def test_mute_is_exact_zeros_and_unmute_brings_it_back(microphone_slot: MicrophoneSlot) -> None:
    got: Collector[AudioFrame] = Collector()
    microphone_slot.subscribe(got)
    microphone_slot.set_source(VirtualMicrophone(level_dbfs=-3))
    microphone_slot.start()
    got.wait_until(lambda: bool(samples(got.frames[-1]).any()))
    microphone_slot.muted = True
    muted_from = len(got.frames)
    got.wait_more(30)
    assert all(not samples(frame).any() for frame in got.frames[muted_from:])
    assert microphone_slot.state is SourceState.LIVE
    microphone_slot.muted = False
    unmuted_from = len(got.frames)
    got.wait_more(10)
    assert all(samples(frame).any() for frame in got.frames[unmuted_from + 1 :])


def test_a_stalled_microphone_is_reported(microphone_slot: MicrophoneSlot) -> None:
    watch = Watch()
    microphone_slot.on_change = watch
    microphone = VirtualMicrophone()
    microphone_slot.set_source(microphone)
    microphone_slot.start()
    watch.until(lambda: microphone_slot.state is SourceState.LIVE)
    microphone.freeze()
    watch.until(lambda: microphone_slot.state is SourceState.FAILED)
    assert "no sound" in microphone_slot.reason
    microphone.thaw()
    watch.until(lambda: microphone_slot.state is SourceState.LIVE)


def test_nothing_after_stop(microphone_slot: MicrophoneSlot) -> None:
    got: Collector[AudioFrame] = Collector()
    microphone_slot.subscribe(got)
    microphone = VirtualMicrophone()
    microphone_slot.set_source(microphone)
    microphone_slot.start()
    got.wait(10)
    microphone_slot.stop()
    count = len(got.frames)
    assert microphone_slot.wait_closed(5)
    assert microphone.state is SourceState.OFF
    assert len(got.frames) == count


@pytest.mark.parametrize("period_ms", [10, 40, 60])
def test_a_long_period_is_no_gap(period_ms: int) -> None:
    """50 ms late beyond its period is late enough for a machine that is busy."""
    clock = HandClock()
    slot = MicrophoneSlot(period_s=period_ms / 1000, clock=clock)
    got: Collector[AudioFrame] = Collector()
    slot.subscribe(got)
    source = VirtualMicrophone()
    tenancy = Tenancy(source, lambda: None, lambda *_: None, None)
    slot._wanted, slot._tenancy, slot._source = True, tenancy, source
    slot._position = clock.seconds
    sound = np.ones(480, np.int16)
    for number, late_ms in enumerate((0, 0, 45, 0, 40, 45, 0)):
        arrival = 100.0 + (number * period_ms + late_ms) / 1000
        while clock.seconds < arrival - 1e-9:
            clock.seconds += 0.001
            slot._fill(clock.seconds)
        for _ in range(period_ms // 10):
            slot._put_live(tenancy, AudioFrame(sound.data, 48_000, 1, clock.seconds))
    assert all(samples(frame).all() for frame in got.frames)
    assert len(got.frames) == 7 * period_ms // 10


class Counting:
    """A voice that counts how often it is asked, in ramps that show a lost or doubled stretch."""

    def __init__(self) -> None:
        self.taken = 0
        self.changed = threading.Condition()

    def take(self) -> NDArray[np.int16]:
        with self.changed:
            self.taken += 1
            self.changed.notify_all()
            return np.full(480, self.taken, np.int16)

    def wait(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.taken >= count, 10)


def test_speaker_slot_consumes_in_real_time_with_and_without_a_speaker(speaker_slot: SpeakerSlot) -> None:
    voice = Counting()
    speaker_slot.mixer.attach(voice)
    started = time.monotonic()
    speaker_slot.start()
    voice.wait(30)
    first, second = VirtualSpeaker("first"), VirtualSpeaker("second")
    speaker_slot.set_source(first)
    voice.wait(voice.taken + 30)
    speaker_slot.set_source(second)
    voice.wait(voice.taken + 30)
    second.fail("broken")
    voice.wait(voice.taken + 30)
    speaker_slot.set_source(None, "No speaker")
    voice.wait(voice.taken + 30)
    speaker_slot.stop()
    expected = (time.monotonic() - started) / 0.01
    assert expected - 25 <= voice.taken <= expected + 12
    heard = [int(value) for value in first.recent()[::480]]
    heard = [value for value in heard if value]
    assert heard == list(range(heard[0], heard[0] + len(heard))), "every stretch once and in order"
    assert second.recent().any()


def test_volume_applies_to_the_call_only(speaker_slot: SpeakerSlot) -> None:
    call, own = Counting(), Counting()
    speaker_slot.mixer.attach(call)
    call.taken = 10_000
    speaker_slot.volume = 50
    assert int(np.frombuffer(speaker_slot.mixer.pull(), np.int16)[0]) == 2500
    speaker_slot.volume = 0
    speaker_slot.mixer.attach(own, follows_volume=False)
    assert int(np.frombuffer(speaker_slot.mixer.pull(), np.int16)[0]) == 1
    speaker_slot.volume = 1000
    assert speaker_slot.volume == 100


def test_a_resting_speaker_is_open_while_something_sounds(
    speaker_slot: SpeakerSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callagent.media.speaker_slot.REST_S", 0.3)
    speaker, voice = VirtualSpeaker(), Counting()
    watch = speaker_slot.on_change = Watch()
    speaker_slot.set_source(speaker)
    speaker_slot.rest()
    assert not speaker_slot.wanted
    for _ in range(2):
        speaker_slot.mixer.attach(voice)
        watch.until(lambda: speaker_slot.state is SourceState.LIVE)
        voice.wait(voice.taken + 40)
        assert speaker_slot.state is SourceState.LIVE, "as long as it sounds"
        speaker_slot.mixer.detach(voice)
        left = time.monotonic()
        watch.until(lambda: speaker_slot.state is SourceState.OFF)
        assert time.monotonic() - left >= 0.25
        assert speaker_slot.wait_closed(5)
    assert speaker.recent().any()


def test_a_speaker_held_by_a_call_does_not_rest(
    speaker_slot: SpeakerSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callagent.media.speaker_slot.REST_S", 0.1)
    watch = speaker_slot.on_change = Watch()
    speaker_slot.set_source(VirtualSpeaker())
    speaker_slot.rest()
    speaker_slot.start()
    watch.until(lambda: speaker_slot.state is SourceState.LIVE)
    voice = Counting()
    speaker_slot.mixer.attach(voice)
    voice.wait(1)
    speaker_slot.mixer.detach(voice)
    with pytest.raises(AssertionError):
        watch.until(lambda: speaker_slot.state is SourceState.OFF, 0.5)
    speaker_slot.rest()
    watch.until(lambda: speaker_slot.state is SourceState.OFF)


def test_a_stopped_speaker_is_not_opened_by_a_voice(speaker_slot: SpeakerSlot) -> None:
    speaker_slot.set_source(VirtualSpeaker())
    speaker_slot.rest()
    speaker_slot.stop()
    speaker_slot.mixer.attach(Counting())
    assert not speaker_slot.wanted
