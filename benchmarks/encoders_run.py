# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of `encoders` in a process of its own; prints its figures as a line of JSON.

`encode VARIANT PICTURES`: the encoder alone, fed with the scene as fast as it goes.
`send software|camera SECONDS`: a whole sender, camera to RTP payloads, its CPU without that of the camera.
"""

import json
import statistics
import sys
import threading
import time
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext

from benchmarks.encoders import BPS, FPS, HEIGHT, WIDTH
from benchmarks.scene import PICTURES, Picture, Scene, psnr_db
from callagent.devices.virtual.camera import i420_frame
from callagent.media import CameraSlot, VideoSettings
from callagent.media.encoders.base import CLOCK_RATE, EncoderSettings
from callagent.media.encoders.registry import KINDS
from callagent.media.video_stream import VideoEncodedStream
from callagent.ports import (
    Codec,
    EncodedFrame,
    FrameSink,
    Layer,
    PixelFormat,
    Plane,
    SourceState,
    VideoFrame,
    VideoMode,
)
from callagent.rtc.packing import make_packer

WARM_UP_S = 2.0
_DECODERS = {Codec.H264: "h264", Codec.VP8: "vp8"}


def encode(variant: str, pictures: int) -> dict[str, float]:
    name, _, preset = variant.partition(":")
    kind = KINDS[name]
    encoder = kind.make(EncoderSettings(WIDTH, HEIGHT, FPS, BPS), {"preset": preset} if preset else {})
    drawn = Scene(WIDTH, HEIGHT)
    scene = [drawn.picture(number) for number in range(PICTURES)]
    payloads: list[tuple[int, bytes]] = []
    wall_s = cpu_s = 0.0
    for number in range(pictures):
        frame = av.VideoFrame.from_ndarray(scene[number % PICTURES], format="yuv420p")
        frame.pts = number * CLOCK_RATE // FPS
        wall, cpu = time.perf_counter(), time.process_time()
        encoded = encoder.encode(frame)
        wall_s, cpu_s = wall_s + time.perf_counter() - wall, cpu_s + time.process_time() - cpu
        payloads += [(round(each.pts * FPS / CLOCK_RATE), bytes(each.payload)) for each in encoded]
    encoder.close()
    return {
        "fps": pictures / wall_s,
        "cpu_ms": 1000 * cpu_s / pictures,
        "psnr_db": _psnr(kind.codec, payloads, scene),
        "kbps": sum(len(data) for _, data in payloads) * 8 * FPS / pictures / 1000,
    }


def _psnr(codec: Codec, payloads: list[tuple[int, bytes]], scene: list[Picture]) -> float:
    decoder = av.CodecContext.create(_DECODERS[codec], "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.flags |= av.codec.context.Flags.low_delay
    decoder.thread_count = 1
    found = []
    for number, data in payloads:
        for picture in decoder.decode(av.Packet(data)):
            plane = picture.planes[0]
            luma = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:HEIGHT, :WIDTH]
            found.append(psnr_db(luma, scene[number % PICTURES][:HEIGHT]))
    return statistics.mean(found)


class Camera:
    """Gives what was made before the run: raw pictures, or H.264 as a camera's own encoder makes it."""

    name, reason = "benchmark", ""

    def __init__(self, pictures: list[VideoFrame]) -> None:
        self._pictures = pictures
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.state = SourceState.OFF
        self.given: dict[float, bytes] = {}

    def request_key_frame(self) -> bool:
        return True

    def open(self, mode: VideoMode, sink: FrameSink) -> VideoMode:
        self.state = SourceState.LIVE
        self._thread = threading.Thread(target=self._run, args=(sink,), name="benchmark-camera", daemon=True)
        self._thread.start()
        return mode

    def when_ended(self, _callback: Callable[[], None]) -> Callable[[], None]:
        """It only ends when it is closed, by whoever would be told."""
        return lambda: None

    def close(self) -> None:
        self._stop.set()
        self.state = SourceState.OFF

    def _run(self, sink: FrameSink) -> None:
        due, number = time.monotonic(), 0
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due += 1 / FPS
            made = self._pictures[number % len(self._pictures)]
            number += 1
            now = time.monotonic()
            if made.format is PixelFormat.H264:
                self.given[now] = bytes(made.planes[0].data)
            sink.put(VideoFrame(made.format, WIDTH, HEIGHT, made.planes, now))


class Sender:
    """What a peer's sender does with a frame before the network: RTP payloads."""

    def __init__(self) -> None:
        self._pack = make_packer(Codec.H264)
        self.frames: list[EncodedFrame] = []

    def put(self, frame: EncodedFrame) -> None:
        self._pack(frame.payload)
        self.frames.append(frame)


def send(kind: str, seconds: float) -> dict[str, float]:
    camera = Camera(_coded() if kind == "camera" else _raw())
    slot, sender = CameraSlot(), Sender()
    settings = VideoSettings(WIDTH, HEIGHT, FPS, BPS)
    stream = VideoEncodedStream(Codec.H264, Layer.HIGH, slot, settings, passthrough=True)
    slot.set_source(camera)
    leave = stream.subscribe("peer", sender)
    slot.start(VideoMode(WIDTH, HEIGHT, FPS))
    time.sleep(WARM_UP_S)
    before, began, sent = time.process_time(), time.monotonic(), len(sender.frames)
    time.sleep(seconds)
    cpu_s, took, frames = time.process_time() - before, time.monotonic() - began, sender.frames[sent:]
    leave()
    slot.stop()
    stream.wait_stopped(5)
    same = [camera.given.get(frame.capture_time) == bytes(frame.payload) for frame in frames]
    return {
        "cpu_percent": 100 * cpu_s / took,
        "fps": len(frames) / took,
        "identical": sum(same) / max(1, len(same)) if kind == "camera" else 0.0,
    }


def _raw() -> list[VideoFrame]:
    scene = Scene(WIDTH, HEIGHT)
    return [i420_frame(scene.picture(number).reshape(-1), WIDTH, HEIGHT, 0.0) for number in range(PICTURES)]


def _coded() -> list[VideoFrame]:
    """One key frame, then others: the scene is a loop, and so is this."""
    coder = av.CodecContext.create("libx264", "w")
    assert isinstance(coder, VideoCodecContext)
    coder.width, coder.height, coder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    coder.time_base, coder.framerate, coder.bit_rate = Fraction(1, FPS), Fraction(FPS, 1), BPS
    coder.options = {
        "preset": "veryfast",
        "tune": "zerolatency",
        "profile": "baseline",
        "x264-params": f"keyint={PICTURES}:min-keyint={PICTURES}:scenecut=0:repeat-headers=1:annexb=1",
    }
    scene, pictures = Scene(WIDTH, HEIGHT), []
    for number in range(PICTURES):
        frame = av.VideoFrame.from_ndarray(scene.picture(number), format="yuv420p")
        frame.pts = number
        for packet in coder.encode(frame):
            data = memoryview(bytes(packet))
            pictures.append(VideoFrame(PixelFormat.H264, WIDTH, HEIGHT, (Plane(data, 0),), 0.0))
    return pictures


if __name__ == "__main__":
    command, subject, length = sys.argv[1:]
    figures = encode(subject, int(length)) if command == "encode" else send(subject, float(length))
    sys.stdout.write("\n" + json.dumps(figures) + "\n")
