# SPDX-License-Identifier: GPL-3.0-or-later
"""A camera that encodes by itself, as those with an H.264 format of V4L2 do."""

import threading
import time
from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from callagent.devices.lifecycle import StatefulDevice
from callagent.media.pixels import to_av
from callagent.ports import FrameSink, PixelFormat, Plane, VideoFrame, VideoMode
from tests.unit.media.pictures import picture

_DRAWN = 30


class CodedCamera(StatefulDevice):
    """A `ports.VideoSource` and `ports.CodedSource`."""

    def __init__(
        self,
        *,
        listens: bool = True,
        key_interval: int = 1 << 20,
        profile: str = "baseline",
        bps: int = 300_000,
    ) -> None:
        super().__init__("coded")
        self._listens = listens
        self._key_interval, self._profile, self._bps = key_interval, profile, bps
        self._key = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.asked = 0
        self.given: list[VideoFrame] = []

    def request_key_frame(self) -> bool:
        self.asked += 1
        if self._listens:
            self._key.set()
        return self._listens

    def open(self, mode: VideoMode, sink: FrameSink) -> VideoMode:
        self._stop.clear()
        self._life.begin()
        self._life.live()
        self._thread = threading.Thread(target=self._run, args=(mode, sink), name="coded-camera", daemon=True)
        self._thread.start()
        return mode

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5)
        self._life.off()

    def _run(self, mode: VideoMode, sink: FrameSink) -> None:
        coder = self._coder(mode)
        drawn = [to_av(picture(number, mode.width, mode.height, noise=1)) for number in range(_DRAWN)]
        due, count = time.monotonic(), 0
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + 1 / mode.fps, time.monotonic())
            frame = drawn[count % _DRAWN]
            frame.pts = count
            forced = self._key.is_set() or count % self._key_interval == 0
            frame.pict_type = PictureType.I if forced else PictureType.NONE
            self._key.clear()
            count += 1
            for packet in coder.encode(frame):
                unit = VideoFrame(
                    PixelFormat.H264,
                    mode.width,
                    mode.height,
                    (Plane(memoryview(bytes(packet)), 0),),
                    time.monotonic(),
                )
                self.given.append(unit)
                sink.put(unit)

    def _coder(self, mode: VideoMode) -> VideoCodecContext:
        coder = av.CodecContext.create("libx264", "w")
        assert isinstance(coder, VideoCodecContext)
        coder.width, coder.height, coder.pix_fmt = mode.width, mode.height, "yuv420p"
        coder.time_base, coder.framerate = Fraction(1, mode.fps), Fraction(mode.fps, 1)
        coder.bit_rate = self._bps
        coder.thread_count = 1
        coder.options = {
            "preset": "veryfast",
            "tune": "zerolatency",
            "profile": self._profile,
            "forced-idr": "1",
            # Parameter sets once, as many cameras do.
            "x264-params": "keyint=infinite:scenecut=0:repeat-headers=0:annexb=1",
        }
        coder.flags |= av.codec.context.Flags.global_header
        coder.open()
        return _WithHeaders(coder)  # type: ignore[return-value]


class _WithHeaders:
    """Puts the parameter sets before the very first picture alone."""

    def __init__(self, coder: VideoCodecContext) -> None:
        self._coder = coder
        self._headers = bytes(coder.extradata or b"")

    def encode(self, frame: av.VideoFrame) -> list[bytes]:
        units = [self._headers + bytes(packet) for packet in self._coder.encode(frame)]
        self._headers = b"" if units else self._headers
        return units
