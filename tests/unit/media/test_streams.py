# SPDX-License-Identifier: GPL-3.0-or-later
"""Encoded streams: one encoder for everybody, from the first subscriber to the last."""

import threading
import time
from collections.abc import Iterator, Mapping
from typing import cast, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.devices.virtual import VirtualCamera, VirtualMicrophone, framecode
from callagent.media import CameraSlot, LocalStreams, MicrophoneSlot, VideoSettings
from callagent.media.adaptation import Priority
from callagent.media.audio_stream import AudioEncodedStream
from callagent.media.encoders import EncoderSettings, VideoEncoder
from callagent.media.encoders.registry import KINDS, EncoderKind
from callagent.media.encoders.roster import EncoderRoster
from callagent.media.expected_loss import START_PERCENT
from callagent.media.fanout import KEY_INTERVAL_S, MERGE_S, KeyRequests
from callagent.media.opus import OpusDecoder, OpusEncoder, OpusSettings
from callagent.media.sound import Samples
from callagent.media.video_settings import VideoOrientation
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
    real = next(kind for kind in KINDS.values() if kind.codec is codec and kind.name.startswith("lib"))

    def make(settings: EncoderSettings, options: Mapping[str, str]) -> VideoEncoder:
        made.append(settings)
        return real.make(settings, options)

    roster = EncoderRoster((), kinds={"counted": EncoderKind("counted", codec, False, make, fallback=True)})
    stream = VideoEncodedStream(codec, Layer.HIGH, camera, SETTINGS, encoders=roster)
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
    assert not keys.due(0.0, 1)
    keys.request("peer")
    assert keys.due(0.0, 1)
    keys.made(0.0)
    assert not keys.due(10.0, 1)
    keys.request("peer")
    assert not keys.due(KEY_INTERVAL_S / 2, 1)
    assert keys.due(KEY_INTERVAL_S, 1)


def test_a_narrow_way_gets_small_pictures_and_the_others_their_own(camera: CameraSlot) -> None:
    streams = LocalStreams(camera, MicrophoneSlot(), VideoSettings(640, 480, 15, 900_000))
    stream = streams.video(Codec.VP8, None)
    camera.start(VideoMode(640, 480, 15))
    wide: Collector[EncodedFrame] = Collector()
    narrow: Collector[EncodedFrame] = Collector()
    leaves = [stream.subscribe("wide", wide), stream.subscribe("narrow", narrow)]
    wide.wait(1)

    def went_over() -> bool:
        stream.report("wide", NetworkReport(available_bps=2_000_000, fraction_lost=0.0))
        stream.report("narrow", NetworkReport(available_bps=200_000, fraction_lost=0.3))
        return narrow.frames[-1].layer is Layer.LOW

    narrow.wait_until(went_over)
    narrow.wait_more(3)
    wide.wait_more(3)
    for leave in leaves:
        leave()
    assert streams.wait_stopped(5)
    first = next(frame for frame in narrow.frames if frame.layer is Layer.LOW)
    assert first.key
    assert all(frame.layer is Layer.HIGH for frame in wide.frames)
    reader = VideoReader(Codec.VP8)
    reader.counters([frame for frame in narrow.frames if frame.layer is Layer.LOW])
    assert set(reader.sizes) == {(240, 180)}


def test_what_a_way_does_not_carry_is_given_up_in_size(camera: CameraSlot) -> None:
    settings = VideoSettings(640, 480, 15, 900_000, priority=Priority.FRAMERATE)
    stream = VideoEncodedStream(Codec.VP8, Layer.HIGH, camera, settings)
    camera.start(VideoMode(640, 480, 15))
    got: Collector[EncodedFrame] = Collector()
    leave = stream.subscribe("peer", got)
    got.wait(3)
    stream.report("peer", NetworkReport(available_bps=120_000))
    asked = len(got.frames)
    got.wait_until(lambda: any(frame.key for frame in got.frames[asked:]))
    got.wait_more(3)
    leave()
    assert stream.wait_stopped(5)
    reader = VideoReader(Codec.VP8)
    reader.counters(got.frames)
    (full, *smaller) = dict.fromkeys(reader.sizes)
    assert full == (640, 480)
    assert smaller
    assert all(width < 640 for width, _ in smaller)


def test_one_peers_losses_cost_the_others_a_key_frame_a_second() -> None:
    keys, made = KeyRequests(), []
    for millisecond in range(0, 5000, 33):
        keys.request("lossy")
        if keys.due(millisecond / 1000, 3):
            keys.made(millisecond / 1000)
            made.append(millisecond)
    assert 4 <= len(made) <= 5
    # Whoever else needs one is not made to wait for that.
    keys.request("other")
    assert keys.due(made[-1] / 1000 + MERGE_S, 3)
    keys.made(5.0)
    keys.join("lossy")
    assert keys.due(5.0 + MERGE_S, 3), "a new connection of the same peer"
    keys.leave("lossy")
    assert not keys.due(10.0, 2)


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


def test_the_first_key_frame_is_made_for_what_is_known_of_the_way(camera: CameraSlot) -> None:
    camera.start(VideoMode(320, 240, 30))
    sizes = []
    for known in (None, NetworkReport(available_bps=60_000)):
        stream = VideoEncodedStream(Codec.H264, Layer.HIGH, camera, SETTINGS)
        frames = Collector[EncodedFrame]()
        leave = stream.subscribe("a", frames, known)
        frames.wait(1)
        sizes.append(len(frames.frames[0].payload))
        leave()
        assert stream.wait_stopped(5)
    assert sizes[1] < min(sizes[0], 0.2 * 60_000 / 8)


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


@pytest.mark.parametrize("low_delay", [False, True])
@pytest.mark.parametrize("packet_ms", [40, 60])
def test_long_packets_carry_the_same_tone_on_a_time_line_of_their_own(
    packet_ms: int, low_delay: bool, microphone: MicrophoneSlot
) -> None:
    settings = OpusSettings(packet_ms=packet_ms, complexity=0, low_delay=low_delay)
    audio = LocalStreams(CameraSlot(), microphone, sound=settings).audio()
    got: Collector[EncodedFrame] = Collector()
    leave = audio.subscribe("peer", got)
    got.wait(20)
    leave()
    assert audio.wait_stopped(5)
    assert np.allclose(np.diff([frame.capture_time for frame in got.frames]), packet_ms / 1000)
    decoder = OpusDecoder()
    assert {decoder.packet_samples(bytes(frame.payload)) for frame in got.frames} == {packet_ms * 48}
    sound = np.concatenate([decoder.decode(bytes(frame.payload)) for frame in got.frames])[-24_000:]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    assert abs(int(spectrum.argmax()) * 2 - 900) <= 4


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


def test_the_loss_a_peer_reports_is_what_sound_is_made_for(
    microphone: MicrophoneSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed: list[int] = []

    class Watched(OpusEncoder):
        def encode(self, samples: Samples) -> memoryview | None:
            followed.append(self.expected_loss_percent)
            return super().encode(samples)

    monkeypatch.setattr("callagent.media.audio_stream.OpusEncoder", Watched)
    audio = LocalStreams(CameraSlot(), microphone).audio()
    got: Collector[EncodedFrame] = Collector()
    leave = audio.subscribe("near", got)
    leave_far = audio.subscribe("far", got)
    got.wait(2)
    assert followed[-1] == START_PERCENT
    audio.report("nobody", NetworkReport(fraction_lost=0.3))
    audio.report("far", NetworkReport(round_trip_s=0.1))
    for _ in range(10):
        audio.report("near", NetworkReport(fraction_lost=0.0))
        audio.report("far", NetworkReport(fraction_lost=0.2))
    got.wait_until(lambda: followed[-1] == 20)
    leave_far()
    got.wait_until(lambda: followed[-1] < START_PERCENT)
    leave()
    assert audio.wait_stopped(5)


def test_with_dtx_nothing_is_sent_while_nobody_speaks(microphone: MicrophoneSlot) -> None:
    audio = AudioEncodedStream(microphone, OpusSettings(dtx=True))
    got: Collector[EncodedFrame] = Collector()
    leave = audio.subscribe("peer", got)
    got.wait(10)
    microphone.muted = True
    # At last one packet in 400 ms, told apart by the time of its sound.
    got.wait_until(lambda: len(got.frames) > 1 and step(got.frames) > 0.1)
    microphone.muted = False
    got.wait_more(10)
    leave()
    assert audio.wait_stopped(5)
    captured = np.array([frame.capture_time for frame in got.frames])
    steps = np.diff(captured) / 0.02
    assert np.allclose(steps, np.rint(steps), atol=1e-3), "the gaps are whole packets"
    assert steps.max() > 5


def step(frames: list[EncodedFrame]) -> float:
    return frames[-1].capture_time - frames[-2].capture_time


@pytest.mark.parametrize("codec", [Codec.H264, Codec.VP8])
def test_the_other_side_sees_it_upright_and_turning_needs_no_new_stream(
    codec: Codec, camera: CameraSlot
) -> None:
    stream = VideoEncodedStream(codec, Layer.HIGH, camera, SETTINGS.turned("auto"))
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


@pytest.mark.parametrize("codec", [Codec.H264, Codec.VP8])
def test_a_running_stream_changes_between_landscape_and_portrait_with_bars(
    codec: Codec, camera: CameraSlot
) -> None:
    microphone = MicrophoneSlot()
    local = LocalStreams(camera, microphone, SETTINGS)
    stream = local.video(codec, Layer.HIGH)
    camera.start(VideoMode(320, 240, 30))
    got: Collector[EncodedFrame] = Collector()
    leave = stream.subscribe("peer", got)
    reader = VideoReader(codec)
    read = 0
    # How it is to lie, how the camera is built in, the size that is sent, the picture between the bars.
    steps: list[tuple[VideoOrientation, Rotation, tuple[int, int], tuple[int, int]]] = [
        ("landscape", 0, (320, 240), (320, 240)),
        ("portrait", 0, (240, 320), (240, 180)),
        ("portrait", 90, (240, 320), (240, 320)),
        ("landscape", 90, (320, 240), (180, 240)),
        ("auto", 90, (240, 320), (240, 320)),
        ("auto", 0, (320, 240), (320, 240)),
    ]
    for orientation, rotation, size, inner in steps:
        local.orientation, camera.rotation = orientation, rotation
        counters: list[int] = []
        deadline = time.monotonic() + 10
        while len(counters) < 3 and time.monotonic() < deadline:
            got.wait(read + 1)
            for picture in reader.pictures(got.frames[read].payload):
                luma = picture.to_ndarray(format="gray")
                left, top = (size[0] - inner[0]) // 4 * 2, (size[1] - inner[1]) // 4 * 2
                middle = luma[top : top + inner[1], left : left + inner[0]]
                code = framecode.read(np.ascontiguousarray(np.rot90(middle, rotation // 90), np.uint8))
                if (picture.width, picture.height) != size or code is None:
                    continue
                counters.append(code.counter)
                bars = np.concatenate([luma[: max(0, top - 4)].ravel(), luma[:, : max(0, left - 4)].ravel()])
                assert bars.size == 0 or bars.max() < 40
            read += 1
        assert len(counters) >= 3, f"{orientation}, {rotation} degrees"
    leave()
    assert stream.wait_stopped(5)
    assert local.orientation == local.video(codec, Layer.LOW).orientation == "auto"


@given(
    width=st.integers(8, 2000).map(lambda half: 2 * half),
    height=st.integers(8, 2000).map(lambda half: 2 * half),
    bounds=st.sampled_from([(640, 480), (480, 640), (1280, 720), (1920, 1080), (320, 180)]),
    orientation=st.sampled_from(get_args(VideoOrientation)),
)
def test_a_picture_keeps_its_shape_and_lies_as_wanted(
    width: int, height: int, bounds: tuple[int, int], orientation: VideoOrientation
) -> None:
    placement = VideoSettings(*bounds, orientation=orientation).place(width, height)
    canvas, picture = (placement.encoder.width, placement.encoder.height), placement.picture
    assert all(size % 2 == 0 for size in (*canvas, *picture))
    assert picture[0] <= canvas[0] <= max(bounds)
    assert picture[1] <= canvas[1] <= max(bounds)
    assert max(canvas) <= max(bounds)
    assert min(canvas) <= min(bounds)
    assert picture[0] <= width
    assert picture[1] <= height
    # Even sizes are up to a pixel off, and the smallest is 2.
    assert abs(picture[0] * height - picture[1] * width) <= width + height or 2 in picture
    if orientation != "auto" and width != height:
        assert (canvas[0] >= canvas[1]) == (orientation == "landscape") or canvas[0] == canvas[1]
    if orientation == "auto" or (width > height) == (orientation == "landscape"):
        assert canvas == picture or width == height


@pytest.mark.parametrize(
    ("orientation", "camera_size", "sent", "picture"),
    [
        ("landscape", (640, 480), (640, 480), (640, 480)),
        ("landscape", (1280, 720), (640, 360), (640, 360)),
        ("landscape", (480, 640), (640, 480), (360, 480)),
        ("portrait", (640, 480), (480, 640), (480, 360)),
        ("portrait", (480, 640), (480, 640), (480, 640)),
        ("portrait", (500, 500), (480, 480), (480, 480)),
        ("auto", (480, 640), (480, 640), (480, 640)),
        ("auto", (640, 480), (640, 480), (640, 480)),
        # Never larger than it is: the bars go as far as they must.
        ("landscape", (240, 320), (426, 320), (240, 320)),
    ],
)
def test_sizes_sent(
    orientation: VideoOrientation,
    camera_size: tuple[int, int],
    sent: tuple[int, int],
    picture: tuple[int, int],
) -> None:
    placement = VideoSettings(orientation=orientation).place(*camera_size)
    assert ((placement.encoder.width, placement.encoder.height), placement.picture) == (sent, picture)
