# SPDX-License-Identifier: GPL-3.0-or-later
"""What the virtual USB camera sees: a gradient with the frame code, as YUYV, MJPEG or H.264."""

from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from callagent.devices.virtual import framecode

KEY_INTERVAL = 8
"""At the kiosk's 10 pictures a second one comes within a second of being asked for, though nobody listens."""


class PictureMaker:
    """Makes one stream's pictures, in the format and the size that were negotiated."""

    def __init__(self, fourcc: str, width: int, height: int, fps: int, ident: int) -> None:
        """`fourcc`: YUYV, MJPG or H264. `ident`: which camera, in the frame code."""
        self._fourcc, self._ident, self._counter = fourcc, ident, 0
        self._still = np.full((height * 3 // 2, width), 128, np.uint8)
        self._still[:height] = np.linspace(60, 190, width, dtype=np.uint8)
        self._height = height
        self._coder = None if fourcc == "YUYV" else _coder(fourcc, width, height, fps)

    def next(self, brightness: int = 128) -> bytes:
        """One picture; `brightness` (0 to 255, 128 as it is) moves the picture below the frame code."""
        picture = self._still.copy()
        luma = picture[: self._height]
        luma[:] = np.clip(luma.astype(np.int16) + brightness - 128, 16, 235)
        clock = framecode.unix_ms() % framecode.CLOCK_MODULUS
        framecode.draw(luma, framecode.FrameCode(self._counter % 65536, clock, self._ident))
        self._counter += 1
        return self._coded(picture)

    def _coded(self, picture: NDArray[np.uint8]) -> bytes:
        if self._coder is None:
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p").reformat(format="yuyv422")
            return bytes(frame.planes[0])
        frame = av.VideoFrame.from_ndarray(picture, format=self._coder.pix_fmt or "yuv420p")
        frame.pts = self._counter
        return b"".join(bytes(packet) for packet in self._coder.encode(frame))


def _coder(fourcc: str, width: int, height: int, fps: int) -> av.VideoCodecContext:
    name = {"MJPG": "mjpeg", "H264": "libx264"}[fourcc]
    coder = av.CodecContext.create(name, "w")
    assert isinstance(coder, av.VideoCodecContext)
    coder.width, coder.height = width, height
    coder.time_base = Fraction(1, fps)
    coder.pix_fmt = "yuvj420p" if fourcc == "MJPG" else "yuv420p"
    coder.thread_count = 1
    if fourcc == "H264":
        # As cameras do it: parameter sets before every key frame, nothing reordered.
        coder.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "x264-params": f"keyint={KEY_INTERVAL}:scenecut=0:repeat-headers=1",
        }
    return coder
