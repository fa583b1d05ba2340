# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of every format and layout become what an encoder takes."""

import contextlib
import os
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange
from hypothesis import given, settings
from hypothesis import strategies as st

from callagent.devices.virtual import framecode
from callagent.media.pixels import PictureConverter, PictureError, fit, from_av, to_av
from callagent.media.slate import SlatePainter
from callagent.ports import PixelFormat, Plane, VideoFrame
from tests.unit.media.pictures import picture


def luma(frame: av.VideoFrame) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width]


def repacked(frame: VideoFrame, padding: int) -> VideoFrame:
    """The same picture with padded rows, every plane in its own memory."""
    planes = []
    for number, plane in enumerate(frame.planes):
        width = frame.width if number == 0 else frame.width // 2
        rows = np.frombuffer(plane.data, np.uint8).reshape(-1, plane.stride)[:, :width]
        padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
        planes.append(Plane(memoryview(padded.tobytes()), width + padding))
    return VideoFrame(frame.format, frame.width, frame.height, tuple(planes), frame.capture_time)


def test_our_own_frames_are_not_copied() -> None:
    frame = picture(3)
    shared = to_av(frame)
    original = np.frombuffer(frame.planes[0].data, np.uint8)
    assert luma(shared).__array_interface__["data"] == original.__array_interface__["data"]


@pytest.mark.parametrize("size", [(320, 240), (322, 242), (160, 90), (64, 38)])
@pytest.mark.parametrize("padding", [0, 10])
def test_any_layout_gives_the_same_picture(size: tuple[int, int], padding: int) -> None:
    frame = picture(5, *size)
    expected = np.frombuffer(frame.planes[0].data, np.uint8).reshape(size[1], size[0])
    for each in (frame, repacked(frame, padding)):
        made = to_av(each)
        assert (made.width, made.height) == size
        assert (luma(made) == expected).all()
        for plane, source in zip(made.planes[1:], frame.planes[1:], strict=True):
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            wanted = np.frombuffer(source.data, np.uint8).reshape(-1, source.stride)
            assert (rows[: wanted.shape[0], : wanted.shape[1]] == wanted).all()


@pytest.mark.parametrize("pixel_format", [PixelFormat.NV12, PixelFormat.YUYV])
def test_camera_formats_convert_and_scale(pixel_format: PixelFormat) -> None:
    source = to_av(picture(9, 640, 480)).reformat(format=pixel_format.value)
    frame = from_av(source, 1.5)
    assert frame.format is pixel_format
    assert frame.capture_time == 1.5
    converter = PictureConverter()
    small = converter.convert(converter.decode(frame), 320, 240)
    assert (small.format.name, small.width, small.height) == ("yuv420p", 320, 240)
    code = framecode.read(luma(small))
    assert code is not None
    assert code.counter == 9


def jpeg(counter: int, width: int, height: int) -> bytes:
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj422p"
    encoder.time_base = Fraction(1, 30)
    encoder.color_range = ColorRange.JPEG
    full = to_av(picture(counter, width, height)).reformat(
        format="yuvj422p", src_color_range=ColorRange.MPEG, dst_color_range=ColorRange.JPEG
    )
    return b"".join(bytes(packet) for packet in [*encoder.encode(full), *encoder.encode(None)])


def test_jpeg_is_decoded_into_limited_range() -> None:
    converter = PictureConverter()
    for counter in (1, 2):
        data = memoryview(jpeg(counter, 320, 240))
        frame = VideoFrame(PixelFormat.MJPEG, 320, 240, (Plane(data, 0),), 0.0)
        made = converter.convert(converter.decode(frame), 320, 240)
        assert made.format.name == "yuv420p"
        code = framecode.read(luma(made))
        assert code is not None
        assert code.counter == counter
        strip = luma(made)[:30].astype(int)
        assert abs(int(np.percentile(strip, 5)) - 16) < 8, "black stays 16, not 0 or 30"
        assert abs(int(np.percentile(strip, 95)) - 235) < 8


def test_converting_makes_no_threads() -> None:
    """They would come with the first picture that is not I420, one for each processor, and stay."""
    converter = PictureConverter()
    before = len(os.listdir("/proc/self/task"))
    converter.convert(av.VideoFrame(1280, 720, "yuvj422p"), 640, 360)
    assert len(os.listdir("/proc/self/task")) == before


@given(st.binary(max_size=400))
@settings(max_examples=50)
def test_damaged_jpeg_is_a_typed_error_or_some_picture(data: bytes) -> None:
    frame = VideoFrame(PixelFormat.MJPEG, 320, 240, (Plane(memoryview(data), 0),), 0.0)
    with contextlib.suppress(PictureError):
        PictureConverter().decode(frame)


def test_a_short_plane_is_a_typed_error() -> None:
    planes = (Plane(memoryview(bytes(100)), 320), *picture(1).planes[1:])
    with pytest.raises(PictureError):
        to_av(VideoFrame(PixelFormat.I420, 320, 240, planes, 0.0))


@given(*[st.integers(2, 4000) for _ in range(4)])
@settings(max_examples=200)
def test_fit_keeps_shape_and_bounds(width: int, height: int, max_width: int, max_height: int) -> None:
    fitted = fit(width, height, max_width, max_height)
    assert fitted[0] % 2 == fitted[1] % 2 == 0
    assert 2 <= fitted[0] <= max(2, min(max_width, width) + 1)
    assert 2 <= fitted[1] <= max(2, min(max_height, height) + 1)
    if min(fitted) > 100:
        assert abs(fitted[0] / fitted[1] - width / height) / (width / height) < 0.03


@given(width=st.integers(1, 700), height=st.integers(1, 500), text=st.text(max_size=120))
@settings(max_examples=60)
def test_a_slate_is_a_picture_whatever_the_text(width: int, height: int, text: str) -> None:
    frame = SlatePainter().paint(width, height, text, 2.0)
    assert frame.width % 2 == frame.height % 2 == 0
    assert to_av(frame).width == frame.width


def test_a_slate_shows_its_text() -> None:
    painter = SlatePainter()
    blank, text = painter.paint(320, 240, "", 0.0), painter.paint(320, 240, "Café closed", 0.0)
    accentless = painter.paint(320, 240, "Cafe closed", 0.0)
    assert bytes(text.planes[0].data) != bytes(blank.planes[0].data)
    assert bytes(text.planes[0].data) == bytes(accentless.planes[0].data)
    share = np.mean(np.frombuffer(text.planes[0].data, np.uint8) > 100)
    assert 0.005 < share < 0.2
