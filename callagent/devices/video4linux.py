# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras of the kernel's Video4Linux2, by linuxpy."""

import contextlib
import errno
import logging
import os
import select
import threading
import time
from collections.abc import Iterator

from linuxpy.video.device import BufferFlag, Capability, Device, Frame, FrameSizeType, MemoryMap, VideoCapture
from linuxpy.video.device import PixelFormat as FourCC

from callagent.devices.camera_modes import CameraMode, choose_mode
from callagent.devices.errors import (
    ABSENT_CODES,
    CAMERA_NOT_AUTHORIZED,
    CAMERA_OCCUPY,
    CAMERA_SET_PARAM_FAIL,
    CAMERA_START_FAIL,
    NO_CAMERA,
)
from callagent.devices.lifecycle import StatefulDevice, Waker
from callagent.ports import (
    FrameSink,
    PixelFormat,
    Plane,
    SourceError,
    SourceState,
    VideoFrame,
    VideoMode,
)

log = logging.getLogger(__name__)

_FORMATS = {
    FourCC.MJPEG: PixelFormat.MJPEG,
    FourCC.JPEG: PixelFormat.MJPEG,
    FourCC.YUYV: PixelFormat.YUYV,
    FourCC.NV12: PixelFormat.NV12,
    FourCC.YUV420: PixelFormat.I420,
}
_BUFFERS = 4
_POLL_S = 0.5
_CLOSE_S = 2.0


def camera_error(error: OSError, path: str) -> SourceError:
    """The typed error for what the kernel said about this camera."""
    gone = {errno.ENOENT, errno.ENODEV, errno.ENXIO}
    if error.errno in gone:
        return SourceError(f"There is no camera {path}", NO_CAMERA)
    if error.errno in (errno.EACCES, errno.EPERM):
        return SourceError(f"The camera {path} may not be used: {error.strerror}", CAMERA_NOT_AUTHORIZED)
    if error.errno == errno.EBUSY:
        return SourceError(f"The camera {path} is in use by another program", CAMERA_OCCUPY)
    if error.errno == errno.EINVAL:
        return SourceError(f"The camera {path} refuses its settings", CAMERA_SET_PARAM_FAIL)
    return SourceError(f"The camera {path} does not start: {error.strerror or error}", CAMERA_START_FAIL)


class V4l2Camera(StatefulDevice):
    """A `ports.VideoSource` on one /dev/videoN (any path or link to one).

    Captures with memory-mapped buffers on its own thread, which waits for the
    device with poll(2) and is woken by `close`; frames are copied out of the kernel's
    buffer once. `capture_time` is the driver's time stamp where that is monotonic.
    """

    def __init__(self, path: str, name: str | None = None) -> None:
        """`name` is the stable id of the device list; the path when there is none."""
        super().__init__(name or path)
        self._path = path
        self._waker: Waker | None = None
        self._thread: threading.Thread | None = None

    def open(self, mode: VideoMode, sink: FrameSink) -> VideoMode:
        """Start capturing near this mode. Raises SourceError."""
        self._life.begin()
        device = Device(self._path)
        try:
            capture, used = _start(device, self._path, mode)
        except (OSError, SourceError, ValueError) as error:
            with contextlib.suppress(OSError):
                device.close()
            typed = _typed(error, self._path)
            state = SourceState.ABSENT if typed.code in ABSENT_CODES else SourceState.FAILED
            self._life.lose(state, str(typed))
            raise typed from error
        self._waker = waker = Waker()
        self._thread = threading.Thread(
            target=self._run, args=(device, capture, waker, sink), name=f"camera:{self._path}", daemon=True
        )
        self._thread.start()
        return used

    def close(self) -> None:
        """Stop capturing; blocks until the kernel has released the device, 2 s at most."""
        thread, waker = self._thread, self._waker
        self._thread = self._waker = None
        if thread is not None and waker is not None:
            waker.stop()
            thread.join(_CLOSE_S)
            if thread.is_alive():
                log.error("the driver of camera %s does not let go; thread %r hangs", self._path, thread.name)
            else:
                waker.close()
        self._life.off()

    def _run(self, device: Device, capture: VideoCapture, waker: Waker, sink: FrameSink) -> None:
        try:
            waker.watch(device.fileno(), select.POLLIN)
            self._capture(capture, waker, sink)
        except (OSError, ValueError) as error:
            typed = _typed(error, self._path)
            absent = typed.code in ABSENT_CODES
            self._life.lose(
                SourceState.ABSENT if absent else SourceState.FAILED,
                f"The camera {self._path} was unplugged"
                if absent
                else f"The camera {self._path} stopped: {error}",
            )
        finally:
            # A device that is gone refuses STREAMOFF; its memory and descriptor are given back all the same.
            with contextlib.suppress(OSError):
                capture.close()
            with contextlib.suppress(OSError):
                device.close()

    def _capture(self, capture: VideoCapture, waker: Waker, sink: FrameSink) -> None:
        buffers = capture.buffer
        assert isinstance(buffers, MemoryMap)
        while True:
            ready = waker.wait(_POLL_S)
            if waker.stopped:
                return
            if not ready:
                continue
            try:
                raw = buffers.raw_read()
            except BlockingIOError:
                # Poll reported an error condition rather than a picture; it would do so for ever.
                if not ready[0][1] & select.POLLIN:
                    raise OSError(errno.EIO, os.strerror(errno.EIO)) from None
                continue
            if BufferFlag.ERROR in raw.flags or not len(raw.data):
                continue
            frame = to_frame(raw)
            self._life.live()
            sink.put(frame)


def to_frame(raw: Frame) -> VideoFrame:
    """A captured buffer as our frame. Raises ValueError when it is shorter than its format needs."""
    layout = raw.format
    pixel_format = _FORMATS[FourCC(layout.pixel_format)]
    data = memoryview(raw.data)
    width, height = layout.width - layout.width % 2, layout.height - layout.height % 2
    planes = split_planes(pixel_format, data, layout.bytes_per_line, layout.height)
    return VideoFrame(pixel_format, width, height, planes, capture_time(raw))


def split_planes(pixel_format: PixelFormat, data: memoryview, stride: int, height: int) -> tuple[Plane, ...]:
    """V4L2's single-planar layouts: the planes lie one behind the other. Raises ValueError if too short."""
    if pixel_format is PixelFormat.MJPEG:
        return (Plane(data, 0),)
    sizes = {
        PixelFormat.YUYV: ((stride, height),),
        PixelFormat.NV12: ((stride, height), (stride, height // 2)),
        PixelFormat.I420: ((stride, height), (stride // 2, height // 2), (stride // 2, height // 2)),
    }[pixel_format]
    if len(data) < sum(step * rows for step, rows in sizes):
        raise ValueError("the camera gave less than a picture")
    planes, start = [], 0
    for step, rows in sizes:
        planes.append(Plane(data[start : start + step * rows], step))
        start += step * rows
    return tuple(planes)


def capture_time(raw: Frame) -> float:
    """The driver's time stamp in seconds when it is of CLOCK_MONOTONIC, else now."""
    flags = raw.buff.flags & BufferFlag.TIMESTAMP_MASK
    return float(raw.timestamp) if flags == BufferFlag.TIMESTAMP_MONOTONIC else time.monotonic()


def _typed(error: Exception, path: str) -> SourceError:
    if isinstance(error, SourceError):
        return error
    if isinstance(error, OSError):
        return camera_error(error, path)
    return SourceError(f"The camera {path} does not start: {error}", CAMERA_START_FAIL)


def _start(device: Device, path: str, wish: VideoMode) -> tuple[VideoCapture, VideoMode]:
    """Set the mode and start the stream. Raises OSError, SourceError."""
    device.open()
    capabilities = _capabilities(device, path)
    if Capability.VIDEO_CAPTURE not in capabilities or Capability.STREAMING not in capabilities:
        raise SourceError(f"{path} gives no pictures", CAMERA_START_FAIL)
    choice = choose_mode(offered_modes(device, wish), wish)
    if choice is None:
        raise SourceError(f"The camera {path} offers no format known here", CAMERA_SET_PARAM_FAIL)
    capture = VideoCapture(device, size=_BUFFERS)
    fourcc = next(code for code in _FORMATS if _FORMATS[code] is choice.format and _offers(device, code))
    capture.set_format(choice.width, choice.height, fourcc)
    with contextlib.suppress(OSError):
        # Not every driver has a frame rate to set; the stream thins out what is too much.
        capture.set_fps(wish.fps)
    got = capture.get_format()
    if got.pixel_format not in _FORMATS:
        raise SourceError(f"The camera {path} refuses its format", CAMERA_SET_PARAM_FAIL)
    capture.open()
    return capture, VideoMode(got.width, got.height, _fps(capture, wish.fps))


def _capabilities(device: Device, path: str) -> Capability:
    try:
        return Capability(device.info.device_capabilities)
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EINVAL):
            raise SourceError(f"{path} is not a camera", CAMERA_START_FAIL) from error
        raise


def _offers(device: Device, fourcc: FourCC) -> bool:
    return any(each.pixel_format == fourcc for each in device.info.formats)


def _fps(capture: VideoCapture, wish: int) -> int:
    try:
        return max(1, round(float(capture.get_fps())))
    except (OSError, ZeroDivisionError):
        return wish


def offered_modes(device: Device, wish: VideoMode) -> Iterator[CameraMode]:
    """What the open device offers in the formats known here; of a range of sizes, the nearest."""
    for image_format in device.info.formats:
        pixel_format = _FORMATS.get(image_format.pixel_format)
        if pixel_format is None:
            continue
        for size in device.info.format_frame_sizes(image_format.pixel_format):
            if size.type == FrameSizeType.DISCRETE:
                width, height = size.info.width, size.info.height
            else:
                step = size.info
                width = nearest_step(wish.width, step.min_width, step.max_width, step.step_width)
                height = nearest_step(wish.height, step.min_height, step.max_height, step.step_height)
            intervals = device.info.fps_intervals(image_format.pixel_format, width, height)
            # linuxpy names stepwise limits after the intervals: its min_fps is the larger one there.
            max_fps = max((float(max(each.min_fps, each.max_fps)) for each in intervals), default=0.0)
            yield CameraMode(pixel_format, width, height, max_fps)


def nearest_step(wish: int, low: int, high: int, step: int) -> int:
    """The value of low, low + step, ... high that is next to the wish."""
    clamped = max(low, min(wish, high))
    return clamped if step <= 1 else min(high, low + round((clamped - low) / step) * step)
