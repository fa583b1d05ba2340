# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoded media of one peer on its way to the sinks the agent gave for it."""

import asyncio
import logging
from collections.abc import Callable

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from callagent.ports import AudioFrame, AudioSink, Clock, FrameSink, PixelFormat, Plane, VideoFrame

logger = logging.getLogger(__name__)

_I420_FORMATS = ("yuv420p", "yuvj420p")


def video_frame(frame: av.VideoFrame, capture_time: float) -> VideoFrame:
    """A decoded picture as I420; its planes are the decoder's own memory, kept alive by them."""
    if frame.format.name not in _I420_FORMATS:
        frame = frame.reformat(format="yuv420p")
    width, height = frame.width & ~1, frame.height & ~1
    rows = (height, height // 2, height // 2)
    planes = tuple(
        Plane(memoryview(plane)[: plane.line_size * n], plane.line_size)
        for plane, n in zip(frame.planes, rows, strict=True)
    )
    return VideoFrame(PixelFormat.I420, width, height, planes, capture_time)


def audio_frame(frame: av.AudioFrame, capture_time: float) -> AudioFrame:
    """Decoded sound, packed signed 16-bit as all of aiortc's decoders give it."""
    if frame.format.name != "s16":
        raise ValueError(f"unexpected sample format {frame.format.name}")
    channels = frame.layout.nb_channels
    samples = memoryview(frame.planes[0])[: frame.samples * channels * 2].cast("h")
    return AudioFrame(samples, frame.sample_rate, channels, capture_time)


class IncomingTrack:
    """Reads one remote track in a task of its own until the track ends or `close`. Used on the loop."""

    def __init__(
        self,
        track: MediaStreamTrack,
        put: Callable[[av.VideoFrame | av.AudioFrame, float], None],
        clock: Clock,
        on_first_frame: Callable[[], None],
    ) -> None:
        self.frames = 0
        self._track = track
        self._put = put
        self._clock = clock
        self._on_first_frame = on_first_frame
        self._task = asyncio.get_running_loop().create_task(self._read(), name=f"rtc-incoming-{track.kind}")

    async def close(self) -> None:
        """Stop reading. Idempotent."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        while True:
            try:
                frame = await self._track.recv()
            except MediaStreamError:
                return
            if not isinstance(frame, av.VideoFrame | av.AudioFrame):
                continue
            self.frames += 1
            try:
                self._put(frame, self._clock.now())
            except Exception:
                logger.exception("a received %s frame could not be used", self._track.kind)
            if self.frames == 1:
                self._on_first_frame()


def video_into(sink: FrameSink) -> Callable[[av.VideoFrame | av.AudioFrame, float], None]:
    def put(frame: av.VideoFrame | av.AudioFrame, capture_time: float) -> None:
        assert isinstance(frame, av.VideoFrame)
        sink.put(video_frame(frame, capture_time))

    return put


def audio_into(sink: AudioSink) -> Callable[[av.VideoFrame | av.AudioFrame, float], None]:
    def put(frame: av.VideoFrame | av.AudioFrame, capture_time: float) -> None:
        assert isinstance(frame, av.AudioFrame)
        sink.put(audio_frame(frame, capture_time))

    return put
