# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual devices keep their contracts, their pace and their faults."""

import json
import threading
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from callagent.devices.errors import CAMERA_OCCUPY, MIC_OCCUPY, SPEAKER_FAIL
from callagent.devices.virtual import VirtualCamera, VirtualMicrophone, VirtualScreen, VirtualSpeaker
from callagent.ports import AudioFrame, SourceError, SourceState, VideoFrame, VideoMode
from tests.unit.states import state_of


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


class Sink:
    """Keeps what is put, and lets a test wait for so many of it."""

    def __init__(self) -> None:
        self.frames: list[AudioFrame | VideoFrame] = []
        self.changed = threading.Condition()

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        with self.changed:
            self.frames.append(frame)
            self.changed.notify_all()

    def wait(self, count: int, timeout_s: float = 10.0) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.frames) >= count, timeout_s)


def test_camera_to_screen_with_record(tmp_path: Path) -> None:
    record = tmp_path / "screen.jsonl"
    camera, screen = VirtualCamera(ident=5), VirtualScreen(record)
    assert state_of(camera) is SourceState.OFF
    assert camera.open(VideoMode(321, 241, 30), screen) == VideoMode(320, 240, 30)
    assert screen.wait_read(20, 10)
    assert state_of(camera) is SourceState.LIVE
    camera.close()
    screen.close()
    counters = [reading.code.counter for reading in screen.readings()]
    assert counters == sorted(set(counters))
    assert screen.last_code is not None
    assert screen.last_code.ident == 5
    assert screen.unreadable == 0
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert [line["counter"] for line in lines] == counters
    assert set(lines[0]) == {"time", "counter", "ident", "clock_ms", "width", "height", "latency_ms"}
    assert (lines[0]["width"], lines[0]["height"], lines[0]["ident"]) == (320, 240, 5)


def test_camera_keeps_its_rate_without_drift() -> None:
    camera, sink = VirtualCamera(), Sink()
    camera.open(VideoMode(64, 32, 100), sink)
    started = time.monotonic()
    sink.wait(150)
    elapsed = time.monotonic() - started
    camera.close()
    assert 1.4 <= elapsed < 3.0
    times = [frame.capture_time for frame in sink.frames]
    assert times == sorted(times)


def test_camera_faults() -> None:
    camera, sink = VirtualCamera(), Sink()
    camera.occupied = True
    with pytest.raises(SourceError) as caught:
        camera.open(VideoMode(), sink)
    assert caught.value.code == CAMERA_OCCUPY
    camera.occupied = False
    camera.open(VideoMode(64, 32, 50), sink)
    sink.wait(2)
    assert not camera.wait_ended(0)
    camera.fail("pulled out", absent=True)
    assert camera.wait_ended(5)
    assert (camera.state, camera.reason) == (SourceState.ABSENT, "pulled out")
    camera.close()
    camera.close()
    count = len(sink.frames)
    camera.open(VideoMode(64, 32, 50), sink)
    sink.wait(count + 2)
    camera.freeze()
    assert state_of(camera) is SourceState.LIVE
    assert not camera.wait_ended(0.1)
    frozen_at = len(sink.frames)
    camera.thaw()
    sink.wait(frozen_at + 2)
    camera.close()
    assert state_of(camera) is SourceState.OFF


def test_nothing_is_put_after_close() -> None:
    camera, sink = VirtualCamera(), Sink()
    camera.open(VideoMode(64, 32, 200), sink)
    sink.wait(3)
    camera.close()
    count = len(sink.frames)
    assert not threading.Event().wait(0.05)
    assert len(sink.frames) == count


def samples_of(sink: Sink) -> NDArray[np.int16]:
    return np.concatenate(
        [np.frombuffer(f.samples, np.int16) for f in sink.frames if isinstance(f, AudioFrame)]
    )


PERIODS_MS = pytest.mark.parametrize("period_ms", [10, 60])


@PERIODS_MS
def test_microphone_tone_is_pure_and_of_the_level_asked_for(period_ms: int) -> None:
    microphone, sink = VirtualMicrophone(tone_hz=440.0, level_dbfs=-12.0, period_ms=period_ms), Sink()
    microphone.open(sink)
    sink.wait(50)
    microphone.close()
    assert {len(frame.samples) for frame in sink.frames if isinstance(frame, AudioFrame)} == {480}
    samples = samples_of(sink)[: 480 * 50].astype(float)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    peak = int(spectrum.argmax()) * 48000 / len(samples)
    assert abs(peak - 440) < 5
    assert abs(20 * np.log10(np.abs(samples).max() / 32767) + 12) < 0.1
    away = np.concatenate((spectrum[: spectrum.argmax() - 10], spectrum[spectrum.argmax() + 10 :]))
    assert 20 * np.log10(spectrum.max() / away.max()) > 60, "a click at a frame's edge would show"


def test_microphone_speech_has_syllables_and_pauses() -> None:
    microphone, sink = VirtualMicrophone(speech=True, level_dbfs=-6), Sink()
    microphone.open(sink)
    sink.wait(200, 15)
    microphone.close()
    samples = samples_of(sink).astype(float)
    loudness = np.sqrt((samples[: len(samples) // 2400 * 2400].reshape(-1, 2400) ** 2).mean(axis=1))
    assert loudness.max() > 1000
    assert loudness.min() < 1, "a pause of a whole syllable"


def test_microphone_and_speaker_may_be_occupied() -> None:
    microphone, speaker = VirtualMicrophone(), VirtualSpeaker()
    microphone.occupied = speaker.occupied = True
    with pytest.raises(SourceError) as caught:
        microphone.open(Sink())
    assert caught.value.code == MIC_OCCUPY
    with pytest.raises(SourceError) as caught:
        speaker.open(lambda: memoryview(bytes(960)).cast("h"))
    assert caught.value.code == SPEAKER_FAIL


@PERIODS_MS
def test_speaker_pulls_in_real_time_and_records(tmp_path: Path, period_ms: int) -> None:
    path = tmp_path / "heard.wav"
    speaker = VirtualSpeaker(record=path, period_ms=period_ms)
    pulled = threading.Semaphore(0)
    count = 0

    def pull() -> memoryview:
        nonlocal count
        count += 1
        pulled.release()
        return np.full(480, count, np.int16).data

    started = time.monotonic()
    speaker.open(pull)
    for _ in range(120):
        assert pulled.acquire(timeout=5)
    assert time.monotonic() - started >= 1.1
    with wave.open(str(path)) as running:
        assert running.getnframes() >= 480 * 50, "readable while it grows"
    speaker.close()
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48000, 1, 2)
        heard = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert heard.tolist() == np.repeat(np.arange(1, count + 1), 480).tolist()
    assert speaker.recent(0.02).tolist() == [count - 1] * 480 + [count] * 480
    assert speaker.played_s == pytest.approx(count * 0.01)


def test_speaker_opened_again_goes_on_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "heard.wav"
    speaker = VirtualSpeaker(record=path)
    for _ in range(2):
        pulled = threading.Event()

        def pull(pulled: threading.Event = pulled) -> memoryview:
            pulled.set()
            return np.ones(480, np.int16).data

        speaker.open(pull)
        assert pulled.wait(5)
        speaker.close()
    with wave.open(str(path)) as file:
        assert file.getnframes() == round(speaker.played_s * 48000) >= 960


def test_speaker_whose_file_cannot_be_written_fails(tmp_path: Path) -> None:
    speaker = VirtualSpeaker(record=tmp_path / "no" / "such" / "folder.wav")
    speaker.open(lambda: memoryview(bytes(960)).cast("h"))
    assert speaker.wait_ended(5)
    assert state_of(speaker) is SourceState.FAILED
    speaker.close()
