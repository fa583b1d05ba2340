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

from callagent.devices.camera_modes import CameraMode, choose_mode
from callagent.devices.errors import (
    CAMERA_NOT_AUTHORIZED,
    CAMERA_OCCUPY,
    CAMERA_SET_PARAM_FAIL,
    CAMERA_START_FAIL,
    NO_CAMERA,
)
from callagent.devices.listing import list_cameras, list_microphones, list_speakers, parse_pcms
from callagent.devices.video4linux import V4l2Camera, camera_error, nearest_step, split_planes
from callagent.ports import PixelFormat, SourceError, SourceState, VideoFrame, VideoMode
from tests.unit.states import state_of

MJPEG, YUYV, NV12 = PixelFormat.MJPEG, PixelFormat.YUYV, PixelFormat.NV12
WEBCAM = [
    CameraMode(YUYV, 320, 240, 30),
    CameraMode(YUYV, 640, 480, 30),
    CameraMode(YUYV, 1280, 720, 10),
    CameraMode(MJPEG, 640, 480, 30),
    CameraMode(MJPEG, 1280, 720, 30),
    CameraMode(MJPEG, 1920, 1080, 30),
]


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (VideoMode(640, 480, 15), CameraMode(YUYV, 640, 480, 30)),
        (VideoMode(1280, 720, 30), CameraMode(MJPEG, 1280, 720, 30)),
        (VideoMode(960, 540, 15), CameraMode(MJPEG, 1280, 720, 30)),
        (VideoMode(640, 360, 30), CameraMode(YUYV, 640, 480, 30)),
        (VideoMode(160, 120, 30), CameraMode(YUYV, 320, 240, 30)),
        (VideoMode(3840, 2160, 30), CameraMode(MJPEG, 1920, 1080, 30)),
        (VideoMode(1280, 720, 60), CameraMode(MJPEG, 1280, 720, 30)),
    ],
)
def test_the_nearest_mode(wish: VideoMode, expected: CameraMode) -> None:
    assert choose_mode(WEBCAM, wish) == expected


def test_mode_corner_cases() -> None:
    assert choose_mode([], VideoMode()) is None
    slow_only = [CameraMode(YUYV, 640, 480, 5), CameraMode(YUYV, 1280, 720, 2)]
    assert choose_mode(slow_only, VideoMode(1280, 720, 30)) == slow_only[0]
    silent = [CameraMode(NV12, 640, 480, 0)]
    assert choose_mode(silent, VideoMode()) == silent[0]
    ntsc = [CameraMode(YUYV, 640, 480, 29.97), CameraMode(YUYV, 1920, 1080, 60)]
    assert choose_mode(ntsc, VideoMode(640, 480, 30)) == ntsc[0]


@given(st.integers(1, 5000), st.integers(16, 200), st.integers(200, 4000), st.integers(0, 64))
def test_nearest_step_is_one_of_the_range(wish: int, low: int, high: int, step: int) -> None:
    value = nearest_step(wish, low, high, step)
    assert low <= value <= high
    if low <= wish <= high:
        assert abs(value - wish) <= max(1, step)


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
        self.streaming = False
        self.sequence = 0

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
            arg.bytesused = self.size[0] * self.size[1] * 2
            arg.sequence = self.sequence
            self.sequence += 1
            arg.flags = raw.BufferFlag.TIMESTAMP_MONOTONIC
            now = time.monotonic()
            arg.timestamp.secs, arg.timestamp.usecs = int(now), int(now % 1 * 1e6)

    def mmap(self, fd: object, length: int, offset: int) -> "PaperMemory":
        return PaperMemory(length)


class PaperMemory(bytearray):
    def close(self) -> None:
        self.clear()


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


@pytest.mark.parametrize("request_", [raw.IOC.S_FMT, raw.IOC.REQBUFS, raw.IOC.STREAMON])
def test_an_occupied_camera(kernel: PaperKernel, request_: object) -> None:
    kernel.fail(request_, errno.EBUSY)
    camera = V4l2Camera(str(kernel.path))
    with pytest.raises(SourceError) as caught:
        camera.open(VideoMode(), Sink())
    assert caught.value.code == CAMERA_OCCUPY
    assert state_of(camera) is SourceState.FAILED
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


def test_listing_works_with_nothing_plugged_in(tmp_path: Path) -> None:
    assert list_cameras(tmp_path) == []
    assert isinstance(list_cameras(), list)
    assert all(device.path.startswith("hw:CARD=") for device in list_microphones() + list_speakers())


def test_a_camera_that_cannot_be_examined_is_listed_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "video3").symlink_to("/nowhere/at/all")
    (camera,) = list_cameras(tmp_path)
    assert camera.path == str(tmp_path / "video3")
    assert "There is no camera" in camera.description


def test_a_camera_is_listed_by_the_name_udev_gave_it(kernel: PaperKernel) -> None:
    dev = kernel.path.parent
    (plain,) = list_cameras(dev)
    assert (plain.id, plain.name, plain.description) == ("paper-1:video0", "Paper camera", "paper-1")
    (dev / "v4l" / "by-id").mkdir(parents=True)
    (dev / "v4l" / "by-id" / "usb-Paper_123-video-index0").symlink_to(kernel.path)
    (named,) = list_cameras(dev)
    assert named.id == "usb-Paper_123-video-index0"


def test_sound_cards_from_the_kernels_lists() -> None:
    cards = (
        " 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n"
        "                      HDA Intel PCH at 0xf7f10000 irq 31\n"
        " 1 [C920           ]: USB-Audio - HD Pro Webcam C920\n"
        "                      HD Pro Webcam C920 at usb-0000:00:14.0-2, high speed\n"
    )
    pcms = (
        "00-00: ALC3234 Analog : ALC3234 Analog : playback 1 : capture 1\n"
        "00-03: HDMI 0 : HDMI 0 : playback 1\n"
        "01-00: USB Audio : USB Audio : capture 1\n"
        "07-00: of no card : of no card : capture 1\n"
    )
    found = parse_pcms(cards, pcms)
    assert [(pcm.info().path, pcm.plays, pcm.captures) for pcm in found] == [
        ("hw:CARD=PCH,DEV=0", True, True),
        ("hw:CARD=PCH,DEV=3", True, False),
        ("hw:CARD=C920,DEV=0", False, True),
    ]
    assert (found[2].info().name, found[2].info().description) == ("HD Pro Webcam C920", "USB Audio")
    assert parse_pcms("", "") == []
    assert parse_pcms("--- no soundcards ---\n", "") == []
