# SPDX-License-Identifier: GPL-3.0-or-later
"""A sink that keeps everything and lets a test wait for it."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

FrameT = TypeVar("FrameT")


class Collector(Generic[FrameT]):
    def __init__(self) -> None:
        self.frames: list[FrameT] = []
        self.times: list[float] = []
        self.changed = threading.Condition()

    def put(self, frame: FrameT) -> None:
        with self.changed:
            self.frames.append(frame)
            self.times.append(time.monotonic())
            self.changed.notify_all()

    def wait(self, count: int, timeout_s: float = 10.0) -> None:
        """Until `count` frames in all are there."""
        self.wait_until(lambda: len(self.frames) >= count, timeout_s)

    def wait_more(self, count: int, timeout_s: float = 10.0) -> None:
        """Until `count` more frames than now are there."""
        self.wait(len(self.frames) + count, timeout_s)

    def wait_until(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Until there is a frame and the condition holds, looked at with every frame."""
        with self.changed:
            assert self.changed.wait_for(lambda: bool(self.frames) and condition(), timeout_s), (
                "what was waited for did not come"
            )


class Watch:
    """Waits for a condition that `on_change` of a slot may have made true."""

    def __init__(self) -> None:
        self._changed = threading.Condition()

    def __call__(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def until(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, timeout_s), "what was waited for did not come"
