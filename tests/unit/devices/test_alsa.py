# SPDX-License-Identifier: GPL-3.0-or-later
"""ALSA devices, on libasound itself with its null and file plugins in the place of a card."""

import errno
import os
import select
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.devices.alsa import AlsaMicrophone, AlsaSpeaker
from callagent.devices.alsa_errors import MICROPHONE, SPEAKER, alsa_error, errno_of
from callagent.devices.errors import (
    MIC_NOT_AUTHORIZED,
    MIC_OCCUPY,
    MIC_SET_PARAM_FAIL,
    MIC_START_FAIL,
    NO_MICROPHONE,
    SPEAKER_FAIL,
)
from callagent.devices.pcm_formats import S16, SUPPORTED, U8, from_s16, to_s16
from callagent.devices.resampling import MonoResampler
from callagent.ports import AudioFrame, SourceError, SourceState
from tests.covers import covers
from tests.unit.states import state_of

SILENCE = memoryview(bytes(960)).cast("h")


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PCMs that need no hardware: nothing, and a microphone that hears a file."""
    heard = tmp_path / "heard.raw"
    time_line = np.arange(48_000 * 2) / 48_000
    heard.write_bytes((9000 * np.sin(2 * np.pi * 500 * time_line)).astype("<i2").tobytes())
    (tmp_path / "asound.conf").write_text(
        f"""
        pcm.nothing {{ type null }}
        pcm.wav {{
            type file
            slave.pcm {{ type null }}
            file "{tmp_path}/played.raw"
            infile "{heard}"
            format raw
        }}
        """
    )
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "asound.conf"))
    return tmp_path


class Sink:
    def __init__(self) -> None:
        self.frames: list[AudioFrame] = []
        self.changed = threading.Condition()

    def put(self, frame: AudioFrame) -> None:
        with self.changed:
            self.frames.append(frame)
            self.changed.notify_all()

    def wait(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.frames) >= count, 10)


def test_microphone_gives_stretches_of_10_ms_of_what_the_card_hears(cards: Path) -> None:
    microphone, sink = AlsaMicrophone("wav"), Sink()
    assert state_of(microphone) is SourceState.OFF
    microphone.open(sink)
    sink.wait(50)
    assert state_of(microphone) is SourceState.LIVE
    microphone.close()
    assert state_of(microphone) is SourceState.OFF
    assert all((f.rate_hz, f.channels, len(f.samples)) == (48_000, 1, 480) for f in sink.frames)
    sound = np.concatenate([np.frombuffer(f.samples, np.int16) for f in sink.frames[:50]]).astype(float)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    assert abs(spectrum.argmax() * 48_000 / len(sound) - 500) < 5
    count = len(sink.frames)
    microphone.open(sink)
    sink.wait(count + 5)
    microphone.close()
    microphone.close()


def test_a_card_without_a_clock_is_held_to_real_time(cards: Path) -> None:
    microphone, sink = AlsaMicrophone("nothing"), Sink()
    started = time.monotonic()
    microphone.open(sink)
    sink.wait(80)
    assert time.monotonic() - started > 0.5
    microphone.close()


def test_speaker_pulls_in_real_time(cards: Path) -> None:
    speaker = AlsaSpeaker("nothing")
    pulled = threading.Semaphore(0)

    def pull() -> memoryview:
        pulled.release()
        return SILENCE

    started = time.monotonic()
    speaker.open(pull)
    for _ in range(80):
        assert pulled.acquire(timeout=5)
    assert time.monotonic() - started > 0.5
    assert state_of(speaker) is SourceState.LIVE
    assert not speaker.wait_ended(0)
    closing = time.monotonic()
    speaker.close()
    assert time.monotonic() - closing < 1.0
    assert speaker.wait_ended(0)


def test_speaker_plays_what_it_pulls(cards: Path) -> None:
    speaker = AlsaSpeaker("wav")
    count = 0
    done = threading.Event()

    def pull() -> memoryview:
        nonlocal count
        count += 1
        if count == 60:
            done.set()
        return np.full(480, count, np.int16).data

    speaker.open(pull)
    assert done.wait(10)
    speaker.close()
    played = np.frombuffer((cards / "played.raw").read_bytes(), "<i2")
    assert len(played) >= 480
    assert set(played[: len(played) // 480 * 480 : 480].tolist()) == set(range(1, len(played) // 480 + 1))


class DryingCard:
    """A PCM with a buffer of 40 ms that is written to in time, but for two underruns."""

    def __init__(self) -> None:
        self.waiting = 480
        self.writes: list[int] = []
        self._readable, self._writable = os.pipe()

    def info(self) -> dict[str, object]:
        return {"rate": 48_000, "channels": 1, "buffer_size": 1920, "format_name": S16}

    def polldescriptors(self) -> list[tuple[int, int]]:
        return [(self._writable, select.POLLOUT)]

    def avail(self) -> int:
        return 1920 - self.waiting

    def write(self, data: bytes) -> int:
        count = len(data) // 2
        self.writes.append(count)
        if len(self.writes) in (5, 6, 10):
            self.waiting = 480
            return -errno.EPIPE
        # Until the next poll so much is played.
        self.waiting += count - 480
        return count

    def drop(self) -> None: ...

    def close(self) -> None:
        os.close(self._readable)
        os.close(self._writable)


def test_a_card_starts_and_starts_again_with_half_a_buffer(
    cards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = DryingCard()
    monkeypatch.setattr("alsaaudio.PCM", lambda *_, **__: card)
    speaker, enough = AlsaSpeaker("nothing"), threading.Event()

    def pull() -> memoryview:
        if len(card.writes) >= 12:
            enough.set()
        return SILENCE

    speaker.open(pull)
    assert enough.wait(10)
    speaker.close()
    assert speaker.counters["xruns"] == 3
    # What was not taken is written again, with more behind it, but never with more and more.
    assert card.writes[:12] == [960, 480, 480, 480, 480, 960, 960, 480, 480, 480, 960, 480]


@covers("code:60003")
@pytest.mark.parametrize("device", ["no such card", "hw:7,3", "plughw:CARD=Gone"])
def test_absent_cards_are_typed_errors(device: str) -> None:
    microphone, speaker = AlsaMicrophone(device), AlsaSpeaker(device)
    with pytest.raises(SourceError) as caught:
        microphone.open(Sink())
    assert caught.value.code == NO_MICROPHONE
    assert state_of(microphone) is SourceState.ABSENT
    assert device in microphone.reason
    with pytest.raises(SourceError) as caught:
        speaker.open(lambda: SILENCE)
    assert caught.value.code == SPEAKER_FAIL
    assert state_of(speaker) is SourceState.ABSENT
    microphone.close()
    speaker.close()
    assert state_of(microphone) is SourceState.OFF


@covers("code:-1302", "code:-1317", "code:-1318", "code:-1319")
@pytest.mark.parametrize(
    ("number", "code", "state"),
    [
        (errno.ENODEV, NO_MICROPHONE, SourceState.ABSENT),
        (errno.ENOENT, NO_MICROPHONE, SourceState.ABSENT),
        (errno.EACCES, MIC_NOT_AUTHORIZED, SourceState.FAILED),
        (errno.EBUSY, MIC_OCCUPY, SourceState.FAILED),
        (errno.EINVAL, MIC_SET_PARAM_FAIL, SourceState.FAILED),
        (errno.EIO, MIC_START_FAIL, SourceState.FAILED),
        (errno.E2BIG, MIC_START_FAIL, SourceState.FAILED),
    ],
)
def test_what_alsa_says_has_a_number(number: int, code: int, state: SourceState) -> None:
    said = RuntimeError(f"{os.strerror(number)} [hw:CARD=A [B],DEV=0]")
    error, left_in = alsa_error(said, "hw:0", MICROPHONE)
    assert (error.code, left_in) == (code, state)
    assert alsa_error(said, "hw:0", SPEAKER)[0].code == SPEAKER_FAIL
    assert errno_of("something else entirely") == 0


@given(st.lists(st.integers(-32768, 32767), max_size=200), st.sampled_from(sorted(SUPPORTED)))
def test_sample_formats_roundtrip(values: list[int], format_name: str) -> None:
    samples = np.array(values, np.int16)
    if format_name == U8:
        values = [value // 256 * 256 for value in values]
    assert to_s16(from_s16(samples, format_name), format_name).tolist() == values


def test_padding_of_24_bit_samples_is_ignored() -> None:
    data = np.array([0x7F123456, 0x00FFFFFF], np.uint32).tobytes()
    assert to_s16(data, "S24_LE").tolist() == [0x1234, -1]
    with pytest.raises(ValueError, match="MU_LAW"):
        to_s16(b"", "MU_LAW")


@given(rate_hz=st.sampled_from([16_000, 22_050, 44_100, 48_000, 96_000, 192_000]), channels=st.integers(1, 8))
def test_resampling_keeps_the_length(rate_hz: int, channels: int) -> None:
    resampler = MonoResampler(rate_hz, channels)
    period = rate_hz // 100
    got = sum(len(resampler.convert(np.ones(period * channels, np.int16))) for _ in range(50))
    assert 24_000 - 400 <= got <= 24_000 + 50
