# SPDX-License-Identifier: GPL-3.0-or-later
"""From a captured V4L2 buffer to a frame, or to the reason it is none. Pure.

Kernel: Documentation/userspace-api/media/v4l/pixfmt.rst, buffer.rst.
"""

import time

from linuxpy.video.device import BufferFlag, Frame
from linuxpy.video.device import PixelFormat as FourCC

from callagent.ports import PixelFormat, Plane, VideoFrame

FORMATS = {
    FourCC.MJPEG: PixelFormat.MJPEG,
    FourCC.JPEG: PixelFormat.MJPEG,
    FourCC.YUYV: PixelFormat.YUYV,
    FourCC.NV12: PixelFormat.NV12,
    FourCC.YUV420: PixelFormat.I420,
    FourCC.H264: PixelFormat.H264,
}
"""What a FourCC is called here; formats that are not in it are not used."""
_JPEG_PADDING = 8192


def to_frame(raw: Frame) -> VideoFrame:
    """A captured buffer as our frame. Raises ValueError when it is shorter than its format needs."""
    layout = raw.format
    pixel_format = FORMATS[FourCC(layout.pixel_format)]
    data = memoryview(raw.data)
    width, height = layout.width - layout.width % 2, layout.height - layout.height % 2
    planes = split_planes(pixel_format, data, layout.bytes_per_line, layout.height)
    return VideoFrame(pixel_format, width, height, planes, capture_time(raw))


def split_planes(pixel_format: PixelFormat, data: memoryview, stride: int, height: int) -> tuple[Plane, ...]:
    """V4L2's single-planar layouts: the planes lie one behind the other. Raises ValueError if too short."""
    if pixel_format in (PixelFormat.MJPEG, PixelFormat.H264):
        return (Plane(data, 0),)
    sizes = {
        PixelFormat.YUYV: ((stride, height),),
        PixelFormat.NV12: ((stride, height), (stride, height // 2)),
        PixelFormat.I420: ((stride, height), (stride // 2, height // 2), (stride // 2, height // 2)),
    }[pixel_format]
    if len(data) < sum(step * rows for step, rows in sizes):
        raise ValueError("the camera gave less than a picture")
    planes, start = [], 0
    for step, rows in sizes:
        planes.append(Plane(data[start : start + step * rows], step))
        start += step * rows
    return tuple(planes)


def capture_time(raw: Frame) -> float:
    """The driver's time stamp in seconds when it is of CLOCK_MONOTONIC, else now."""
    flags = raw.buff.flags & BufferFlag.TIMESTAMP_MASK
    return float(raw.timestamp) if flags == BufferFlag.TIMESTAMP_MONOTONIC else time.monotonic()


def fault_of(raw: Frame) -> str:
    """`damaged` or `empty` for a buffer that is no picture; empty for one that is."""
    if not len(raw.data):
        return "empty"
    if BufferFlag.ERROR in raw.flags:
        return "damaged"
    if FORMATS.get(FourCC(raw.format.pixel_format)) is PixelFormat.MJPEG and not is_whole_jpeg(raw.data):
        return "damaged"
    return ""


def is_whole_jpeg(data: bytes | memoryview) -> bool:
    """From start to end marker; drivers fill up with zeros, and a truncated picture carries no error flag."""
    start, end = bytes(data[:2]), bytes(data[-_JPEG_PADDING:]).rstrip(b"\0")[-2:]
    return start == b"\xff\xd8" and end == b"\xff\xd9"
