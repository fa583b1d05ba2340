# SPDX-License-Identifier: GPL-3.0-or-later
"""Between our frames and FFmpeg's, and from any size and format to what an encoder takes."""

from fractions import Fraction

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

from callagent.ports import PixelFormat, Plane, VideoFrame


class PictureError(Exception):
    """The bytes of a frame are no picture of its format (a damaged JPEG, a short buffer)."""


def fit(width: int, height: int, max_width: int, max_height: int) -> tuple[int, int]:
    """The largest even size of the same shape within the bounds; never larger than the picture."""
    scale = min(1.0, max_width / width, max_height / height)
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def to_av(frame: VideoFrame) -> av.VideoFrame:
    """A frame of FFmpeg's with the same picture; raw formats only.

    Shares the memory where the planes lie one behind the other in one buffer, as
    those of our own sources do; copies plane by plane otherwise. Raises PictureError.
    """
    shared = _shared_buffer(frame)
    if shared is not None:
        return av.VideoFrame.from_numpy_buffer(shared, format=frame.format.value)
    picture = av.VideoFrame(frame.width, frame.height, frame.format.value)
    for target, source in zip(picture.planes, frame.planes, strict=True):
        _copy_plane(source, target)
    return picture


def from_av(picture: av.VideoFrame, capture_time: float) -> VideoFrame:
    """A frame of ours on the same memory as FFmpeg's (formats yuv420p, yuvj420p, nv12, yuyv422).

    Raises PictureError for another format.
    """
    name = picture.format.name
    try:
        pixel_format = PixelFormat.I420 if name == "yuvj420p" else PixelFormat(name)
    except ValueError:
        raise PictureError(f"format {name} is not one of ours") from None
    planes = tuple(Plane(memoryview(plane), plane.line_size) for plane in picture.planes)
    return VideoFrame(pixel_format, picture.width, picture.height, planes, capture_time)


class PictureConverter:
    """Any frame to I420 of a given size, with libswscale and decoders for JPEG and H.264. For one thread."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._jpeg: VideoCodecContext | None = None
        self._h264: VideoCodecContext | None = None

    def decode(self, frame: VideoFrame) -> av.VideoFrame:
        """The frame as FFmpeg's, JPEG and H.264 decoded. Raises PictureError.

        Of H.264 every access unit from a key frame on must be given, in order.
        """
        if frame.format is PixelFormat.MJPEG:
            return self._decode_jpeg(frame.planes[0].data)
        if frame.format is PixelFormat.H264:
            return self._decode_h264(frame.planes[0].data)
        return to_av(frame)

    def convert(self, picture: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
        """To I420, limited range, of this size; the very picture when it is that already.

        On the calling thread alone: threads of libswscale's own would live as long as this, and take a sixth
        more processor time (720p, two of them).
        """
        full_range = picture.format.name.startswith("yuvj") or picture.color_range == ColorRange.JPEG
        same_size = (picture.width, picture.height) == (width, height)
        if picture.format.name == "yuv420p" and same_size and not full_range:
            return picture
        return self._reformatter.reformat(
            picture,
            width,
            height,
            "yuv420p",
            interpolation=Interpolation.FAST_BILINEAR if same_size else Interpolation.BILINEAR,
            src_color_range=ColorRange.JPEG if full_range else ColorRange.MPEG,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )

    def _decode_jpeg(self, data: memoryview) -> av.VideoFrame:
        if self._jpeg is None:
            context = av.CodecContext.create("mjpeg", "r")
            assert isinstance(context, VideoCodecContext)
            context.thread_count = 1
            self._jpeg = context
        packet = av.Packet(bytes(data))
        packet.time_base = Fraction(1, 1)
        try:
            pictures = self._jpeg.decode(packet)
        except av.FFmpegError as error:
            raise PictureError(f"not a JPEG picture: {error}") from error
        if not pictures:
            raise PictureError("no picture in the JPEG data")
        return pictures[-1]

    def _decode_h264(self, data: memoryview) -> av.VideoFrame:
        if self._h264 is None:
            context = av.CodecContext.create("h264", "r")
            assert isinstance(context, VideoCodecContext)
            context.thread_count = 1
            context.flags |= av.codec.context.Flags.low_delay
            self._h264 = context
        try:
            pictures = self._h264.decode(av.Packet(bytes(data)))
        except av.FFmpegError as error:
            self._h264 = None
            raise PictureError(f"not an H.264 picture: {error}") from error
        if not pictures:
            raise PictureError("no picture in the H.264 data")
        return pictures[-1]


def _shared_buffer(frame: VideoFrame) -> NDArray[np.uint8] | None:
    """The planes as the one array from_numpy_buffer wants, if they lie so in memory."""
    if frame.format not in (PixelFormat.I420, PixelFormat.NV12) or frame.height % 4:
        # PyAV derives the height from the rows of all planes, right for multiples of four only.
        return None
    stride = frame.planes[0].stride
    expected = stride * frame.height
    chroma_stride = stride // 2 if frame.format is PixelFormat.I420 else stride
    owner = frame.planes[0].data.obj
    first = _address(frame.planes[0])
    for plane in frame.planes[1:]:
        if plane.data.obj is not owner or plane.stride != chroma_stride:
            return None
        if _address(plane) != first + expected:
            return None
        expected += chroma_stride * (frame.height // 2)
    if stride != frame.width:
        return None
    whole = np.frombuffer(memoryview(owner), np.uint8)
    start = first - int(whole.__array_interface__["data"][0])
    if start < 0 or start + expected > whole.size:
        return None
    rows: NDArray[np.uint8] = whole[start : start + expected].reshape(-1, stride)
    return rows


def _address(plane: Plane) -> int:
    return int(np.frombuffer(plane.data, np.uint8).__array_interface__["data"][0])


def _copy_plane(source: Plane, target: av.video.plane.VideoPlane) -> None:
    """Copy row by row in one go, cutting or leaving what each side pads."""
    stride = target.line_size
    into = np.frombuffer(memoryview(target), np.uint8)
    rows = into.size // stride
    from_ = np.frombuffer(source.data, np.uint8)
    if source.stride <= 0 or from_.size < source.stride * (rows - 1) + 1:
        raise PictureError("a plane is shorter than the picture")
    rows = min(rows, from_.size // source.stride)
    columns = min(stride, source.stride)
    into[: rows * stride].reshape(rows, stride)[:, :columns] = from_[: rows * source.stride].reshape(
        rows, source.stride
    )[:, :columns]
