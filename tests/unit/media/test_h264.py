# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read off H.264 without decoding: against x264, and against any bytes."""

import contextlib
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from hypothesis import given, settings
from hypothesis import strategies as st

from callagent.media.encoders import EncoderSettings, X264Encoder
from callagent.media.h264 import (
    IDR,
    SLICE,
    BitstreamError,
    Opening,
    ParameterSets,
    opening,
    read_sps,
)


def coded(width: int, height: int, pixel_format: str = "yuv420p", **options: str) -> bytes:
    """A key frame of x264's."""
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, pixel_format
    context.time_base = Fraction(1, 30)
    context.options = {"preset": "veryfast", "tune": "zerolatency"} | options
    frame = av.VideoFrame(width, height, pixel_format)
    frame.pts = 0
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


@settings(max_examples=25, deadline=None)
@given(
    width=st.integers(8, 200).map(lambda half: 2 * half),
    height=st.integers(8, 200).map(lambda half: 2 * half),
    profile=st.sampled_from(["baseline", "main", "high"]),
    interlaced=st.booleans(),
)
def test_the_size_is_what_was_encoded(width: int, height: int, profile: str, interlaced: bool) -> None:
    fields = interlaced and profile != "baseline"
    height -= height % 4 if fields else 0
    unit = coded(width, height, profile=profile, **({"x264-params": "tff=1"} if fields else {}))
    seen = opening(unit)
    assert seen.key
    assert seen.sps is not None
    assert seen.pps is not None
    sps = read_sps(seen.sps)
    assert (sps.width, sps.height) == (width, height)
    assert sps.profile_idc == {"baseline": 66, "main": 77, "high": 100}[profile]


@pytest.mark.parametrize("pixel_format", ["yuv422p", "yuv444p", "gray"])
def test_other_chroma_and_scaling_lists_are_understood(pixel_format: str) -> None:
    sps = opening(coded(322, 242, pixel_format, **{"x264-params": "cqm=jvt"})).sps
    assert sps is not None
    assert (read_sps(sps).width, read_sps(sps).height) == (322, 242)


def test_the_level_follows_the_size_and_1080p_is_possible() -> None:
    levels = {}
    for width, height in ((640, 480), (1280, 720), (1920, 1080)):
        encoder = X264Encoder(EncoderSettings(width, height, 30, 2_000_000))
        picture = av.VideoFrame.from_ndarray(
            np.full((height * 3 // 2, width), 128, np.uint8), format="yuv420p"
        )
        picture.pts = 0
        (payload,) = encoder.encode(picture)
        sps = opening(payload.payload).sps
        assert sps is not None
        assert (read_sps(sps).width, read_sps(sps).height) == (width, height)
        levels[height] = read_sps(sps).level_idc
    assert levels == {480: 30, 720: 31, 1080: 40}


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        seen = opening(data)
        if seen.sps is not None:
            read_sps(seen.sps)
    except BitstreamError:
        pass


@given(st.binary(max_size=60))
def test_any_parameter_set_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(BitstreamError):
        read_sps(b"\x67\x64\x00\x1f" + data)


SPS, PPS = b"\x67\x42\xc0\x1f\x11", b"\x68\xce\x11"
START = b"\0\0\0\1"


def unit(*nals: bytes) -> bytes:
    return b"".join(START + nal for nal in nals)


def test_parameter_sets_are_repeated_before_key_frames_that_lack_them() -> None:
    sets = ParameterSets()

    def through(data: bytes) -> bytes | None:
        whole = sets.complete(data, opening(data))
        return None if whole is None else bytes(whole)

    early = unit(b"\x65\x88\x11")
    assert through(early) == early, "there is nothing to put before it yet"
    assert through(unit(SPS, PPS)) is None, "they came alone: no picture"
    assert through(unit(b"\x41\x9a\x11")) == unit(b"\x41\x9a\x11")
    assert through(unit(b"\x65\x88\x11")) == unit(SPS, PPS, b"\x65\x88\x11")
    own = unit(b"\x67\x42\xc0\x28\x11", b"\x68\xce\x22", b"\x65\x88\x11")
    assert through(own) == own
    assert through(unit(b"\x65\x88\x11")) == own, "the newest ones"
    assert opening(own) == Opening(b"\x67\x42\xc0\x28\x11", b"\x68\xce\x22", IDR)
    assert opening(unit(b"\x09\xf0", b"\x06\x05", b"\x41\x9a")).slice_type == SLICE


def test_what_no_encoder_writes_is_refused() -> None:
    for data in (b"", b"\x41\x9a", b"\x17" * 40, unit(b"\xe5\x88"), unit(b"\x60"), unit(b"\x7e\x11")):
        with pytest.raises(BitstreamError):
            opening(data)
