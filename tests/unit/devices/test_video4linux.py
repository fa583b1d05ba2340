# SPDX-License-Identifier: GPL-3.0-or-later
"""V4L2 cameras: typed errors of the real kernel, mode choice, and capture against a kernel of paper.

A test machine has no camera. linuxpy's own code runs all the same: its ioctls are answered here (as
linuxpy's own tests do), and the file it waits for with poll is a real pipe. The
laboratory repeats all of it on the real uvcvideo driver.
"""

import ctypes
import errno
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import linuxpy.ioctl
import linuxpy.video.device
import pytest
from hypothesis import given
from hypothesis import strategies as st
from linuxpy.video import raw

from callagent.devices import video4linux
from callagent.devices.camera_errors import camera_error
from callagent.devices.camera_frames import is_whole_jpeg, split_planes
from callagent.devices.camera_offer import nearest_step
from callagent.devices.errors import (
    CAMERA_NOT_AUTHORIZED,
    CAMERA_OCCUPY,
    CAMERA_SET_PARAM_FAIL,
    CAMERA_START_FAIL,
    NO_CAMERA,
)
from callagent.devices.video4linux import V4l2Camera
from callagent.ports import PixelFormat, SourceError, SourceState, VideoFrame, VideoMode
from tests.covers import covers
from tests.unit.states import state_of

YUYV, NV12 = PixelFormat.YUYV, PixelFormat.NV12


@given(st.integers(1, 5000), st.integers(16, 200), st.integers(200, 4000), st.integers(0, 64))
def test_nearest_step_is_one_of_the_range(wish: int, low: int, high: int, step: int) -> None:
    value = nearest_step(wish, low, high, step)
    assert low <= value <= high
    if low <= wish <= high:
        assert abs(value - wish) <= max(1, step)


@covers("code:-1301", "code:-1315", "code:-1316", "code:60004")
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOENT, NO_CAMERA),
        (errno.ENODEV, NO_CAMERA),
        (errno.ENXIO, NO_CAMERA),
        (errno.EACCES, CAMERA_NOT_AUTHORIZED),
        (errno.EPERM, CAMERA_NOT_AUTHORIZED),
        (errno.EBUSY, CAMERA_OCCUPY),
        (errno.EINVAL, CAMERA_SET_PARAM_FAIL),
        (errno.EIO, CAMERA_START_FAIL),
    ],
)
def test_what_the_kernel_says_has_a_number(number: int, code: int) -> None:
    error = camera_error(OSError(number, os.strerror(number)), "/dev/video0")
    assert error.code == code
    assert "/dev/video0" in str(error)


class Sink:
    def __init__(self) -> None:
        self.frames: list[VideoFrame] = []
        self.changed = threading.Condition()

    def put(self, frame: VideoFrame) -> None:
        with self.changed:
            self.frames.append(frame)
            self.changed.notify_all()

    def wait(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.frames) >= count, 10)


@pytest.mark.parametrize(
    ("path", "code", "state"),
    [
        ("/dev/video_that_is_not_there", NO_CAMERA, SourceState.ABSENT),
        ("/dev/null", CAMERA_START_FAIL, SourceState.FAILED),
    ],
)
def test_paths_that_are_no_camera(path: str, code: int, state: SourceState) -> None:
    camera = V4l2Camera(path)
    with pytest.raises(SourceError) as caught:
        camera.open(VideoMode(), Sink())
    assert caught.value.code == code
    assert state_of(camera) is state
    assert path in camera.reason
    assert camera.wait_ended(0)
    camera.close()
    assert state_of(camera) is SourceState.OFF


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may open everything: meanwhile this process is somebody who may not."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


@covers("code:-1314")
def test_a_camera_one_may_not_open(tmp_path: Path) -> None:
    node = tmp_path / "video0"
    node.touch(mode=0)
    with as_nobody(), pytest.raises(SourceError) as caught:
        V4l2Camera(str(node)).open(VideoMode(), Sink())
    assert caught.value.code == CAMERA_NOT_AUTHORIZED


class PaperKernel:
    """Answers the ioctls of one YUYV camera; a byte in its pipe is a captured picture."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        # Opened both ways so that neither side ever sees the end of the file.
        self.pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self.size = (640, 480)
        self.fails: dict[object, int] = {}
        self.queued: list[int] = []
        self.mapped: list[PaperMemory] = []
        self.streaming = False
        self.sequence = 0
        self.empty = self.damaged = False
        self.read = threading.Condition()
        self.lets_go = threading.Event()
        """STREAMOFF hangs until it is set."""
        self.lets_go.set()

    def wait_read(self, sequence: int) -> None:
        with self.read:
            assert self.read.wait_for(lambda: self.sequence >= sequence, 10)

    def capture(self) -> None:
        os.write(self.pipe, b"x")

    def fail(self, request: object, number: int) -> None:
        self.fails[request] = number

    def ioctl(self, fd: object, request: object, arg: object = None) -> int:
        if request in self.fails:
            raise OSError(self.fails[request], os.strerror(self.fails[request]))
        if isinstance(arg, raw.v4l2_capability):
            arg.card, arg.bus_info, arg.driver = b"Paper camera", b"paper-1", b"paper"
            arg.capabilities = arg.device_caps = raw.Capability.VIDEO_CAPTURE | raw.Capability.STREAMING
        elif isinstance(arg, raw.v4l2_fmtdesc):
            if arg.index > 0 or arg.type != raw.BufType.VIDEO_CAPTURE:
                raise OSError(errno.EINVAL, "no more")
            arg.pixelformat = raw.PixelFormat.YUYV
        elif isinstance(arg, raw.v4l2_frmsizeenum):
            if arg.index > 0:
                raise OSError(errno.EINVAL, "no more")
            arg.type = raw.Frmsizetypes.DISCRETE
            arg.m1.discrete.width, arg.m1.discrete.height = self.size
        elif isinstance(arg, raw.v4l2_frmivalenum):
            if arg.index > 0:
                raise OSError(errno.EINVAL, "no more")
            arg.type = raw.Frmivaltypes.DISCRETE
            arg.discrete.numerator, arg.discrete.denominator = 1, 30
        elif isinstance(arg, raw.v4l2_format):
            arg.fmt.pix.width, arg.fmt.pix.height = self.size
            arg.fmt.pix.pixelformat = raw.PixelFormat.YUYV
            arg.fmt.pix.bytesperline = self.size[0] * 2
            arg.fmt.pix.sizeimage = self.size[0] * self.size[1] * 2
        elif isinstance(arg, raw.v4l2_streamparm):
            arg.parm.capture.timeperframe.numerator, arg.parm.capture.timeperframe.denominator = 1, 30
        elif isinstance(arg, raw.v4l2_buffer):
            self._buffer(request, arg)
        elif request is raw.IOC.STREAMON:
            self.streaming = True
        elif request is raw.IOC.STREAMOFF:
            self.lets_go.wait(10)
            self.streaming = False
        return 0

    def _buffer(self, request: object, arg: "raw.v4l2_buffer") -> None:
        if request is raw.IOC.QUERYBUF:
            arg.length = self.size[0] * self.size[1] * 2
        elif request is raw.IOC.QBUF:
            self.queued.append(arg.index)
        elif request is raw.IOC.DQBUF:
            os.read(self.pipe, 1)
            arg.index = self.queued.pop(0)
            arg.bytesused = 0 if self.empty else self.size[0] * self.size[1] * 2
            arg.sequence = self.sequence
            with self.read:
                self.sequence += 1
                self.read.notify_all()
            arg.flags = raw.BufferFlag.TIMESTAMP_MONOTONIC | (raw.BufferFlag.ERROR if self.damaged else 0)
            now = time.monotonic()
            arg.timestamp.secs, arg.timestamp.usecs = int(now), int(now % 1 * 1e6)

    def mmap(self, fd: object, length: int, offset: int) -> "PaperMemory":
        memory = PaperMemory(length)
        self.mapped.append(memory)
        return memory

    @property
    def still_mapped(self) -> int:
        """Buffers that have not been given back; each holds a descriptor of the device."""
        return sum(not memory.closed for memory in self.mapped)


class PaperMemory(bytearray):
    closed = False

    def close(self) -> None:
        self.clear()
        self.closed = True


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PaperKernel]:
    kernel = PaperKernel(tmp_path / "video0")
    monkeypatch.setattr(linuxpy.ioctl.fcntl, "ioctl", kernel.ioctl)
    monkeypatch.setattr(linuxpy.video.device.mmap, "mmap", kernel.mmap)
    yield kernel
    os.close(kernel.pipe)


def test_capture_from_open_to_close(kernel: PaperKernel) -> None:
    before = set(threading.enumerate())
    camera, sink = V4l2Camera(str(kernel.path)), Sink()
    assert camera.open(VideoMode(1280, 720, 15), sink) == VideoMode(640, 480, 30)
    assert state_of(camera) is SourceState.STARTING
    for count in range(1, 11):
        kernel.capture()
        sink.wait(count)
    assert state_of(camera) is SourceState.LIVE
    frame = sink.frames[0]
    assert (frame.format, frame.width, frame.height) == (YUYV, 640, 480)
    assert (frame.planes[0].stride, len(frame.planes[0].data)) == (1280, 640 * 480 * 2)
    assert abs(sink.frames[-1].capture_time - time.monotonic()) < 5
    closing = time.monotonic()
    camera.close()
    assert time.monotonic() - closing < 1.0, "woken, not waited for"
    assert not kernel.streaming
    assert state_of(camera) is SourceState.OFF
    assert set(threading.enumerate()) <= before
    kernel.queued.clear()
    camera.open(VideoMode(), sink)
    kernel.capture()
    sink.wait(11)
    camera.close()


def test_a_driver_that_hangs_while_closing_costs_no_descriptor(
    kernel: PaperKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video4linux, "_CLOSE_S", 0.05)
    threads, descriptors = set(threading.enumerate()), os.listdir("/proc/self/fd")
    camera = V4l2Camera(str(kernel.path))
    camera.open(VideoMode(), Sink())
    (thread,) = set(threading.enumerate()) - threads
    kernel.lets_go.clear()
    camera.close()
    assert thread.is_alive(), "left behind"
    kernel.lets_go.set()
    thread.join(10)
    assert os.listdir("/proc/self/fd") == descriptors


@pytest.mark.parametrize(
    ("number", "state"), [(errno.ENODEV, SourceState.ABSENT), (errno.EIO, SourceState.FAILED)]
)
def test_a_camera_that_dies(kernel: PaperKernel, number: int, state: SourceState) -> None:
    camera, sink = V4l2Camera(str(kernel.path)), Sink()
    camera.open(VideoMode(), sink)
    kernel.capture()
    sink.wait(1)
    kernel.fail(raw.IOC.DQBUF, number)
    kernel.fail(raw.IOC.STREAMOFF, number)
    kernel.capture()
    assert camera.wait_ended(5)
    assert state_of(camera) is state
    assert str(kernel.path) in camera.reason
    camera.close()
    assert state_of(camera) is SourceState.OFF
    assert kernel.mapped
    assert kernel.still_mapped == 0


@pytest.mark.parametrize("request_", [raw.IOC.S_FMT, raw.IOC.REQBUFS, raw.IOC.STREAMON])
def test_an_occupied_camera(kernel: PaperKernel, request_: object) -> None:
    kernel.fail(request_, errno.EBUSY)
    camera = V4l2Camera(str(kernel.path))
    with pytest.raises(SourceError) as caught:
        camera.open(VideoMode(), Sink())
    assert caught.value.code == CAMERA_OCCUPY
    assert state_of(camera) is SourceState.FAILED
    assert kernel.still_mapped == 0
    kernel.fails.clear()
    kernel.queued.clear()
    camera.open(VideoMode(), Sink())
    camera.close()


def test_a_kernel_without_frame_rates_still_gives_pictures(kernel: PaperKernel) -> None:
    kernel.fail(raw.IOC.S_PARM, errno.ENOTTY)
    kernel.fail(raw.IOC.G_PARM, errno.ENOTTY)
    camera, sink = V4l2Camera(str(kernel.path)), Sink()
    assert camera.open(VideoMode(640, 480, 15), sink) == VideoMode(640, 480, 15)
    kernel.capture()
    sink.wait(1)
    camera.close()


def test_planes_of_the_raw_layouts() -> None:
    data = memoryview(bytes(range(256)) * 2)
    y, uv = split_planes(NV12, data, 16, 16)
    assert (len(y.data), len(uv.data), uv.stride) == (256, 128, 16)
    assert bytes(uv.data) == bytes(data[256:384])
    assert [len(plane.data) for plane in split_planes(PixelFormat.I420, data, 16, 16)] == [256, 64, 64]
    with pytest.raises(ValueError, match="less than a picture"):
        split_planes(YUYV, data, 64, 16)


def test_the_structures_are_the_kernels() -> None:
    """A linuxpy that changed them would break the paper kernel and the real one alike."""
    assert ctypes.sizeof(raw.v4l2_buffer) == 88
    assert ctypes.sizeof(raw.v4l2_format) == 208


def test_a_jpeg_that_breaks_off_is_no_picture() -> None:
    whole = b"\xff\xd8" + bytes(range(1, 200)) + b"\xff\xd9"
    assert is_whole_jpeg(whole)
    assert is_whole_jpeg(whole + bytes(3000)), "drivers fill up with zeros"
    assert not is_whole_jpeg(whole[: len(whole) // 2])
    assert not is_whole_jpeg(whole[2:])
    assert not is_whole_jpeg(b"")


def test_pictures_that_are_all_empty_are_a_failure(kernel: PaperKernel) -> None:
    """What a halted endpoint gives: every queued buffer back at once, then nothing."""
    camera, sink = V4l2Camera(str(kernel.path)), Sink()
    camera.open(VideoMode(), sink)
    kernel.capture()
    sink.wait(1)
    kernel.empty = True
    for _ in range(4):
        kernel.capture()
    assert camera.wait_ended(5)
    assert state_of(camera) is SourceState.FAILED
    assert "only empty pictures" in camera.reason
    assert camera.counters == {"frames": 1, "empty": 4}
    camera.close()


def test_a_picture_damaged_now_and_then_is_left_out(kernel: PaperKernel) -> None:
    camera, sink = V4l2Camera(str(kernel.path)), Sink()
    camera.open(VideoMode(), sink)
    for round_ in range(3):
        kernel.damaged = True
        kernel.capture()
        kernel.capture()
        kernel.wait_read(3 * round_ + 2)
        kernel.damaged = False
        kernel.capture()
        sink.wait(round_ + 1)
    assert state_of(camera) is SourceState.LIVE
    assert camera.counters == {"frames": 3, "damaged": 6}
    camera.close()


def test_a_node_a_hung_thread_still_holds_is_not_opened_twice(kernel: PaperKernel) -> None:
    first, second = V4l2Camera(str(kernel.path)), V4l2Camera(str(kernel.path))
    first.open(VideoMode(), Sink())
    with pytest.raises(SourceError, match="still being released") as caught:
        second.open(VideoMode(), Sink())
    assert caught.value.code == CAMERA_OCCUPY
    first.close()
    kernel.queued.clear()
    second.open(VideoMode(), Sink())
    second.close()
