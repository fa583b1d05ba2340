# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera slot always gives while it is wanted, whatever happens behind it."""

import itertools
import logging
import threading
import time
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest

from callagent.devices.errors import CAMERA_OCCUPY, CAMERA_START_FAIL, NO_CAMERA
from callagent.devices.virtual import FrameCode, VirtualCamera, framecode
from callagent.media import CameraSlot, tenancy
from callagent.media.slot_log import SlotEvent
from callagent.ports import FrameSink, SourceState, VideoFrame, VideoMode
from tests.unit.media.collector import Collector, Watch
from tests.unit.states import state_of

MODE = VideoMode(320, 240, 30)


@pytest.fixture
def slot() -> Iterator[CameraSlot]:
    slot = CameraSlot()
    yield slot
    slot.stop()
    slot.wait_closed(5)


def code_of(frame: VideoFrame) -> FrameCode | None:
    return framecode.read_frame(frame)


def gaps(times: list[float]) -> float:
    return float(np.diff(times).max())


def test_without_a_camera_it_gives_slates_from_the_start(slot: CameraSlot) -> None:
    got: Collector[VideoFrame] = Collector()
    slot.subscribe(got)
    slot.set_source(None, "No camera is plugged in")
    assert state_of(slot) is SourceState.OFF
    started = time.monotonic()
    slot.start(MODE)
    assert (slot.state, slot.reason, slot.error_code) == (
        SourceState.ABSENT,
        "No camera is plugged in",
        NO_CAMERA,
    )
    got.wait(4)
    assert 0.3 < time.monotonic() - started < 2.0, "four slates at five a second"
    assert {(frame.width, frame.height) for frame in got.frames} == {(320, 240)}
    assert slot.device is None
    assert slot.mode is None


def shows(got: Collector[VideoFrame], ident: int) -> bool:
    """The newest picture is that camera's."""
    code = code_of(got.frames[-1]) if got.frames else None
    return code is not None and code.ident == ident


def test_swaps_under_load_leave_no_gap(slot: CameraSlot) -> None:
    got: Collector[VideoFrame] = Collector()
    slot.subscribe(got)
    slot.set_source(VirtualCamera("zero", ident=0))
    slot.start(MODE)
    got.wait_until(lambda: code_of(got.frames[-1]) is not None)
    first = len(got.frames)
    for ident in range(1, 9):
        slot.set_source(VirtualCamera(f"camera {ident}", ident=ident))
        got.wait_until(partial(shows, got, ident))
    got.wait_more(5)
    slot.stop()
    assert gaps(got.times[first - 1 :]) < 0.2
    captured = [frame.capture_time for frame in got.frames]
    assert all(a < b for a, b in itertools.pairwise(captured))
    idents = [code.ident for frame in got.frames if (code := code_of(frame)) is not None]
    assert idents == sorted(idents), "no picture of a camera comes after its successor's"


def test_who_subscribes_late_gets_the_newest_picture_at_once(slot: CameraSlot) -> None:
    first, late, after = Collector[VideoFrame](), Collector[VideoFrame](), Collector[VideoFrame]()
    slot.subscribe(first)
    slot.set_source(VirtualCamera())
    slot.start(MODE)
    first.wait_until(lambda: code_of(first.frames[-1]) is not None)
    slot.subscribe(late)
    assert late.frames, "without waiting for another"
    late.wait_more(3)
    captured = [frame.capture_time for frame in late.frames]
    assert all(a < b for a, b in itertools.pairwise(captured))
    slot.stop()
    slot.subscribe(after)
    assert not after.frames, "a camera that is off shows nothing"


def test_loss_shows_a_slate_within_100_ms_and_is_told(slot: CameraSlot) -> None:
    got: Collector[VideoFrame] = Collector()
    watch = Watch()
    slot.on_change = watch
    slot.subscribe(got)
    camera = VirtualCamera()
    slot.set_source(camera)
    slot.start(MODE)
    got.wait_until(lambda: code_of(got.frames[-1]) is not None)
    assert slot.live_source is camera
    lost_at = time.monotonic()
    camera.fail("the cable was pulled", absent=True)
    got.wait_until(lambda: code_of(got.frames[-1]) is None)
    # 100 ms are promised; the rest is the scheduler's of a busy test machine.
    assert got.times[-1] - lost_at < 0.2
    assert (state_of(slot), slot.reason) == (SourceState.ABSENT, "the cable was pulled")
    (failure,) = slot.take_failures()
    assert (failure.source, failure.state, failure.code) == (camera, SourceState.ABSENT, NO_CAMERA)
    assert slot.take_failures() == []
    # Nothing is tried again until somebody says so.
    slot.set_source(VirtualCamera("another", ident=2))
    watch.until(lambda: slot.state is SourceState.LIVE)
    assert (slot.reason, slot.error_code) == ("", 0)
    watch.until(lambda: slot.mode == MODE)
    assert [moment.event for moment in slot.log.moments] == [
        *(SlotEvent.OPENING, SlotEvent.LIVE, SlotEvent.LOST, SlotEvent.FILLED),
        *(SlotEvent.OPENING, SlotEvent.LIVE),
    ]
    assert slot.log.last_gap_s is not None


def test_a_camera_that_may_not_be_opened(slot: CameraSlot) -> None:
    watch = Watch()
    slot.on_change = watch
    camera = VirtualCamera()
    camera.occupied = True
    slot.set_source(camera)
    slot.start(MODE)
    watch.until(lambda: slot.error_code == CAMERA_OCCUPY)
    assert state_of(slot) is SourceState.FAILED
    assert "in use" in slot.reason
    assert [failure.code for failure in slot.take_failures()] == [CAMERA_OCCUPY]


def test_a_stalled_camera_is_covered_by_slates_and_told_and_may_come_back(slot: CameraSlot) -> None:
    got: Collector[VideoFrame] = Collector()
    watch = Watch()
    slot.on_change = watch
    slot.subscribe(got)
    camera = VirtualCamera()
    slot.set_source(camera)
    slot.start(MODE)
    watch.until(lambda: slot.state is SourceState.LIVE)
    camera.freeze()
    watch.until(lambda: slot.state is SourceState.FAILED)
    assert slot.error_code == CAMERA_START_FAIL
    assert [failure.source for failure in slot.take_failures()] == [camera]
    got.wait_more(3)
    assert code_of(got.frames[-1]) is None
    camera.thaw()
    watch.until(lambda: slot.state is SourceState.LIVE)
    assert slot.log.counts[SlotEvent.STALLED] == 1


def test_a_camera_that_never_gives_a_picture_is_told(
    slot: CameraSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callagent.media.slot.STARTING_S", 0.4)
    watch = Watch()
    slot.on_change = watch
    camera = VirtualCamera()
    camera.freeze()
    slot.set_source(camera)
    slot.start(MODE)
    watch.until(lambda: slot.state is SourceState.FAILED)
    assert "no picture" in slot.reason
    assert [failure.code for failure in slot.take_failures()] == [CAMERA_START_FAIL]


def no_slate(got: Collector[VideoFrame], since: int) -> bool:
    return all(code_of(frame) is not None for frame in got.frames[since:])


def test_with_overlap_the_picture_never_stops(slot: CameraSlot) -> None:
    got: Collector[VideoFrame] = Collector()
    slot.subscribe(got)
    watch = Watch()
    slot.on_change = watch
    slot.set_source(VirtualCamera("zero", ident=0))
    slot.start(MODE)
    got.wait_until(lambda: code_of(got.frames[-1]) is not None)
    first = len(got.frames) - 1
    for ident in range(1, 6):
        slow = StuckOpenCamera(f"camera {ident}", ident)
        assert slot.set_source(slow, overlap=True)
        got.wait_more(5)
        assert shows(got, ident - 1), "the one before goes on"
        slow.go_on.set()
        got.wait_until(partial(shows, got, ident))
        assert slot.live_source is slow
    assert no_slate(got, first)
    assert slot.log.counts[SlotEvent.SWAPPED] == 5
    # A camera may give its first picture before open() has returned and told the mode.
    watch.until(lambda: slot.mode == MODE)


def test_a_challenger_that_fails_or_gives_nothing_changes_nothing(
    slot: CameraSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callagent.media.slot.OVERLAP_S", 0.3)
    got: Collector[VideoFrame] = Collector()
    watch = Watch()
    slot.on_change = watch
    slot.subscribe(got)
    steady = VirtualCamera("steady", ident=1)
    slot.set_source(steady)
    slot.start(MODE)
    got.wait_until(lambda: code_of(got.frames[-1]) is not None)
    first = len(got.frames) - 1
    taken, mute = VirtualCamera("taken", ident=2), VirtualCamera("mute", ident=3)
    taken.occupied = True
    mute.freeze()
    refused = []
    for challenger in (taken, mute):
        assert slot.set_source(challenger, overlap=True)
        watch.until(lambda: refused.extend(slot.take_failures()) or refused != [])  # type: ignore[func-returns-value]
        assert refused.pop().source is challenger
        assert slot.live_source is steady
    got.wait_more(5)
    assert no_slate(got, first)
    assert state_of(mute) is SourceState.OFF, "it is closed again"


def test_the_one_in_place_dies_while_the_challenger_opens(slot: CameraSlot) -> None:
    got: Collector[VideoFrame] = Collector()
    slot.subscribe(got)
    old, slow = VirtualCamera("old", ident=1), StuckOpenCamera("slow", 3)
    slot.set_source(old)
    slot.start(MODE)
    got.wait_until(lambda: code_of(got.frames[-1]) is not None)
    slot.set_source(slow, overlap=True)
    old.fail("unplugged", absent=True)
    got.wait_until(lambda: code_of(got.frames[-1]) is None)
    assert [failure.source for failure in slot.take_failures()] == [old]
    assert state_of(slot) is SourceState.STARTING
    slow.go_on.set()
    got.wait_until(partial(shows, got, 3))


def test_rotation_is_stamped_on_the_cameras_pictures_and_slates_stand_upright(slot: CameraSlot) -> None:
    got: Collector[VideoFrame] = Collector()
    slot.subscribe(got)
    slot.rotation = 90
    camera = VirtualCamera()
    slot.set_source(camera)
    slot.start(MODE)
    got.wait_until(lambda: code_of(got.frames[-1]) is not None)
    assert (got.frames[-1].rotation, got.frames[-1].width, got.frames[-1].height) == (90, 320, 240)
    slot.set_source(None, "gone")
    got.wait_until(lambda: code_of(got.frames[-1]) is None)
    assert (got.frames[-1].rotation, got.frames[-1].width, got.frames[-1].height) == (0, 240, 320)


def test_stop_closes_the_device_and_nothing_is_put(slot: CameraSlot) -> None:
    got: Collector[VideoFrame] = Collector()
    slot.subscribe(got)
    camera = VirtualCamera()
    slot.set_source(camera)
    slot.start(MODE)
    got.wait(3)
    slot.stop()
    count = len(got.frames)
    assert state_of(slot) is SourceState.OFF
    assert slot.wait_closed(5)
    assert state_of(camera) is SourceState.OFF
    assert len(got.frames) == count
    slot.start(MODE)
    got.wait(count + 3)
    assert state_of(camera) is SourceState.LIVE


def test_another_mode_opens_the_camera_anew(slot: CameraSlot) -> None:
    got: Collector[VideoFrame] = Collector()
    slot.subscribe(got)
    slot.set_source(VirtualCamera())
    slot.start(MODE)
    got.wait_until(lambda: got.frames[-1].width == 320)
    slot.start(VideoMode(640, 360, 30))
    got.wait_until(lambda: (got.frames[-1].width, got.frames[-1].height) == (640, 360))


class StuckCamera(VirtualCamera):
    """A driver that does not let go."""

    def __init__(self) -> None:
        super().__init__("stuck", ident=1)
        self.let_go = threading.Event()

    def close(self) -> None:
        self.let_go.wait(30)
        super().close()


def test_a_stuck_close_blocks_nobody(slot: CameraSlot) -> None:
    got: Collector[VideoFrame] = Collector()
    slot.subscribe(got)
    stuck = StuckCamera()
    slot.set_source(stuck)
    slot.start(MODE)
    got.wait_until(lambda: code_of(got.frames[-1]) is not None)
    first = len(got.frames)
    try:
        asked = time.monotonic()
        slot.set_source(VirtualCamera("next", ident=2))
        assert time.monotonic() - asked < 0.5
        got.wait_until(partial(shows, got, 2))
        assert gaps(got.times[first - 1 :]) < 0.4
        later = [code_of(frame) for frame in got.frames[first + 1 :]]
        assert all(code is None or code.ident == 2 for code in later), (
            "the stuck camera's pictures go nowhere"
        )
        assert not slot.wait_closed(0)
    finally:
        stuck.let_go.set()
    slot.stop()
    assert slot.wait_closed(5)


def test_the_same_device_is_never_opened_twice_at_once(
    slot: CameraSlot, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than a slate takes on a machine that is busy.
    monkeypatch.setattr(tenancy, "_PREDECESSOR_S", 3.0)
    got: Collector[VideoFrame] = Collector()
    slot.subscribe(got)
    stuck = StuckCamera()
    slot.set_source(stuck)
    slot.start(MODE)
    got.wait_until(lambda: code_of(got.frames[-1]) is not None)
    again = VirtualCamera("stuck", ident=5)
    try:
        slot.set_source(again)
        got.wait_more(2)
        assert state_of(again) is SourceState.OFF, "it waits for the one before"
        with caplog.at_level(logging.WARNING):
            got.wait_until(partial(shows, got, 5))
        assert "slot:stuck" in caplog.text, "the thread left behind is named"
    finally:
        stuck.let_go.set()


class StuckOpenCamera(VirtualCamera):
    def __init__(self, name: str = "slow", ident: int = 3) -> None:
        super().__init__(name, ident)
        self.go_on = threading.Event()

    def open(self, mode: VideoMode, sink: FrameSink) -> VideoMode:
        self.go_on.wait(30)
        return super().open(mode, sink)


def test_a_camera_that_takes_long_to_open_is_covered(slot: CameraSlot) -> None:
    got: Collector[VideoFrame] = Collector()
    slot.subscribe(got)
    camera = StuckOpenCamera()
    slot.set_source(camera)
    slot.start(MODE)
    try:
        got.wait(3)
        assert state_of(slot) is SourceState.STARTING
    finally:
        camera.go_on.set()
    got.wait_until(lambda: code_of(got.frames[-1]) is not None)
    assert state_of(slot) is SourceState.LIVE


class BelatedCamera(VirtualCamera):
    """Has a last picture on its way when it dies."""

    def open(self, mode: VideoMode, sink: FrameSink) -> VideoMode:
        self.sink = sink
        return super().open(mode, sink)


def test_what_a_lost_camera_still_gives_does_not_bring_it_back(slot: CameraSlot) -> None:
    got: Collector[VideoFrame] = Collector()
    slot.subscribe(got)
    camera = BelatedCamera()
    slot.set_source(camera)
    slot.start(MODE)
    got.wait_until(lambda: code_of(got.frames[-1]) is not None)
    last = got.frames[-1]
    camera.fail("the cable was pulled", absent=True)
    got.wait_until(lambda: code_of(got.frames[-1]) is None)
    camera.sink.put(last)
    assert state_of(slot) is SourceState.ABSENT
    assert slot.live_source is None
    assert code_of(got.frames[-1]) is None


def test_swapping_while_the_old_one_opens(slot: CameraSlot) -> None:
    got: Collector[VideoFrame] = Collector()
    slot.subscribe(got)
    slow = StuckOpenCamera()
    slot.set_source(slow)
    slot.start(MODE)
    slot.set_source(VirtualCamera(ident=4))
    slow.go_on.set()
    got.wait_until(lambda: (code := code_of(got.frames[-1])) is not None and code.ident == 4)
    slot.stop()
    assert slot.wait_closed(5)
    assert state_of(slow) is SourceState.OFF, "closed although it opened after it was released"
    idents = {code.ident for frame in got.frames if (code := code_of(frame)) is not None}
    assert idents == {4}


def test_a_subscriber_that_raises_or_leaves_harms_nobody(slot: CameraSlot) -> None:
    class Broken:
        def put(self, frame: VideoFrame) -> None:
            raise RuntimeError("broken sink")

    got: Collector[VideoFrame] = Collector()
    leaver: Collector[VideoFrame] = Collector()
    slot.subscribe(Broken())
    leave = slot.subscribe(leaver)
    slot.subscribe(got)
    slot.start(MODE)
    got.wait(1)
    leave()
    leave()
    count = len(leaver.frames)
    got.wait_more(2)
    assert len(leaver.frames) == count


def test_a_subscriber_may_stop_the_slot_from_within() -> None:
    slot = CameraSlot()
    stopped = threading.Event()

    class Stopper:
        def put(self, frame: VideoFrame) -> None:
            slot.stop()
            stopped.set()

    slot.subscribe(Stopper())
    slot.start(MODE)
    assert stopped.wait(5)
    assert state_of(slot) is SourceState.OFF
