# SPDX-License-Identifier: Apache-2.0
"""The agent's end of one stream: takes pictures from any thread, for whoever reads the stream."""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

from callagent.frames.ring import SLOTS, RingWriter, SourcePlane
from callagent.protocol.frames import MAX_PIXELS, lay_out, plane_rows

logger = logging.getLogger(__name__)

I420_NAME = "yuv420p"


class PlaneLike(Protocol):
    """As `ports.Plane`."""

    @property
    def data(self) -> memoryview: ...
    @property
    def stride(self) -> int: ...


class FrameLike(Protocol):
    """As `ports.VideoFrame`, of which only I420 can be shown."""

    @property
    def format(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def planes(self) -> Sequence[PlaneLike]: ...
    @property
    def capture_time(self) -> float: ...
    @property
    def rotation(self) -> int: ...


class Stream:
    """A `FrameSink`. As long as nobody reads the stream it has no memory and copies nothing."""

    def __init__(self, stream_id: str, announce: Callable[[], None], slots: int = SLOTS) -> None:
        """`announce` is called, on the thread of `put`, when the stream has another memory than before."""
        self.id = stream_id
        self._announce = announce
        self._slots = slots
        self._lock = threading.Lock()
        self._ring: RingWriter | None = None
        self._readers: frozenset[int] = frozenset()
        self._counter = 0
        self._refused = ""
        self._ended = False

    @property
    def taken(self) -> int:
        """How many pictures went into its memory so far."""
        return self._counter

    def put(self, frame: FrameLike) -> None:
        """Hand over one picture, from any thread; returns at once, never raises."""
        if not self._readers:
            return
        problem = _problem(frame)
        if problem:
            self._refuse(problem)
            return
        try:
            with self._lock:
                if self._ended or not self._readers:
                    return
                moved = self._write(frame)
        except OSError as error:
            self._refuse(f"no shared memory: {error}")
            return
        if moved:
            self._announce()

    @contextmanager
    def memory(self) -> Iterator[RingWriter | None]:
        """The ring, which does not change meanwhile; None while there is none. Pictures wait: be quick."""
        with self._lock:
            yield self._ring

    def add_reader(self, eventfd: int) -> None:
        """From now on each picture adds 1 to it. The descriptor stays the caller's, until `remove_reader`."""
        with self._lock:
            self._readers |= {eventfd}

    def remove_reader(self, eventfd: int) -> None:
        """After this returns nobody writes to it. The last to leave takes the memory along."""
        with self._lock:
            self._readers -= {eventfd}
            if not self._readers:
                self._drop_ring()

    def end(self) -> None:
        """No picture goes anywhere any more."""
        with self._lock:
            self._ended = True
            self._drop_ring()

    def _write(self, frame: FrameLike) -> bool:
        """Whether another memory was needed."""
        strides = [plane.stride for plane in frame.planes]
        moved = self._ring is None or not self._ring.fits(frame.height, strides)
        if moved:
            ring = RingWriter(lay_out(frame.height, strides)[1], self._slots)
            self._drop_ring()
            self._ring = ring
        assert self._ring is not None
        self._counter += 1
        planes = [SourcePlane(plane.data, plane.stride) for plane in frame.planes]
        captured_ns = round(frame.capture_time * 1e9)
        self._ring.put(self._counter, planes, frame.width, frame.height, captured_ns, frame.rotation)
        for eventfd in self._readers:
            # Full is what the eventfd of a reader becomes who never looks: nothing to wait for.
            with suppress(BlockingIOError):
                os.eventfd_write(eventfd, 1)
        return moved

    def _drop_ring(self) -> None:
        if self._ring is not None:
            ring, self._ring = self._ring, None
            ring.close()

    def _refuse(self, problem: str) -> None:
        """Logged once for each kind: there may be thirty a second."""
        if problem != self._refused:
            self._refused = problem
            logger.warning("pictures of %s cannot be shown: %s", self.id, problem)


def _problem(frame: FrameLike) -> str:
    """Why a frame cannot go into a ring; empty if it can."""
    if frame.format != I420_NAME or len(frame.planes) != 3:
        return f"their format is {frame.format}"
    if not (0 < frame.width <= MAX_PIXELS and 0 < frame.height <= MAX_PIXELS):
        return f"they have {frame.width}x{frame.height} pixels"
    for plane, row, rows in zip(frame.planes, plane_rows(frame.width), plane_rows(frame.height), strict=True):
        if not (row <= plane.stride <= 2 * MAX_PIXELS and plane.data.nbytes >= plane.stride * rows):
            return f"a plane of {plane.data.nbytes} bytes, {plane.stride} a row"
    return ""
