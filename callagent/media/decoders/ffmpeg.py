# SPDX-License-Identifier: GPL-3.0-or-later
"""H.264 and VP8 in software, by the decoders inside FFmpeg's libavcodec."""

import av
from av.codec.context import Flags, ThreadType
from av.video.codeccontext import VideoCodecContext

from callagent.media.decoders.base import DecodeError, DecoderError, VideoDecoder
from callagent.ports import Codec, PixelFormat, Plane, ReceivedPicture, VideoFrame

_LIBRARIES = {Codec.H264: "h264", Codec.VP8: "vp8"}
_I420_FORMATS = ("yuv420p", "yuvj420p")


class FfmpegVideoDecoder:
    """A `VideoDecoder` on one libavcodec decoder.

    One thread: frame threads would hold pictures back, and slice threads gained
    nothing for 1280x720 (measured, 0.8 ms a picture with one or two).
    """

    def __init__(self, codec: Codec) -> None:
        """Open the codec. Raises DecoderError."""
        library = _LIBRARIES.get(codec)
        if library is None:
            raise DecoderError(f"there is no decoder for {codec}")
        self._codec = codec
        try:
            context = av.CodecContext.create(library, "r")
            assert isinstance(context, VideoCodecContext)
            context.thread_count = 1
            context.thread_type = ThreadType.SLICE
            context.flags |= Flags.low_delay
            # An error is an error: without this, FFmpeg patches damaged pictures up with what lies near.
            context.options = {"err_detect": "explode"}
            context.open()
        except (av.FFmpegError, ValueError) as error:
            raise DecoderError(f"{library} cannot be opened: {error}") from error
        self._context: VideoCodecContext | None = context

    @property
    def codec(self) -> Codec:
        return self._codec

    def decode(self, picture: ReceivedPicture) -> VideoFrame | None:
        if self._context is None:
            raise DecodeError("the decoder is closed")
        try:
            decoded = self._context.decode(av.Packet(picture.payload))
        except (av.FFmpegError, ValueError) as error:
            raise DecodeError(f"{self._codec} picture cannot be decoded: {error}") from error
        if not decoded:
            return None
        newest = decoded[-1]
        if newest.is_corrupt:
            raise DecodeError(f"{self._codec} picture is damaged")
        return _i420(newest, picture.arrival_time)

    def close(self) -> None:
        # libavcodec frees the context with its last reference.
        self._context = None


def open_video_decoder(codec: Codec) -> VideoDecoder:
    """The decoder to use for this codec. Raises DecoderError."""
    return FfmpegVideoDecoder(codec)


def _i420(decoded: av.VideoFrame, capture_time: float) -> VideoFrame:
    """A decoded picture as I420; its planes are the decoder's own memory, kept alive by them."""
    if decoded.format.name not in _I420_FORMATS:
        decoded = decoded.reformat(format="yuv420p", threads=1)
    width, height = decoded.width & ~1, decoded.height & ~1
    rows = (height, height // 2, height // 2)
    planes = tuple(
        Plane(memoryview(plane)[: plane.line_size * n], plane.line_size)
        for plane, n in zip(decoded.planes, rows, strict=True)
    )
    return VideoFrame(PixelFormat.I420, width, height, planes, capture_time)
