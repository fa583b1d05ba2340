# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera a call binds to: live pictures, or a slate that says why there are none."""

import dataclasses
from collections.abc import Callable

from callagent.devices.errors import CAMERA_START_FAIL, NO_CAMERA
from callagent.media.h264 import BitstreamError, ParameterSets, opening
from callagent.media.rotation import upright
from callagent.media.slate import SlatePainter
from callagent.media.slot import STALLED_S, DeviceSlot
from callagent.media.slot_log import SlotEvent
from callagent.media.subscribers import Subscribers
from callagent.media.tenancy import Tenancy
from callagent.ports import (
    Clock,
    CodedSource,
    FrameSink,
    PixelFormat,
    Plane,
    Rotation,
    SourceState,
    VideoFrame,
    VideoMode,
    VideoSource,
)

SLATE_INTERVAL_S = 0.2
_GRACE_S = 0.05
"""A camera that opens so fast needs no slate before its first picture."""
_NEW_S = 0.25
"""An older picture is no picture of now."""


class CameraSlot(DeviceSlot[VideoSource]):
    """Pictures for as many subscribers as like, from whatever camera is behind it.

    While started it always gives: the camera's frames, or, when the camera is
    starting, absent, failed or stalled, slates (I420, five a second) with the
    reason as text, the first at most 100 ms after the loss. `capture_time` only
    ever increases; H.264 has parameter sets before every key frame. Subscribers are
    called on the camera's or the slot's thread.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__("camera", "picture", (CAMERA_START_FAIL, NO_CAMERA), clock)
        self._subscribers: Subscribers[VideoFrame] = Subscribers()
        self._wish = VideoMode()
        self._modes: dict[int, VideoMode] = {}
        self._rotation: Rotation = 0
        self._slates = SlatePainter()
        self._size: tuple[int, int] | None = None
        self._parameter_sets = ParameterSets()
        self._slate_due = 0.0
        self._showed_live = False
        self._last_capture_time = 0.0
        self._newest: VideoFrame | None = None

    @property
    def mode(self) -> VideoMode | None:
        """The mode the camera really runs in; None while it is not open."""
        source = self._source
        return None if source is None else self._modes.get(id(source))

    @property
    def rotation(self) -> Rotation:
        """Degrees clockwise that turn the camera's picture upright; may be set at any time, by any thread."""
        return self._rotation

    @rotation.setter
    def rotation(self, rotation: Rotation) -> None:
        self._rotation = rotation

    @property
    def wish(self) -> VideoMode:
        """The mode asked for with `start`."""
        return self._wish

    def start(self, mode: VideoMode) -> None:
        """Want pictures, near this mode; of another mode than now, the camera is opened anew."""
        with self._lock:
            reopen = self._wanted and mode != self._wish
            self._wish = mode
            if reopen:
                self._release()
                self._take()
        if reopen:
            self._changed()
        else:
            self._want()

    def subscribe(self, sink: FrameSink) -> Callable[[], None]:
        """Give every picture to the sink from now on; returns the way to leave.

        The newest one comes at once: who subscribes to a camera that runs, as the first encoder of a call
        does, need not wait for the next. Of coded pictures it would be no beginning.
        """
        with self._lock:
            leave = self._subscribers.add(sink)
            newest = self._newest
            if newest is not None and self._clock.now() - newest.capture_time < _NEW_S:
                sink.put(newest)

        def unsubscribe() -> None:
            with self._lock:
                leave()

        return unsubscribe

    def request_key_frame(self) -> bool:
        """Of a camera that encodes by itself; returns at once. False when it cannot be asked."""
        source: object = self.live_source
        return isinstance(source, CodedSource) and source.request_key_frame()

    def _end(self) -> None:
        self._newest = None
        super()._end()

    def _open(self, source: VideoSource, tenancy: Tenancy) -> None:
        mode = source.open(self._wish, _Gate(self, tenancy))
        with self._lock:
            if tenancy.released:
                return
            self._modes[id(source)] = mode
        self._changed()

    def _taken(self, now: float) -> None:
        self._modes.clear()
        self._newest = None
        self._parameter_sets = ParameterSets()
        self._slate_due = now if self._source is None else now + _GRACE_S

    def _put_live(self, tenancy: Tenancy, frame: VideoFrame) -> None:
        with self._lock:
            if not self._let_in(tenancy):
                return
            first = self._gave(self._clock.now())
            whole = self._complete(frame) if frame.format is PixelFormat.H264 else frame
            rotation = self._rotation
            self._size = upright(frame.width, frame.height, rotation)
            self._showed_live = True
            if whole is not None:
                self._deliver(dataclasses.replace(whole, rotation=rotation) if rotation else whole)
        if first:
            self._changed()

    def _complete(self, frame: VideoFrame) -> VideoFrame | None:
        """With parameter sets before every key frame: many cameras give them once, subscribers come later."""
        data = frame.planes[0].data
        try:
            whole = self._parameter_sets.complete(data, opening(data))
        except BitstreamError:
            return frame
        if whole is None or whole is data:
            return None if whole is None else frame
        return dataclasses.replace(frame, planes=(Plane(memoryview(whole), 0),))

    def _fill(self, now: float) -> float:
        if self._state is SourceState.LIVE:
            # The slate that is due when the camera stalls; a loss wakes the thread at once.
            self._slate_due = self._last_live + STALLED_S
        elif now >= self._slate_due:
            width, height = self._size or self._wished_size()
            self._deliver(self._slates.paint(width, height, self._slate_text(), now))
            if self._showed_live:
                self._showed_live = False
                self._note(SlotEvent.FILLED)
            self._slate_due = max(self._slate_due + SLATE_INTERVAL_S, now + SLATE_INTERVAL_S / 2)
        return max(0.0, self._slate_due - now)

    def _lost(self, tenancy: Tenancy, state: SourceState, reason: str, code: int) -> None:
        with self._lock:
            if self._is_current(tenancy):
                self._modes.pop(id(self._source), None)
                if self._state is SourceState.LIVE:
                    self._slate_due = self._clock.now()
        super()._lost(tenancy, state, reason, code)

    def _wished_size(self) -> tuple[int, int]:
        """Of a slate before any picture: as the picture will stand upright."""
        return upright(self._wish.width, self._wish.height, self._rotation)

    def _slate_text(self) -> str:
        return "The camera is starting" if self._state is SourceState.STARTING else self._reason

    def _deliver(self, frame: VideoFrame) -> None:
        if frame.capture_time <= self._last_capture_time:
            # A slate is younger than the camera's first picture, captured some time before it arrives.
            frame = dataclasses.replace(frame, capture_time=self._last_capture_time + 1e-6)
        self._last_capture_time = frame.capture_time
        self._newest = None if frame.format is PixelFormat.H264 else frame
        self._subscribers.put(frame)


class _Gate:
    """Lets a camera's pictures through while it is the one behind the slot."""

    def __init__(self, slot: CameraSlot, tenancy: Tenancy) -> None:
        self._slot = slot
        self._tenancy = tenancy

    def put(self, frame: VideoFrame) -> None:
        self._slot._put_live(self._tenancy, frame)
