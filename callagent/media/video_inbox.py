# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures on their way to the encoder: of raw ones the newest, of coded ones every one."""

import threading
from collections import deque

from callagent.media.h264 import BitstreamError, opening
from callagent.ports import PixelFormat, VideoFrame

CODED_PICTURES = 30
"""Waiting access units of the camera; more are dropped up to its next key frame."""


class Inbox:
    """One giver, one taker, on any threads."""

    def __init__(self, coded_pictures: int = CODED_PICTURES) -> None:
        self._limit = coded_pictures
        self._changed = threading.Condition()
        self._frames: deque[VideoFrame] = deque()
        self._skipping = False
        self._stopped = False
        self.outpaced = 0
        """Raw pictures a newer one took the place of."""

    @property
    def stopped(self) -> bool:
        return self._stopped

    def put(self, frame: VideoFrame) -> bool:
        """False when coded pictures were dropped: the camera should give a key frame.

        A raw picture takes the place of the raw one that waits.
        """
        whole = True
        with self._changed:
            if frame.format is PixelFormat.H264:
                whole = self._put_coded(frame)
            else:
                if self._frames and self._frames[-1].format is not PixelFormat.H264:
                    self._frames.pop()
                    self.outpaced += 1
                self._frames.append(frame)
            self._changed.notify_all()
        return whole

    def _put_coded(self, frame: VideoFrame) -> bool:
        if self._skipping and not _is_key(frame):
            return True
        self._skipping = False
        if len(self._frames) >= self._limit:
            # Nothing can be shown without what was dropped: go on with a key frame.
            self._frames.clear()
            self._skipping = not _is_key(frame)
        if not self._skipping:
            self._frames.append(frame)
        return not self._skipping

    def next(self) -> VideoFrame | None:
        """Waits for one; None after `stop`."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._frames)
            return None if self._stopped else self._frames.popleft()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._frames.clear()
            self._changed.notify_all()


def _is_key(frame: VideoFrame) -> bool:
    try:
        return opening(frame.planes[0].data).key
    except BitstreamError:
        return False
