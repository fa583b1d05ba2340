# SPDX-License-Identifier: GPL-3.0-or-later
"""What the camera has encoded itself: sent as it is where that fits, transcoded where not."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.media import CameraSlot, VideoSettings
from callagent.media.encoders.roster import EncoderRoster
from callagent.media.h264 import opening
from callagent.media.passthrough import BACK_AFTER_S, PassThrough
from callagent.media.video_inbox import Inbox
from callagent.media.video_stream import VideoEncodedStream
from callagent.ports import (
    Codec,
    EncodedFrame,
    Layer,
    NetworkReport,
    PixelFormat,
    Plane,
    SourceState,
    VideoFrame,
    VideoMode,
)
from tests.unit.media.coded_camera import CodedCamera
from tests.unit.media.collector import Collector, Watch
from tests.unit.media.pictures import VideoReader

SETTINGS = VideoSettings(320, 240, 30, 600_000)
Opened = Callable[..., tuple[CodedCamera, CameraSlot]]


@pytest.fixture
def opened() -> Iterator[Opened]:
    slots: list[CameraSlot] = []

    def open_camera(camera: CodedCamera | None = None) -> tuple[CodedCamera, CameraSlot]:
        camera, slot = camera or CodedCamera(), CameraSlot()
        slots.append(slot)
        live = Watch()
        slot.on_change = live
        slot.set_source(camera)
        slot.start(VideoMode(320, 240, 30))
        live.until(lambda: slot.state is SourceState.LIVE)
        return camera, slot

    yield open_camera
    for slot in slots:
        slot.stop()
        slot.wait_closed(5)


def stream_of(slot: CameraSlot, codec: Codec = Codec.H264, **more: object) -> VideoEncodedStream:
    settings = more.pop("settings", SETTINGS)
    assert isinstance(settings, VideoSettings)
    return VideoEncodedStream(codec, Layer.HIGH, slot, settings, passthrough=True, **more)  # type: ignore[arg-type]


def test_the_very_bytes_of_the_camera_reach_the_other_side(opened: Opened) -> None:
    camera, slot = opened()
    stream = stream_of(slot)
    got: Collector[EncodedFrame] = Collector()
    leave = stream.subscribe("peer", got)
    got.wait(20)
    assert stream.details["encoder"] == "camera"
    late: Collector[EncodedFrame] = Collector()
    leave_late = stream.subscribe("late", late)
    late.wait(10)
    leave()
    leave_late()
    assert stream.wait_stopped(5)
    assert camera.asked >= 1, "the late one needs a key frame"
    given = {frame.capture_time: bytes(frame.planes[0].data) for frame in camera.given}
    for frame in (*got.frames, *late.frames):
        sent = bytes(frame.payload)
        theirs = given[frame.capture_time]
        if frame.key:
            # The camera gives its parameter sets once: they are put before every key frame.
            seen = opening(sent)
            assert seen.sps
            assert seen.pps
            assert sent.endswith(theirs)
        else:
            assert sent == theirs
    times = [frame.capture_time for frame in got.frames]
    all_times = [frame.capture_time for frame in camera.given]
    start = all_times.index(times[0])
    assert times == all_times[start : start + len(times)], "every one, in order"
    for each in (got, late):
        assert each.frames[0].key
        assert len(VideoReader(Codec.H264).counters(each.frames)) == len(each.frames)


@pytest.mark.parametrize("case", ["vp8", "turned", "smaller", "profile", "never", "rate", "speed"])
def test_what_does_not_fit_is_transcoded(opened: Opened, case: str) -> None:
    profile = "high" if case == "profile" else "baseline"
    _, slot = opened(CodedCamera(profile=profile, bps=2_000_000 if case == "rate" else 300_000))
    codec = Codec.VP8 if case == "vp8" else Codec.H264
    settings = {
        "smaller": VideoSettings(160, 120, 30, 600_000),
        "rate": VideoSettings(320, 240, 30, 60_000),
        "speed": VideoSettings(320, 240, 10, 600_000),
    }.get(case, SETTINGS)
    if case == "turned":
        slot.rotation = 180
    stream = VideoEncodedStream(codec, Layer.HIGH, slot, settings, passthrough=case != "never")
    got: Collector[EncodedFrame] = Collector()
    leave = stream.subscribe("peer", got)
    got.wait_until(lambda: str(stream.details.get("encoder")).startswith("lib"))
    got.wait_more(8)
    details = stream.details
    leave()
    assert stream.wait_stopped(5)
    assert details["refused"]["camera"]
    reader = VideoReader(codec)
    shown = sum(len(reader.read(frame.payload)) for frame in got.frames)
    assert shown == len(got.frames), "decodable all the way"
    assert set(reader.sizes) == {(160, 120) if case == "smaller" else (320, 240)}


def test_a_camera_that_does_not_listen_is_transcoded_from_its_last_key_frame_on(opened: Opened) -> None:
    """It gives its only key frame at the beginning; who comes late is served all the same."""
    camera, slot = opened(CodedCamera(listens=False))
    slot.stop()
    assert slot.wait_closed(5)
    stream = stream_of(slot)
    got: Collector[EncodedFrame] = Collector()
    leave = stream.subscribe("peer", got)
    slot.start(VideoMode(320, 240, 30))
    got.wait_until(lambda: stream.details.get("encoder") == "camera")
    got.wait_more(10)
    late: Collector[EncodedFrame] = Collector()
    leave_late = stream.subscribe("late", late)
    late.wait(10)
    assert stream.details["refused"]["camera"] == "it gives no key frame when asked"
    leave()
    leave_late()
    assert stream.wait_stopped(5)
    for each in (got, late):
        counters = VideoReader(Codec.H264).counters(each.frames)
        # Slates have no counter; one may come while the camera starts.
        assert len(counters) >= len(each.frames) - 1, "every picture can be read"
    assert camera.asked >= 1


def test_a_peer_on_a_narrow_way_gets_it_transcoded(opened: Opened) -> None:
    _, slot = opened(CodedCamera(bps=500_000))
    stream = stream_of(slot)
    got: Collector[EncodedFrame] = Collector()
    leave = stream.subscribe("peer", got)
    got.wait(20)
    assert stream.details["encoder"] == "camera"
    stream.report("peer", NetworkReport(available_bps=60_000))
    got.wait_until(lambda: stream.details.get("encoder") == "libx264")
    got.wait_more(5)
    leave()
    assert stream.wait_stopped(5)
    assert len(VideoReader(Codec.H264).counters(got.frames)) > 20


def test_a_camera_that_is_lost_goes_over_into_slates(opened: Opened) -> None:
    _, slot = opened()
    stream = stream_of(slot, encoders=EncoderRoster())
    got: Collector[EncodedFrame] = Collector()
    leave = stream.subscribe("peer", got)
    got.wait(5)
    slot.set_source(None, "unplugged")
    got.wait_until(lambda: stream.details.get("encoder") == "libx264")
    before = len(got.frames)
    slot.set_source(CodedCamera())
    got.wait_until(lambda: stream.details.get("encoder") == "camera")
    got.wait_more(5)
    leave()
    assert stream.wait_stopped(5)
    assert any(frame.key for frame in got.frames[before:])
    reader = VideoReader(Codec.H264)
    assert sum(len(reader.read(frame.payload)) for frame in got.frames) == len(got.frames)


# --- the parts ---------------------------------------------------------------------------------------

KEY, OTHER = b"\0\0\0\1\x65\x88" + bytes(60), b"\0\0\0\1\x41\x9a" + bytes(60)


def coded(data: bytes, at: float = 0.0) -> VideoFrame:
    return VideoFrame(PixelFormat.H264, 320, 240, (Plane(memoryview(data), 0),), at)


def test_it_goes_back_to_the_camera_when_nothing_has_stood_against_it_for_a_while() -> None:
    pass_, now, passed = PassThrough(30), 0.0, []

    def take(data: bytes, misfit: str) -> bool:
        nonlocal now
        now += 0.5
        frame = coded(data, now)
        route = pass_.take(frame, opening(data), misfit=misfit, key_wanted=False, target_bps=600_000, now=now)
        return route.payload is not None

    assert not take(OTHER, ""), "not before a key frame"
    assert take(KEY, "")
    assert not take(OTHER, "too large")
    for _ in range(int(BACK_AFTER_S / 0.5) - 2):
        passed.append(take(KEY, ""))
    assert not any(passed)
    for _ in range(3):
        passed.append(take(OTHER, ""))
    assert not any(passed), "with a key frame only"
    assert take(KEY, "")
    assert pass_.reason == ""


@given(
    st.lists(
        st.tuples(
            st.booleans(), st.sampled_from(["", "", "", "turned"]), st.booleans(), st.floats(0.01, 2.0)
        ),
        max_size=80,
    )
)
def test_whatever_happens_both_ways_begin_with_a_key_frame_and_leave_nothing_out(
    steps: list[tuple[bool, str, bool, float]],
) -> None:
    """A receiver that was shown something else, and a decoder that was shown nothing, can go on."""
    pass_, now = PassThrough(30), 0.0
    given_: list[VideoFrame] = []
    decoded: list[VideoFrame] = []
    was_passed = False
    for key, misfit, wanted, passed_s in steps:
        now += passed_s
        data = KEY if key else OTHER
        frame = coded(data, now)
        given_.append(frame)
        route = pass_.take(
            frame, opening(data), misfit=misfit, key_wanted=wanted, target_bps=600_000, now=now
        )
        assert not (route.payload is not None and route.decode)
        if route.payload is not None:
            assert bytes(route.payload) == data
            assert not misfit
            assert was_passed or route.key
            decoded = []
        if route.decode:
            assert route.decode[-1] is frame
            if not decoded:
                assert opening(route.decode[0].planes[0].data).key
            decoded += route.decode
            start = next(n for n, each in enumerate(given_) if each is decoded[0])
            assert all(one is other for one, other in zip(given_[start:], decoded, strict=True))
        was_passed = route.payload is not None


@pytest.mark.parametrize("listens", [True, False])
def test_a_camera_with_key_frames_on_demand_is_asked_in_time_and_never_kept_without_end(
    listens: bool,
) -> None:
    pass_, passed, wished = PassThrough(30), 0, 0
    key = True
    for number in range(2000):
        data = KEY if key else OTHER
        frame = coded(data, number / 30)
        route = pass_.take(
            frame, opening(data), misfit="", key_wanted=False, target_bps=600_000, now=number / 30
        )
        passed += route.payload is not None
        key = pass_.wants_key and listens
        wished += pass_.wants_key
        assert len(route.decode) <= 300
    assert len(pass_._gop) <= 300
    if listens:
        assert passed == 2000
        assert wished < 15
    else:
        assert passed < 300
        assert pass_.reason == "its key frames are too far apart"


def test_of_coded_pictures_none_is_lost_or_all_up_to_the_next_key_frame() -> None:
    inbox = Inbox(coded_pictures=3)
    assert all(inbox.put(coded(KEY if not n else OTHER, n)) for n in range(3))
    assert not inbox.put(coded(OTHER, 3)), "no room: ask for a key frame"
    assert inbox.put(coded(OTHER, 4))
    assert inbox.put(coded(KEY, 5))
    assert inbox.put(coded(OTHER, 6))
    first, second = inbox.next(), inbox.next()
    assert first is not None
    assert second is not None
    assert (first.capture_time, second.capture_time) == (5, 6)
    inbox.put(coded(KEY, 7))
    inbox.stop()
    assert inbox.next() is None


def test_of_raw_pictures_the_newest_is_kept() -> None:
    inbox = Inbox()
    for number in range(5):
        inbox.put(VideoFrame(PixelFormat.I420, 32, 32, (), float(number)))
    frame = inbox.next()
    assert frame is not None
    assert frame.capture_time == 4
