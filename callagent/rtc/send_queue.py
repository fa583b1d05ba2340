# SPDX-License-Identifier: GPL-3.0-or-later
"""Encoded frames on their way from an encoder's thread to one peer's RTP sender on the loop."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable

from callagent.ports import EncodedFrame


class SendQueue:
    """A bounded `ports.EncodedSink`: `put` from any thread, everything else on the loop.

    A queue of video drops up to the next key frame, because what follows a lost
    picture cannot be decoded; when there is none in the queue it asks for one.
    In audio every frame is a key frame: the oldest is dropped.
    """

    def __init__(self, capacity: int, need_key_frame: Callable[[], None]) -> None:
        """`need_key_frame` is called on the loop by whoever waits in `get`."""
        self._capacity = capacity
        self._need_key_frame = need_key_frame
        self._loop = asyncio.get_running_loop()
        self._filled = asyncio.Event()
        self._lock = threading.Lock()
        self._frames: deque[EncodedFrame] = deque()
        self._put_at: deque[float] = deque()
        self._waiting_for_key = True
        self._key_wanted = False
        self._closed = False
        self.dropped = 0
        self.waited_s = 0.0
        """Of the frame that was got last."""

    def put(self, frame: EncodedFrame) -> None:
        with self._lock:
            if self._closed:
                return
            self._offer(frame)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to read
            self._loop.call_soon_threadsafe(self._filled.set)

    async def get(self) -> EncodedFrame:
        """The oldest frame; waits for one. One reader at a time."""
        while True:
            self._filled.clear()
            with self._lock:
                wanted, self._key_wanted = self._key_wanted, False
                frame = self._pop() if self._frames else None
            if wanted:
                self._need_key_frame()
            if frame is not None:
                return frame
            await self._filled.wait()

    def close(self) -> None:
        """Take no more frames, forget those waiting. Idempotent."""
        with self._lock:
            self._closed = True
            self._frames.clear()
            self._put_at.clear()

    def _offer(self, frame: EncodedFrame) -> None:
        if self._waiting_for_key and not frame.key:
            self.dropped += 1
            return
        self._waiting_for_key = self._key_wanted = False
        if len(self._frames) < self._capacity or self._make_room(frame):
            self._frames.append(frame)
            self._put_at.append(self._loop.time())

    def _pop(self) -> EncodedFrame:
        self.waited_s = self._loop.time() - self._put_at.popleft()
        return self._frames.popleft()

    def _make_room(self, frame: EncodedFrame) -> bool:
        """Drop up to the next key frame, be it the one that comes; False when there is none at all."""
        self._pop()
        self.dropped += 1
        while self._frames and not self._frames[0].key:
            self._pop()
            self.dropped += 1
        if self._frames or frame.key:
            return True
        self.dropped += 1
        self._waiting_for_key = self._key_wanted = True
        return False
