# SPDX-License-Identifier: GPL-3.0-or-later
"""A screen made of software: reads the frame code of what it is shown and keeps a record."""

import json
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from callagent.devices.virtual import framecode
from callagent.devices.virtual.framecode import FrameCode
from callagent.ports import Clock, MonotonicClock, VideoFrame

_KEPT_READINGS = 2000


@dataclass(frozen=True, slots=True)
class Reading:
    """One picture whose frame code was read."""

    time: float
    """Seconds on the monotonic clock when it was put."""
    code: FrameCode
    width: int
    height: int
    latency_ms: int
    """From the capture (by the code's wall clock) to `put`; both ends must share their clock."""


class VirtualScreen:
    """A `ports.FrameSink` for tests and machines without a screen.

    Reads on its own thread, which starts with the first picture; a picture that
    comes while another is being read replaces the one waiting. `record` names a
    file that gets one JSON line per picture read: time (Unix seconds), counter, ident,
    clock_ms, width, height, latency_ms. Call `close` to end the thread.
    """

    def __init__(self, record: Path | str | None = None, *, clock: Clock | None = None) -> None:
        self._record = Path(record) if record is not None else None
        self._clock = clock or MonotonicClock()
        self._changed = threading.Condition()
        self._waiting: tuple[VideoFrame, float, int] | None = None
        self._last_frame: VideoFrame | None = None
        self._readings: deque[Reading] = deque(maxlen=_KEPT_READINGS)
        self._thread: threading.Thread | None = None
        self._closed = False
        self._frozen = False
        self.frames = 0
        """Pictures put."""
        self.read = 0
        """Pictures whose code was read."""
        self.unreadable = 0
        """Pictures without a valid code (slates, other cameras)."""
        self.dropped = 0
        """Pictures replaced by a newer one before they were read."""

    @property
    def last_frame(self) -> VideoFrame | None:
        return self._last_frame

    @property
    def last_code(self) -> FrameCode | None:
        """The code read last."""
        with self._changed:
            return self._readings[-1].code if self._readings else None

    def readings(self) -> list[Reading]:
        """The last pictures read (at most 2000), oldest first."""
        with self._changed:
            return list(self._readings)

    def put(self, frame: VideoFrame) -> None:
        arrived = (frame, self._clock.now(), framecode.unix_ms())
        with self._changed:
            if self._closed or self._frozen:
                return
            self.frames += 1
            self.dropped += self._waiting is not None
            self._last_frame, self._waiting = frame, arrived
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="virtual-screen", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait_read(self, count: int, timeout_s: float) -> bool:
        """Block until `count` pictures in all have been read; False at the time-out."""
        with self._changed:
            return self._changed.wait_for(lambda: self.read >= count, timeout_s)

    def freeze(self) -> None:
        """Take no more pictures, as a hung screen does."""
        self._frozen = True

    def thaw(self) -> None:
        """End `freeze`."""
        self._frozen = False

    def close(self) -> None:
        """End the reading thread and the record. Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        record = self._record.open("a", buffering=1, encoding="utf-8") if self._record else None
        try:
            while (next_up := self._next()) is not None:
                reading = self._examine(*next_up)
                if reading is not None and record is not None:
                    record.write(_json_line(reading))
        finally:
            if record is not None:
                record.close()

    def _next(self) -> tuple[VideoFrame, float, int] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting is not None)
            next_up, self._waiting = self._waiting, None
            return None if self._closed else next_up

    def _examine(self, frame: VideoFrame, arrived: float, arrived_ms: int) -> Reading | None:
        code = framecode.read_frame(frame)
        with self._changed:
            if code is None:
                self.unreadable += 1
                return None
            reading = Reading(arrived, code, frame.width, frame.height, code.age_ms(arrived_ms))
            self._readings.append(reading)
            self.read += 1
            self._changed.notify_all()
            return reading


def _json_line(reading: Reading) -> str:
    line = {
        "time": round(time.time(), 3),
        "counter": reading.code.counter,
        "ident": reading.code.ident,
        "clock_ms": reading.code.clock_ms,
        "width": reading.width,
        "height": reading.height,
        "latency_ms": reading.latency_ms,
    }
    return json.dumps(line) + "\n"
