# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounded queues between the network, a decoder's thread and the loop."""

import asyncio
import queue
from collections.abc import Callable

from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from av.frame import Frame


class ReceivedFrame(JitterFrame):
    """A complete encoded picture that knows whether it needs an earlier one."""

    def __init__(self, data: bytes, timestamp: int, key: bool) -> None:
        super().__init__(data, timestamp)
        self.key = key


DecoderItem = tuple[RTCRtpCodecParameters, ReceivedFrame]


class DecoderQueue(queue.Queue[DecoderItem | None]):
    """Pictures on their way from the loop to the decoder's thread.

    When the decoder is behind, everything up to the next key frame is dropped
    and a key frame is asked for. None ends the decoder, at once.
    """

    def __init__(
        self,
        capacity: int,
        more: Callable[[], ReceivedFrame | None],
        on_skip: Callable[[], None],
    ) -> None:
        super().__init__()
        self._capacity = capacity
        self._more = more
        self._on_skip = on_skip
        self._skipping = False
        self.dropped = 0

    def put(self, item: DecoderItem | None, block: bool = True, timeout: float | None = None) -> None:
        """Hand over one picture, and those that were completed together with it. Never blocks."""
        if item is None:
            with self.mutex:
                self.queue.clear()
            super().put(None, block, timeout)
            return
        codec, first = item
        frame: ReceivedFrame | None = first
        while frame is not None:
            self._offer(codec, frame)
            frame = self._more()

    def _offer(self, codec: RTCRtpCodecParameters, frame: ReceivedFrame) -> None:
        if frame.key:
            self._skipping = False
        elif not self._skipping and self.qsize() >= self._capacity:
            self._skipping = True
            with self.mutex:
                self.dropped += len(self.queue)
                self.queue.clear()
            self._on_skip()
        if self._skipping:
            self.dropped += 1
        else:
            super().put((codec, frame))


class NewestDecoderQueue(queue.Queue[tuple[RTCRtpCodecParameters, JitterFrame] | None]):
    """Packets of sound on their way to the decoder's thread: the oldest gives way. None ends the decoder."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self._capacity = capacity
        self.dropped = 0

    def put(
        self,
        item: tuple[RTCRtpCodecParameters, JitterFrame] | None,
        block: bool = True,
        timeout: float | None = None,
    ) -> None:
        """Never blocks."""
        with self.mutex:
            while self.queue and (item is None or len(self.queue) >= self._capacity):
                self.queue.popleft()
                self.dropped += 1
        super().put(item, block, timeout)


class NewestQueue(asyncio.Queue[Frame | None]):
    """Decoded frames on their way to their sink: the oldest gives way. Used on the loop."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self._newest = capacity
        self.dropped = 0

    async def put(self, item: Frame | None) -> None:
        while self.qsize() >= self._newest:
            self.get_nowait()
            self.dropped += 1
        self.put_nowait(item)
