# SPDX-License-Identifier: GPL-3.0-or-later
"""An encoder that breaks in a call: the other side sees pictures again within a second."""

from collections.abc import Iterator

import numpy as np
import pytest

from callagent.devices.virtual import VirtualCamera, framecode
from callagent.media import CameraSlot, VideoSettings
from callagent.media.video_stream import VideoEncodedStream
from callagent.ports import Codec, EncodedFrame, Layer, VideoFrame, VideoMode
from tests.unit.media.collector import Collector
from tests.unit.media.faulty_encoder import Fault, Plan, roster_with
from tests.unit.media.pictures import VideoReader

FPS = 60
SETTINGS = VideoSettings(320, 240, FPS, 400_000)
GAP_PICTURES = FPS
"""One second of the camera."""


@pytest.fixture
def camera() -> Iterator[CameraSlot]:
    slot = CameraSlot()
    slot.set_source(VirtualCamera())
    slot.start(VideoMode(320, 240, FPS))
    yield slot
    slot.stop()
    slot.wait_closed(5)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("exception", "fake failed"),
        ("hang", "does not return"),
        ("wrong size", "160x120"),
        ("no start code", "start code"),
        ("forbidden bit", "NAL unit header"),
        ("no parameter sets", "parameter sets"),
        ("all keys", "nothing but key frames"),
        ("silent", "gave nothing"),
        ("cannot be opened", "cannot be opened"),
    ],
)
def test_the_next_encoder_takes_over_within_a_second(camera: CameraSlot, fault: Fault, words: str) -> None:
    plan = Plan(fault)
    roster = roster_with(plan)
    stream = VideoEncodedStream(Codec.H264, Layer.HIGH, camera, SETTINGS, encoders=roster)
    got: Collector[EncodedFrame] = Collector()
    leave = stream.subscribe("peer", got)
    if fault in ("wrong size", "no parameter sets"):
        # Looked at with key frames only, to cost nothing.
        got.wait(plan.at + 2)
        stream.request_key_frame("peer")
    got.wait_until(lambda: stream.details.get("encoder") == "libx264")
    got.wait_more(15)
    details = stream.details
    leave()
    assert stream.wait_stopped(5)
    plan.let_go.set()
    assert words in roster.failures()["fake"]
    assert words in details["refused"]["fake"]
    assert roster.abandoned == (fault == "hang")
    assert plan.opened == 1, "it is avoided"
    # The other side: every picture decodes, in order, and none is long in coming.
    reader = VideoReader(Codec.H264)
    seen = reader.counters(got.frames)
    assert seen == sorted(set(seen))
    assert set(reader.sizes) == {(320, 240)}
    assert int(np.diff(seen).max()) <= GAP_PICTURES


def test_a_hang_while_closing_takes_nothing_with_it(camera: CameraSlot) -> None:
    """The size changes, the old encoder is closed and does not return."""
    plan = Plan("hang in close")
    roster = roster_with(plan)
    stream = VideoEncodedStream(Codec.H264, Layer.HIGH, camera, SETTINGS, encoders=roster)
    got: Collector[EncodedFrame] = Collector()
    leave = stream.subscribe("peer", got)
    got.wait(5)
    camera.start(VideoMode(160, 120, FPS))
    got.wait_until(lambda: stream.details.get("encoder") == "libx264")
    got.wait_more(5)
    leave()
    assert stream.wait_stopped(5)
    plan.let_go.set()
    assert roster.abandoned == 1


def test_a_hang_while_opening_is_left_behind_and_comes_too_late(
    camera: CameraSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callagent.media.video_encoding.OPENING_S", 0.3)
    plan = Plan("hang in open")
    roster = roster_with(plan)
    stream = VideoEncodedStream(Codec.H264, Layer.HIGH, camera, SETTINGS, encoders=roster)
    got: Collector[EncodedFrame] = Collector()
    leave = stream.subscribe("peer", got)
    got.wait(5)
    assert stream.details["encoder"] == "libx264"
    plan.let_go.set()
    got.wait_more(10)
    assert stream.details["encoder"] == "libx264"
    leave()
    assert stream.wait_stopped(5)
    assert roster.abandoned == 1
    counters = VideoReader(Codec.H264).counters(got.frames)
    assert counters == sorted(set(counters))


@pytest.mark.parametrize("behind", [1, 2])
def test_a_pipeline_may_be_behind_and_every_picture_keeps_its_time(camera: CameraSlot, behind: int) -> None:
    roster = roster_with(Plan(behind=behind))
    stream = VideoEncodedStream(Codec.H264, Layer.HIGH, camera, SETTINGS, encoders=roster)
    got: Collector[EncodedFrame] = Collector()
    raw: Collector[VideoFrame] = Collector()
    off = camera.subscribe(raw)
    leave = stream.subscribe("peer", got)
    got.wait(20)
    asked = len(got.frames)
    stream.request_key_frame("peer")
    got.wait_until(lambda: any(frame.key for frame in got.frames[asked:]))
    leave()
    off()
    assert stream.wait_stopped(5)
    assert stream.details == {}
    assert not roster.failures()
    assert [frame.key for frame in got.frames[asked : asked + behind + 4]].count(True) == 1, "asked for once"
    # By the frame code: the capture time that comes out is that of the very picture.
    captured = {}
    for frame in raw.frames:
        luma = np.frombuffer(frame.planes[0].data, np.uint8).reshape(frame.height, frame.planes[0].stride)
        code = framecode.read(luma)
        if code is not None:
            captured[code.counter] = frame.capture_time
    codes = VideoReader(Codec.H264).counters(got.frames)
    times = [frame.capture_time for frame in got.frames]
    assert len(codes) >= len(times) - 1, "a slate may come first"
    assert times[len(times) - len(codes) :] == [captured[code] for code in codes]


def test_a_probe_that_ends_in_a_call_brings_the_better_encoder(camera: CameraSlot) -> None:
    plan = Plan()
    roster = roster_with(plan)
    known = roster._known
    roster._known = type("Unknown", (), {"of": lambda *_: None, "want": lambda *_: None})()
    stream = VideoEncodedStream(Codec.H264, Layer.HIGH, camera, SETTINGS, encoders=roster)
    got: Collector[EncodedFrame] = Collector()
    leave = stream.subscribe("peer", got)
    got.wait(5)
    assert stream.details["encoder"] == "libx264"
    assert stream.details["refused"] == {"fake": "it has not been tried yet at this size"}
    roster._known = known
    roster.news()
    got.wait_until(lambda: stream.details.get("encoder") == "fake")
    got.wait_more(3)
    leave()
    assert stream.wait_stopped(5)
    counters = VideoReader(Codec.H264).counters(got.frames)
    assert counters == sorted(set(counters))
