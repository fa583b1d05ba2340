# SPDX-License-Identifier: GPL-3.0-or-later
"""The kiosk's sounds start and stop in time, never two at once, from files or built in."""

import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from callagent.devices.virtual import VirtualSpeaker
from callagent.media import Sound, SoundPlayer, SpeakerSlot, tones
from callagent.media.sound_file import SoundProblem, decode


@pytest.fixture
def slot() -> Iterator[SpeakerSlot]:
    slot = SpeakerSlot()
    yield slot
    slot.stop()
    slot.wait_closed(5)


def pull(slot: SpeakerSlot) -> bool:
    return bool(np.frombuffer(slot.mixer.pull(), np.int16).any())


def tone_file(path: Path, codec: str, seconds: float = 0.5) -> Path:
    rate = 44_100
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.layout = "mono"
        wave = (9000 * np.sin(2 * np.pi * 600 * np.arange(int(rate * seconds)) / rate)).astype(np.int16)
        resampler = av.AudioResampler(
            stream.codec_context.format, "mono", rate, frame_size=stream.codec_context.frame_size or None
        )
        frame = av.AudioFrame.from_ndarray(wave[None, :], "s16", "mono")
        frame.sample_rate, frame.pts = rate, 0
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec"), [("a.wav", "pcm_s16le"), ("a.mp3", "libmp3lame"), ("a.m4a", "aac"), ("a.flac", "flac")]
)
def test_the_four_file_types_decode(tmp_path: Path, name: str, codec: str) -> None:
    samples = decode(tone_file(tmp_path / name, codec)).astype(float)
    assert 0.4 < len(samples) / 48_000 < 0.7
    spectrum = np.abs(np.fft.rfft(samples))
    assert abs(spectrum.argmax() * 48_000 / len(samples) - 600) < 5


def test_unusable_files_leave_the_built_in_sounds(tmp_path: Path, slot: SpeakerSlot) -> None:
    garbage, silent = tmp_path / "garbage.mp3", tmp_path / "silent.wav"
    garbage.write_bytes(b"not a sound at all" * 100)
    with av.open(str(silent), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=48_000)
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.int16), "s16", "mono")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
    player = SoundPlayer(slot, dialing=tmp_path / "missing.wav", ringing=garbage, hangup=silent)
    assert [problem.code for problem in player.problems] == [90021] * 3
    assert [problem.path.name for problem in player.problems] == ["missing.wav", "garbage.mp3", "silent.wav"]
    for sound in Sound:
        player.play(sound)
        assert any(pull(slot) for _ in range(20)), sound


def test_a_folder_is_no_sound(tmp_path: Path) -> None:
    with pytest.raises(SoundProblem):
        decode(tmp_path)


def test_built_in_sounds_are_in_range_and_end_softly() -> None:
    for sound in (tones.dialing(), tones.ringing(), tones.hang_up()):
        assert 2000 < np.abs(sound.astype(int)).max() < 20_000
        assert abs(int(sound[0])) < 100
        assert abs(int(sound[-1])) < 100


def test_starts_at_once_and_stops_at_once(slot: SpeakerSlot) -> None:
    player = SoundPlayer(slot)
    player.play("ringing", loop=True)
    assert any(pull(slot) for _ in range(3)), "heard within 30 ms"
    assert player.playing is Sound.RINGING
    player.stop()
    player.stop()
    assert not any(pull(slot) for _ in range(100))
    assert player.playing is None


def test_ringing_twice_is_heard_once(slot: SpeakerSlot) -> None:
    once, twice = SoundPlayer(slot), SoundPlayer(slot)
    once.play(Sound.RINGING, loop=True)
    heard_once = [bytes(slot.mixer.pull()) for _ in range(50)]
    once.stop()
    twice.play(Sound.RINGING, loop=True)
    twice.play(Sound.RINGING, loop=True)
    assert [bytes(slot.mixer.pull()) for _ in range(50)] == heard_once
    twice.play(Sound.HANG_UP)
    assert twice.playing is Sound.HANG_UP


def test_a_loop_goes_on_seamlessly_and_once_ends(slot: SpeakerSlot, tmp_path: Path) -> None:
    player = SoundPlayer(slot, ringing=tone_file(tmp_path / "short.wav", "pcm_s16le", seconds=0.1234))
    player.play(Sound.RINGING, loop=True)
    assert all(pull(slot) for _ in range(100))
    player.play(Sound.HANG_UP)
    assert not player.wait_done(0)
    length = len(tones.hang_up()) // 480 + 2
    for _ in range(length):
        slot.mixer.pull()
    assert player.wait_done(0)
    assert player.playing is None


def test_ring_has_its_own_volume_mute_and_speaker(slot: SpeakerSlot) -> None:
    ring_slot = SpeakerSlot()
    slot.volume = ring_slot.volume = 0
    player = SoundPlayer(slot, ring_slot, ring_volume=50)
    full = SoundPlayer(slot)
    player.play(Sound.RINGING, loop=True)
    full.play(Sound.RINGING, loop=True)
    ring = [np.frombuffer(ring_slot.mixer.pull(), np.int16).astype(int) for _ in range(20)]
    loud = [np.frombuffer(slot.mixer.pull(), np.int16).astype(int) for _ in range(20)]
    ratio = np.abs(np.concatenate(ring)).max() / np.abs(np.concatenate(loud)).max()
    assert ratio == pytest.approx(0.25, rel=0.02)
    full.stop()
    player.mute_ring = True
    player.play(Sound.RINGING, loop=True)
    assert not any(pull(ring_slot) for _ in range(50))
    player.play(Sound.DIALING)
    assert any(pull(slot) for _ in range(10)), "mute_ring silences ringing only"


def test_heard_on_a_speaker_and_gone_within_100_ms(slot: SpeakerSlot) -> None:
    speaker = VirtualSpeaker()
    slot.set_source(speaker)
    slot.start()
    player = SoundPlayer(slot)
    player.play(Sound.DIALING, loop=True)
    deadline = time.monotonic() + 10
    while not speaker.recent(0.02).any():
        assert time.monotonic() < deadline
        speaker.wait_ended(0.005)
    player.stop()
    stopped = speaker.played_s
    while speaker.played_s < stopped + 0.3:
        assert time.monotonic() < deadline
        speaker.wait_ended(0.005)
    after = speaker.recent(speaker.played_s - stopped)
    assert not after[4800:].any()
