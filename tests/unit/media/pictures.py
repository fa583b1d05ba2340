# SPDX-License-Identifier: GPL-3.0-or-later
"""Test pictures with frame codes, and readers of what encoders make of them."""

from fractions import Fraction

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext

from callagent.devices.virtual import FrameCode, framecode
from callagent.devices.virtual.camera import i420_frame
from callagent.ports import Codec, EncodedFrame, VideoFrame

DECODERS = {Codec.H264: "h264", Codec.VP8: "vp8"}


def picture(counter: int, width: int = 320, height: int = 240, noise: int = 6) -> VideoFrame:
    """An I420 frame that gives an encoder something to do."""
    rng = np.random.default_rng(counter)
    data = np.full(width * height * 3 // 2, 128, np.uint8)
    luma = data[: width * height].reshape(height, width)
    across = (np.arange(width)[None, :] * 2 + np.arange(height)[:, None] + counter * 3) % 256
    luma[:] = np.clip(across * 0.6 + 40 + rng.integers(-noise, noise + 1, (height, width)), 16, 235)
    framecode.draw(luma, FrameCode(counter, counter * 40))
    return i420_frame(data, width, height, counter / 30)


class VideoReader:
    """Decodes a stream and reads its frame codes; raises av.FFmpegError for a stream that is broken."""

    def __init__(self, codec: Codec) -> None:
        context = av.CodecContext.create(DECODERS[codec], "r")
        assert isinstance(context, VideoCodecContext)
        context.thread_count = 1
        context.flags |= av.codec.context.Flags.low_delay
        self._context = context
        self.sizes: list[tuple[int, int]] = []

    def pictures(self, payload: memoryview) -> list[av.VideoFrame]:
        return list(self._context.decode(av.Packet(bytes(payload))))

    def read(self, payload: memoryview) -> list[FrameCode | None]:
        codes = []
        for decoded in self.pictures(payload):
            self.sizes.append((decoded.width, decoded.height))
            plane = decoded.planes[0]
            luma = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            codes.append(framecode.read(luma[: decoded.height, : decoded.width]))
        return codes

    def counters(self, frames: list[EncodedFrame]) -> list[int]:
        codes = [code for frame in frames for code in self.read(frame.payload)]
        return [code.counter for code in codes if code is not None]


def decode_opus(packets: list[memoryview]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """All packets as mono samples, 1.0 being full scale."""
    context = av.CodecContext.create("libopus", "r")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate, context.layout = 48_000, "mono"
    parts = []
    for number, packet in enumerate(packets):
        encoded = av.Packet(bytes(packet))
        encoded.pts, encoded.time_base = number * 960, Fraction(1, 48_000)
        for decoded in context.decode(encoded):
            samples = decoded.to_ndarray().astype(np.float64).ravel()
            parts.append(samples / 32768 if decoded.format.name.startswith("s16") else samples)
    return np.concatenate(parts)
