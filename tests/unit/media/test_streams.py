# SPDX-License-Identifier: GPL-3.0-or-later
"""Encoded streams: one encoder for everybody, from the first subscriber to the last."""

import threading
import time
from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest

from callagent.devices.virtual import VirtualCamera, VirtualMicrophone, framecode
from callagent.media import CameraSlot, LocalStreams, MicrophoneSlot, VideoSettings
from callagent.media.encoders import EncoderSettings, VideoEncoder, X264Encoder
from callagent.media.encoders.base import EncoderError
from callagent.media.fanout import KEY_INTERVAL_S, KeyRequests
from callagent.media.video_stream import VideoEncodedStream
from callagent.ports import Codec, EncodedFrame, Layer, NetworkReport, Rotation, VideoMode
from tests.unit.media.collector import Collector
from tests.unit.media.pictures import VideoReader, decode_opus

SETTINGS = VideoSettings(320, 240, 30, 400_000)


@pytest.fixture
def camera() -> Iterator[CameraSlot]:
    slot = CameraSlot()
    slot.set_source(VirtualCamera())
    yield slot
    slot.stop()
    slot.wait_closed(5)


@pytest.fixture
def microphone() -> Iterator[MicrophoneSlot]:
    slot = MicrophoneSlot()
    slot.set_source(VirtualMicrophone(tone_hz=900))
    slot.start()
    yield slot
    slot.stop()
    slot.wait_closed(5)


def encoder_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("encoder:")]


@pytest.mark.parametrize("codec", [Codec.H264, Codec.VP8])
def test_two_subscribers_one_encoder(codec: Codec, camera: CameraSlot) -> None:
    made: list[EncoderSettings] = []
    real = VideoEncodedStream(codec, Layer.HIGH, camera, SETTINGS)._factory

    def factory(settings: EncoderSettings) -> VideoEncoder:
        made.append(settings)
        return real(settings)

    stream = VideoEncodedStream(codec, Layer.HIGH, camera, SETTINGS, encoder_factory=factory)
    camera.start(VideoMode(320, 240, 30))
    early: Collector[EncodedFrame] = Collector()
    late: Collector[EncodedFrame] = Collector()
    leave_early = stream.subscribe("early", early)
    early.wait(20)
    leave_late = stream.subscribe("late", late)
    late.wait(20)
    assert len(encoder_threads()) == 1
    leave_early()
    count = len(early.frames)
    late.wait_more(5)
    assert len(early.frames) == count
    leave_late()
    leave_late()
    assert stream.wait_stopped(5)
    assert not encoder_threads()
    assert len(made) == 1
    for collector in (early, late):
        assert collector.frames[0].key, "from a key frame on"
        counters = VideoReader(codec).counters(collector.frames)
        assert len(counters) >= 20
        assert counters == sorted(set(counters))
        captured = [frame.capture_time for frame in collector.frames]
        assert captured == sorted(set(captured))
    assert all(f.codec is codec and f.layer is Layer.HIGH for f in early.frames)


def test_nothing_is_encoded_without_subscribers_or_camera(camera: CameraSlot) -> None:
    stream = VideoEncodedStream(Codec.H264, Layer.HIGH, camera, SETTINGS)
    assert not encoder_threads()
    got: Collector[EncodedFrame] = Collector()
    leave = stream.subscribe("peer", got)
    assert not threading.Event().wait(0.2)
    assert not got.frames, "the camera is off"
    camera.start(VideoMode(320, 240, 30))
    got.wait(2)
    camera.stop()
    leave()
    assert stream.wait_stopped(5)


def test_subscribing_again_starts_again(camera: CameraSlot) -> None:
    stream = VideoEncodedStream(Codec.H264, Layer.HIGH, camera, SETTINGS)
    camera.start(VideoMode(320, 240, 30))
    for _ in range(5):
        got: Collector[EncodedFrame] = Collector()
        leave = stream.subscribe("peer", got)
        got.wait(3)
        assert got.frames[0].key
        leave()
    assert stream.wait_stopped(5)


def test_key_frame_requests_are_answered_by_the_next_frame_and_merged(camera: CameraSlot) -> None:
    stream = VideoEncodedStream(Codec.VP8, Layer.HIGH, camera, SETTINGS)
    camera.start(VideoMode(320, 240, 30))
    got: Collector[EncodedFrame] = Collector()
    leave = stream.subscribe("peer", got)
    got.wait_until(lambda: got.frames[-1].capture_time - got.frames[0].capture_time > KEY_INTERVAL_S + 0.2)
    assert [frame.key for frame in got.frames].count(True) == 1
    asked = len(got.frames)
    stream.request_key_frame("peer")
    got.wait(asked + 2)
    # The frame in the encoder at the moment of asking may come before it.
    assert any(frame.key for frame in got.frames[asked : asked + 2])
    asked = len(got.frames)
    started = time.monotonic()
    while time.monotonic() - started < 1.0:
        stream.request_key_frame("peer")
        stream.request_key_frame("other")
        got.wait_more(1)
    keys = [when for when, frame in zip(got.times, got.frames, strict=True) if frame.key][1:]
    leave()
    assert stream.wait_stopped(5)
    assert 3 <= len(keys) <= 1.5 / KEY_INTERVAL_S + 1
    assert min(np.diff(keys)) > KEY_INTERVAL_S * 0.7


def test_key_requests_are_never_forgotten() -> None:
    keys = KeyRequests()
    assert not keys.due(0.0)
    keys.request()
    assert keys.due(0.0)
    keys.made(0.0)
    assert not keys.due(10.0)
    keys.request()
    assert not keys.due(KEY_INTERVAL_S / 2)
    assert keys.due(KEY_INTERVAL_S)


def test_a_camera_of_another_size_goes_on_with_a_key_frame(camera: CameraSlot) -> None:
    stream = VideoEncodedStream(Codec.H264, Layer.HIGH, camera, VideoSettings(640, 480, 30, 400_000))
    camera.start(VideoMode(320, 240, 30))
    got: Collector[EncodedFrame] = Collector()
    leave = stream.subscribe("peer", got)
    got.wait(5)
    before = len(got.frames)
    camera.start(VideoMode(640, 360, 30))
    got.wait_until(lambda: any(frame.key for frame in got.frames[before:]))
    got.wait_more(5)
    leave()
    assert stream.wait_stopped(5)
    reader = VideoReader(Codec.H264)
    assert len(reader.counters(got.frames)) >= 8
    assert set(reader.sizes) == {(320, 240), (640, 360)}


def test_a_camera_that_is_too_fast_is_thinned_out(camera: CameraSlot) -> None:
    stream = VideoEncodedStream(Codec.H264, Layer.HIGH, camera, VideoSettings(320, 240, 10, 400_000))
    camera.start(VideoMode(320, 240, 60))
    got: Collector[EncodedFrame] = Collector()
    leave = stream.subscribe("peer", got)
    got.wait(20)
    leave()
    assert stream.wait_stopped(5)
    captured = [frame.capture_time for frame in got.frames]
    rate = (len(captured) - 1) / (captured[-1] - captured[0])
    assert 6 < rate < 12


def test_slates_are_sent_when_the_camera_is_lost(camera: CameraSlot) -> None:
    stream = VideoEncodedStream(Codec.H264, Layer.HIGH, camera, SETTINGS)
    camera.start(VideoMode(320, 240, 30))
    got: Collector[EncodedFrame] = Collector()
    leave = stream.subscribe("peer", got)
    got.wait(5)
    camera.set_source(None, "unplugged")
    got.wait_more(4)
    leave()
    assert stream.wait_stopped(5)


def test_the_low_layer_is_small_and_keeps_the_shape(camera: CameraSlot, microphone: MicrophoneSlot) -> None:
    streams = LocalStreams(camera, microphone, VideoSettings(1280, 720, 30, 1_500_000))
    assert streams.video(Codec.H264, Layer.LOW) is streams.video(Codec.H264, Layer.LOW)
    assert streams.video(Codec.H264, Layer.LOW) is not streams.video(Codec.VP8, Layer.LOW)
    assert streams.audio() is streams.audio()
    with pytest.raises(ValueError, match="no video codec"):
        streams.video(Codec.OPUS, Layer.HIGH)
    camera.start(VideoMode(640, 480, 30))
    got: Collector[EncodedFrame] = Collector()
    leave = streams.video(Codec.H264, Layer.LOW).subscribe("peer", got)
    got.wait(4)
    leave()
    assert streams.wait_stopped(5)
    reader = VideoReader(Codec.H264)
    assert reader.counters(got.frames)
    assert set(reader.sizes) == {(240, 180)}


def test_the_rate_is_the_minimum_of_the_peers(camera: CameraSlot) -> None:
    stream = VideoEncodedStream(Codec.H264, Layer.HIGH, camera, SETTINGS)
    sink: Collector[EncodedFrame] = Collector()
    assert stream.target_bps == 400_000
    leave_a, leave_b = stream.subscribe("a", sink), stream.subscribe("b", sink)
    stream.report("a", NetworkReport(available_bps=300_000))
    stream.report("b", NetworkReport(available_bps=150_000))
    stream.report("stranger", NetworkReport(available_bps=60_000))
    assert stream.target_bps == 150_000
    leave_b()
    assert stream.target_bps == 300_000
    stream.report("a", NetworkReport(available_bps=1))
    assert stream.target_bps == 50_000
    stream.report("a", NetworkReport(available_bps=9_000_000))
    assert stream.target_bps == 400_000
    leave_a()
    assert stream.wait_stopped(5)


def test_loss_lowers_the_rate_and_its_end_raises_it(camera: CameraSlot) -> None:
    stream = VideoEncodedStream(Codec.H264, Layer.HIGH, camera, SETTINGS)
    leave = stream.subscribe("a", Collector[EncodedFrame]())
    stream.report("a", NetworkReport(fraction_lost=0.05))
    assert stream.target_bps == 400_000
    for _ in range(3):
        stream.report("a", NetworkReport(fraction_lost=0.5))
    low = stream.target_bps
    assert low == pytest.approx(400_000 * 0.75**3, rel=0.01)
    for _ in range(40):
        stream.report("a", NetworkReport(fraction_lost=0.0))
    assert stream.target_bps == 400_000
    leave()
    assert stream.wait_stopped(5)


def test_an_encoder_that_fails_is_replaced(camera: CameraSlot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callagent.media.video_stream._RETRY_S", 0.1)
    attempts: list[int] = []

    def factory(settings: EncoderSettings) -> VideoEncoder:
        attempts.append(1)
        if len(attempts) < 3:
            raise EncoderError("no encoder today")
        return X264Encoder(settings)

    stream = VideoEncodedStream(Codec.H264, Layer.HIGH, camera, SETTINGS, encoder_factory=factory)
    camera.start(VideoMode(320, 240, 30))
    got: Collector[EncodedFrame] = Collector()
    leave = stream.subscribe("peer", got)
    got.wait(3)
    leave()
    assert stream.wait_stopped(5)
    assert len(attempts) == 3


def test_audio_packets_carry_the_tone_on_an_exact_time_line(microphone: MicrophoneSlot) -> None:
    streams = LocalStreams(CameraSlot(), microphone)
    one: Collector[EncodedFrame] = Collector()
    two: Collector[EncodedFrame] = Collector()
    leave_one = streams.audio().subscribe("one", one)
    leave_two = streams.audio().subscribe("two", two)
    started = time.monotonic()
    one.wait(60)
    assert time.monotonic() - started > 1.0
    assert encoder_threads() == ["encoder:opus"]
    microphone.muted = True
    two.wait_more(30)
    leave_one()
    leave_two()
    assert streams.wait_stopped(5)
    steps = np.diff([frame.capture_time for frame in two.frames])
    assert np.allclose(steps, 0.02)
    assert all(frame.key and frame.codec is Codec.OPUS for frame in one.frames)
    sound = decode_opus([frame.payload for frame in two.frames])
    live, muted = sound[24_000:36_000], sound[-9_600:]
    spectrum = np.abs(np.fft.rfft(live * np.hanning(len(live))))
    assert abs(int(spectrum.argmax()) * 4 - 900) <= 8
    assert np.abs(muted).max() < 1e-3


def test_audio_goes_on_after_everybody_left_and_came_back(microphone: MicrophoneSlot) -> None:
    audio = LocalStreams(CameraSlot(), microphone).audio()
    times: list[float] = []
    for _ in range(4):
        got: Collector[EncodedFrame] = Collector()
        leave = audio.subscribe("peer", got)
        got.wait(3)
        leave()
        times += [frame.capture_time for frame in got.frames]
    assert audio.wait_stopped(5)
    assert times == sorted(set(times))


@pytest.mark.parametrize("codec", [Codec.H264, Codec.VP8])
def test_the_other_side_sees_it_upright_and_turning_needs_no_new_stream(
    codec: Codec, camera: CameraSlot
) -> None:
    stream = VideoEncodedStream(codec, Layer.HIGH, camera, SETTINGS)
    camera.start(VideoMode(320, 240, 30))
    got: Collector[EncodedFrame] = Collector()
    leave = stream.subscribe("peer", got)
    reader = VideoReader(codec)
    read = 0
    for rotation, turns in ((0, 0), (90, 1), (180, 2), (270, 3), (0, 0)):
        camera.rotation = cast(Rotation, rotation)
        size = (320, 240) if rotation % 180 == 0 else (240, 320)
        counters: list[int] = []
        deadline = time.monotonic() + 10
        while len(counters) < 5 and time.monotonic() < deadline:
            got.wait(read + 1)
            for picture in reader.pictures(got.frames[read].payload):
                # Turned back, the camera's own code stands as it was drawn.
                luma = np.ascontiguousarray(np.rot90(picture.to_ndarray(format="gray"), turns), np.uint8)
                code = framecode.read(luma)
                if (picture.width, picture.height) == size and code is not None:
                    counters.append(code.counter)
            read += 1
        assert len(counters) >= 5, f"{rotation} degrees"
        assert counters == sorted(counters)
    leave()
    assert stream.wait_stopped(5)
