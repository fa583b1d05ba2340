# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras of the kernel's Video4Linux2, by linuxpy."""

import contextlib
import errno
import logging
import os
import select
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

from linuxpy.video.device import (
    Capability,
    Device,
    EventType,
    MemoryMap,
    VideoCapture,
    deque_event,
    subscribe_event,
)

from callagent.devices.camera_controls import (
    PRIVACY_ID,
    ControlInfo,
    Value,
    apply_controls,
    read_controls,
    read_privacy,
    write_control,
)
from callagent.devices.camera_errors import camera_error, typed
from callagent.devices.camera_frames import FORMATS, fault_of, to_frame
from callagent.devices.camera_key_frames import request_key_frame
from callagent.devices.camera_modes import Need, choose_mode, explain
from callagent.devices.camera_offer import current_fps, fourcc_of, offered_modes
from callagent.devices.errors import ABSENT_CODES, CAMERA_OCCUPY, CAMERA_SET_PARAM_FAIL, CAMERA_START_FAIL
from callagent.devices.lifecycle import StatefulDevice, Waker
from callagent.devices.open_nodes import is_occupied, occupied
from callagent.devices.settings import CameraSettings
from callagent.devices.threads import label_thread
from callagent.devices.usb_bandwidth import port_carries, port_speed_mbps
from callagent.ports import (
    FrameSink,
    PixelFormat,
    SourceError,
    SourceState,
    VideoMode,
)

log = logging.getLogger(__name__)

_BUFFERS = 4
_POLL_S = 0.5
_CLOSE_S = 2.0
_DAMAGED_S = 1.0
_AT_ONCE_S = 0.05
_DEFAULT_SETTINGS = CameraSettings()


class V4l2Camera(StatefulDevice):
    """A `ports.VideoSource` on one /dev/videoN (any path or link to one).

    Captures with memory-mapped buffers on its own thread, which waits for the
    device with poll(2) and is woken by `close`; frames are copied out of the kernel's
    buffer once. `capture_time` is the driver's time stamp where that is monotonic.
    Damaged and empty pictures are dropped and counted; a camera that gives nothing
    else for a second has failed.
    """

    def __init__(
        self, path: str, name: str | None = None, settings: CameraSettings = _DEFAULT_SETTINGS
    ) -> None:
        """`name` is the stable id of the device list; the path when there is none."""
        super().__init__(name or path)
        self._path = path
        self._settings = settings
        self._waker: Waker | None = None
        self._thread: threading.Thread | None = None
        self.counters: Counter[str] = Counter()
        """Since it was made: `frames`, `damaged`, `empty`."""
        self._asking: threading.Thread | None = None
        self._deaf = False
        self.mode_reason = ""
        """Why it runs in another mode than was wished, in one sentence."""
        self.complaints: list[str] = []
        """Controls of the settings that the camera did not take, one sentence each."""
        self.on_privacy: Callable[[bool], None] | None = None
        """Called on the camera's thread when its shutter closes or opens, by cameras that tell."""

    def open(self, mode: VideoMode, sink: FrameSink) -> VideoMode:
        """Start capturing near this mode. Raises SourceError."""
        self._life.begin()
        device = Device(self._path)
        try:
            capture, used = self._start(device, mode)
        except (OSError, SourceError, ValueError) as error:
            with contextlib.suppress(OSError):
                device.close()
            problem = typed(error, self._path)
            state = SourceState.ABSENT if problem.code in ABSENT_CODES else SourceState.FAILED
            self._life.lose(state, str(problem))
            raise problem from error
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
        self._life.off()

    def request_key_frame(self) -> bool:
        """Of a camera that encodes by itself; in the background: a camera may take seconds to answer."""
        if self._asking is not None and self._asking.is_alive():
            return True
        if self._deaf:
            return False
        self._asking = threading.Thread(
            target=self._ask_for_key_frame, name=f"camera-key-frame:{self._path}", daemon=True
        )
        self._asking.start()
        return True

    def _ask_for_key_frame(self) -> None:
        try:
            with self._node() as node:
                self._deaf = not request_key_frame(node, self._path)
        except SourceError as error:
            log.debug("%s", error)
        if self._deaf:
            log.info("camera %s cannot be asked for key frames", self._path)

    def controls(self) -> list[ControlInfo]:
        """What can be set, as it is now; open or closed. Raises SourceError. May take seconds."""
        with self._node() as node:
            return read_controls(node)

    def set_control(self, name: str, value: Value) -> None:
        """Set one control, open or closed. Raises SourceError. May take seconds."""
        with self._node() as node:
            write_control(node, name, value)

    def privacy(self) -> bool | None:
        """Whether its shutter is closed; None for a camera that cannot tell. Raises SourceError."""
        with self._node() as node:
            return read_privacy(node)

    @contextlib.contextmanager
    def _node(self) -> Iterator[int]:
        """A descriptor of its own: controls may be set beside a running stream."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise camera_error(error, self._path) from error
        try:
            yield descriptor
        except OSError as error:
            raise camera_error(error, self._path) from error
        finally:
            os.close(descriptor)

    def _start(self, device: Device, wish: VideoMode) -> tuple[VideoCapture, VideoMode]:
        """Set mode and controls and start the stream. Raises OSError, SourceError."""
        if is_occupied(self._path):
            raise SourceError(f"The camera {self._path} is still being released by its driver", CAMERA_OCCUPY)
        device.open()
        _require_capture(device, self._path)
        settings = self._settings
        carries = port_carries(port_speed_mbps(self._path))
        need = Need(wish, settings.formats, economy=settings.economy, carries=carries, coded=settings.coded)
        offered = list(offered_modes(device, need.target))
        choice = choose_mode(offered, need)
        if choice is None:
            raise SourceError(f"The camera {self._path} offers no format known here", CAMERA_SET_PARAM_FAIL)
        self.mode_reason = explain(choice, offered, need)
        capture = VideoCapture(device, size=_BUFFERS)
        capture.set_format(choice.width, choice.height, fourcc_of(device, choice.format))
        with contextlib.suppress(OSError):
            # Not every driver has a frame rate to set; the stream thins out what is too much.
            capture.set_fps(need.target.fps)
        got = capture.get_format()
        if FORMATS.get(got.pixel_format) not in {*need.accepts, choice.format}:
            raise SourceError(f"The camera {self._path} refuses its format", CAMERA_SET_PARAM_FAIL)
        self.complaints = apply_controls(device, settings.controls)
        for complaint in self.complaints:
            log.warning("camera %s: %s", self._path, complaint)
        try:
            capture.open()
        except OSError:
            _give_back(capture)
            raise
        return capture, VideoMode(got.width, got.height, current_fps(capture, need.target.fps))

    def _run(self, device: Device, capture: VideoCapture, waker: Waker, sink: FrameSink) -> None:
        with occupied(self._path):
            label_thread()
            try:
                events = select.POLLIN
                if self._watches_privacy(device):
                    events |= select.POLLPRI
                    self._tell_shutter(device)
                waker.watch(device.fileno(), events)
                self._capture(device, capture, waker, sink)
            except (OSError, ValueError, SourceError) as error:
                self._lose(error)
            finally:
                _give_back(capture)
                with contextlib.suppress(OSError):
                    device.close()
                waker.close()

    def _lose(self, error: Exception) -> None:
        problem = typed(error, self._path)
        if problem.code in ABSENT_CODES:
            self._life.lose(SourceState.ABSENT, f"The camera {self._path} was unplugged")
        elif isinstance(error, SourceError):
            self._life.lose(SourceState.FAILED, str(problem))
        else:
            self._life.lose(SourceState.FAILED, f"The camera {self._path} stopped: {error}")

    def _watches_privacy(self, device: Device) -> bool:
        try:
            subscribe_event(device, EventType.CTRL, PRIVACY_ID)
        except OSError:
            return False
        return True

    def _capture(self, device: Device, capture: VideoCapture, waker: Waker, sink: FrameSink) -> None:
        buffers = capture.buffer
        assert isinstance(buffers, MemoryMap)
        judge = _Judge(self._path)
        while True:
            ready = waker.wait(_POLL_S)
            if waker.stopped:
                return
            if not ready:
                continue
            events = ready[0][1]
            if events & select.POLLPRI and not events & (select.POLLERR | select.POLLHUP):
                self._tell_privacy(device)
                if not events & select.POLLIN:
                    continue
            try:
                raw = buffers.raw_read()
            except BlockingIOError:
                # Poll reported an error condition rather than a picture; it would do so for ever.
                if not events & select.POLLIN:
                    raise OSError(errno.EIO, os.strerror(errno.EIO)) from None
                continue
            fault = fault_of(raw)
            self.counters[fault or "frames"] += 1
            judge.judge(fault)
            if fault:
                if FORMATS.get(raw.format.pixel_format) is PixelFormat.H264:
                    # What follows cannot be decoded without it.
                    self.request_key_frame()
                continue
            frame = to_frame(raw)
            self._life.live()
            sink.put(frame)

    def _tell_privacy(self, device: Device) -> None:
        event = deque_event(device)
        if event.type == EventType.CTRL and event.id == PRIVACY_ID:
            self._tell_shutter(device)

    def _tell_shutter(self, device: Device) -> None:
        if self.on_privacy is not None:
            self.on_privacy(bool(read_privacy(device)))


class _Judge:
    """Decides when pictures have been bad for too long. Raises SourceError then."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._bad_since: float | None = None
        self._bad = 0

    def judge(self, fault: str) -> None:
        if not fault:
            self._bad_since, self._bad = None, 0
            return
        now = time.monotonic()
        self._bad += 1
        self._bad_since = self._bad_since or now
        # A halted endpoint gives every queued buffer back at once, empty, and is silent from then on.
        halted = fault == "empty" and self._bad >= _BUFFERS and now - self._bad_since < _AT_ONCE_S
        if halted or now - self._bad_since >= _DAMAGED_S:
            raise SourceError(f"The camera {self._path} gives only {fault} pictures", CAMERA_START_FAIL)


def _give_back(capture: VideoCapture) -> None:
    """Stop the stream, free the buffers.

    A device that is gone refuses STREAMOFF, and linuxpy then keeps the buffers, each with a descriptor of its
    own, until the garbage collector looks for circles.
    """
    with contextlib.suppress(OSError):
        capture.close()
    if capture.buffer is not None:
        with contextlib.suppress(OSError):
            capture.disarm()


def _require_capture(device: Device, path: str) -> None:
    capabilities = _capabilities(device, path)
    if Capability.VIDEO_CAPTURE not in capabilities or Capability.STREAMING not in capabilities:
        raise SourceError(f"{path} gives no pictures", CAMERA_START_FAIL)


def _capabilities(device: Device, path: str) -> Capability:
    try:
        return Capability(device.info.device_capabilities)
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EINVAL):
            raise SourceError(f"{path} is not a camera", CAMERA_START_FAIL) from error
        raise
