# SPDX-License-Identifier: Apache-2.0
"""Raw pictures and sound on their way through the agent."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Rotation = Literal[0, 90, 180, 270]
"""Degrees clockwise."""


class PixelFormat(StrEnum):
    """How the bytes of a picture are laid out (names as in V4L2 and FFmpeg)."""

    I420 = "yuv420p"
    """Three planes: Y (w x h), U and V (each w/2 x h/2)."""
    NV12 = "nv12"
    """Two planes: Y (w x h), interleaved UV (w x h/2)."""
    YUYV = "yuyv422"
    """One packed plane, 2 bytes per pixel."""
    MJPEG = "mjpeg"
    """One plane holding one JPEG picture; its stride is 0."""
    H264 = "h264"
    """One plane holding one access unit in Annex B form; its stride is 0."""


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane of a picture. The bytes stay valid as long as the plane is referenced."""

    data: memoryview
    """Contiguous bytes, `stride * rows` of them."""
    stride: int
    """Bytes from one row to the next; at least the row's own width, more where the source pads."""


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """One picture. Immutable: whoever changes the picture makes a new frame."""

    format: PixelFormat
    width: int
    """In pixels; even for I420 and NV12."""
    height: int
    planes: tuple[Plane, ...]
    capture_time: float
    """Seconds on the monotonic clock when the picture was captured (a remote picture: received)."""
    rotation: Rotation = 0
    """Degrees clockwise that turn the picture upright; width and height are those before turning."""


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """A stretch of sound: signed 16-bit samples in native byte order, channels interleaved."""

    samples: memoryview
    """Format 'h'; `frame length * channels` samples."""
    rate_hz: int
    channels: int
    capture_time: float
    """Seconds on the monotonic clock of the first sample (remote sound: of its receipt)."""

    @property
    def duration_s(self) -> float:
        return len(self.samples) / (self.channels * self.rate_hz)
