# SPDX-License-Identifier: GPL-3.0-or-later
"""A camera made of software, whose every picture says which one it is and when it was made."""

import math
import threading

import numpy as np
from numpy.typing import NDArray

from callagent.devices.errors import CAMERA_OCCUPY
from callagent.devices.virtual import framecode
from callagent.devices.virtual.faults import VirtualDevice
from callagent.ports import (
    Clock,
    FrameSink,
    MonotonicClock,
    PixelFormat,
    Plane,
    VideoFrame,
    VideoMode,
)

_PERIOD_S = 8.0
"""How long the disc takes for one round: calm enough to look at for hours."""


class VirtualCamera(VirtualDevice):
    """A `ports.VideoSource` with a calm moving picture in I420 and a frame code at its top.

    Gives exactly the mode it is asked for (even sizes, at least 64x32), paced
    without drift on the monotonic clock from its own thread. A picture that is
    overdue by more than one interval is skipped, as a camera's would be; the
    frame counter counts pictures given.
    """

    def __init__(self, name: str = "virtual-camera", ident: int = 1, *, clock: Clock | None = None) -> None:
        super().__init__(name, CAMERA_OCCUPY)
        self._ident = ident
        self._clock = clock or MonotonicClock()
        self._counter = 0

    @property
    def counter(self) -> int:
        """Pictures given since the last `open`."""
        return self._counter

    def open(self, mode: VideoMode, sink: FrameSink) -> VideoMode:
        """Start giving pictures. Raises SourceError when `occupied` is set."""
        self._begin()
        used = VideoMode(
            max(framecode.MIN_WIDTH, mode.width - mode.width % 2),
            max(framecode.MIN_HEIGHT, mode.height - mode.height % 2),
            max(1, mode.fps),
        )
        self._counter = 0
        self._thread = threading.Thread(target=self._run, args=(used, sink), name=self._name, daemon=True)
        self._thread.start()
        return used

    def _run(self, mode: VideoMode, sink: FrameSink) -> None:
        painter = _Painter(mode.width, mode.height)
        interval = 1.0 / mode.fps
        due = self._clock.now()
        while not self._stop.wait(max(0.0, due - self._clock.now())):
            now = self._clock.now()
            due += interval * max(1, math.floor((now - due) / interval) + 1)
            if self._frozen.is_set():
                continue
            code = framecode.FrameCode(
                self._counter % 65536, framecode.unix_ms() % framecode.CLOCK_MODULUS, self._ident
            )
            frame = painter.paint(now, code)
            self._counter += 1
            self._life.live()
            if not self._stop.is_set():
                sink.put(frame)


class _Painter:
    """Draws the picture: a still gradient made once, a disc on a slow round, the frame code."""

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._still = _gradient(width, height)
        radius = max(2, min(width, height) // 10)
        offsets = np.arange(-radius, radius)
        self._disc = (offsets[:, None] ** 2 + offsets[None, :] ** 2) <= radius**2
        self._radius = radius

    def paint(self, now: float, code: framecode.FrameCode) -> VideoFrame:
        width, height = self._width, self._height
        picture = self._still.copy()
        luma = picture[: width * height].reshape(height, width)
        angle = 2 * math.pi * (now % _PERIOD_S) / _PERIOD_S
        x = int(width / 2 + math.cos(angle) * (width / 2 - self._radius) * 0.8)
        y = int(height * 9 / 16 + math.sin(angle) * (height * 7 / 16 - self._radius) * 0.8)
        area = luma[y - self._radius : y + self._radius, x - self._radius : x + self._radius]
        area[self._disc[: area.shape[0], : area.shape[1]]] = 210
        framecode.draw(luma, code)
        return i420_frame(picture, width, height, now)


def i420_frame(picture: NDArray[np.uint8], width: int, height: int, capture_time: float) -> VideoFrame:
    """Wrap a flat, contiguous I420 picture (width * height * 3/2 bytes, even sizes) without copying."""
    view = picture.data
    luma, chroma = width * height, width * height // 4
    planes = (
        Plane(view[:luma], width),
        Plane(view[luma : luma + chroma], width // 2),
        Plane(view[luma + chroma :], width // 2),
    )
    return VideoFrame(PixelFormat.I420, width, height, planes, capture_time)


def _gradient(width: int, height: int) -> NDArray[np.uint8]:
    """A soft diagonal gradient, blue to green; grey chroma under the strip of the frame code."""
    picture = np.empty(width * height * 3 // 2, np.uint8)
    luma = picture[: width * height].reshape(height, width)
    across = np.linspace(0, 60, width)[None, :]
    down = np.linspace(0, 50, height)[:, None]
    luma[:] = (60 + across + down).astype(np.uint8)
    chroma = picture[width * height :].reshape(2, height // 2, width // 2)
    chroma[0] = np.linspace(150, 110, height // 2)[:, None].astype(np.uint8)
    chroma[1] = np.linspace(120, 105, width // 2)[None, :].astype(np.uint8)
    chroma[:, : math.ceil(height / 16)] = 128
    return picture
