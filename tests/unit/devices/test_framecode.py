# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame code survives what happens to pictures on their way."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from callagent.devices.virtual import framecode
from callagent.devices.virtual.camera import _Painter
from callagent.devices.virtual.framecode import FrameCode

CODES = st.builds(
    FrameCode,
    counter=st.integers(0, 65535),
    clock_ms=st.integers(0, framecode.CLOCK_MODULUS - 1),
    ident=st.integers(0, 255),
)


@given(code=CODES, width=st.integers(64, 700), height=st.integers(32, 500), padding=st.integers(0, 40))
@settings(max_examples=120)
def test_roundtrip_any_size_and_stride(code: FrameCode, width: int, height: int, padding: int) -> None:
    luma = np.full((height, width + padding), 90, np.uint8)[:, :width]
    framecode.draw(luma, code)
    assert framecode.read(luma) == code
    assert (luma[-(-height // 8) :] == 90).all(), "the strip stays in the top eighth"


def test_known_bytes() -> None:
    """The layout written down in the module, bit by bit; the web phone reads the same."""
    luma = np.zeros((160, 320), np.uint8)
    framecode.draw(luma, FrameCode(counter=0x1234, clock_ms=0xABCDEF, ident=7))
    bits = [int(luma[5 + 10 * row, 5 + 10 * column] == 235) for row in range(2) for column in range(32)]
    data = bytes(int("".join(map(str, bits[i : i + 8])), 2) for i in range(0, 64, 8))
    assert data[:7] == bytes((0xB2, 7, 0x12, 0x34, 0xAB, 0xCD, 0xEF))
    assert data[7] == _crc8_bitwise(data[:7])


def _crc8_bitwise(data: bytes) -> int:
    """Long division by x^8+x^2+x+1, independent of the implementation under test."""
    remainder = int.from_bytes(data, "big") << 8
    for shift in range(len(data) * 8 - 1, -1, -1):
        if remainder >> (shift + 8) & 1:
            remainder ^= 0x107 << shift
    return remainder


@given(code=CODES, bit=st.integers(0, 63))
@settings(max_examples=64)
def test_any_flipped_cell_is_noticed(code: FrameCode, bit: int) -> None:
    luma = np.zeros((64, 128), np.uint8)
    framecode.draw(luma, code)
    row, column = divmod(bit, 32)
    cell = luma[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
    cell[:] = 251 - cell
    assert framecode.read(luma) is None


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_noise_and_flat_pictures_hold_no_code(seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (120, 160), np.uint8)
    assert framecode.read(noise) is None
    assert framecode.read(np.full((120, 160), seed % 256, np.uint8)) is None


def test_too_small_a_picture() -> None:
    assert framecode.read(np.zeros((31, 64), np.uint8)) is None
    with pytest.raises(ValueError, match="64x32"):
        framecode.draw(np.zeros((32, 63), np.uint8), FrameCode(0, 0))


def test_age_across_the_wrap_of_the_clock() -> None:
    code = FrameCode(0, framecode.CLOCK_MODULUS - 10)
    assert code.age_ms(framecode.CLOCK_MODULUS + 25) == 35
    assert code.age_ms(framecode.CLOCK_MODULUS - 15) == -5


@pytest.mark.parametrize(
    ("library", "decoder", "options"),
    [
        ("libx264", "h264", {"preset": "veryfast", "tune": "zerolatency"}),
        ("libvpx", "vp8", {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0"}),
    ],
)
@pytest.mark.parametrize("scaled", [(640, 360), (426, 240), (320, 180)])
def test_survives_low_bitrate_and_scaling(
    library: str, decoder: str, options: dict[str, str], scaled: tuple[int, int]
) -> None:
    encoder = av.CodecContext.create(library, "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = 640, 360, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.bit_rate = Fraction(1, 15), Fraction(15), 200_000
    encoder.options = options
    reader = av.CodecContext.create(decoder, "r")
    assert isinstance(reader, VideoCodecContext)
    painter = _Painter(640, 360)
    seen: list[FrameCode] = []
    for counter in range(30):
        code = FrameCode(counter, counter * 66, 9)
        frame = painter.paint(counter / 15, code)
        owner: NDArray[np.uint8] = np.frombuffer(memoryview(frame.planes[0].data.obj), np.uint8)
        picture = av.VideoFrame.from_ndarray(owner.reshape(540, 640), format="yuv420p")
        picture.pts, picture.time_base = counter, Fraction(1, 15)
        for packet in encoder.encode(picture):
            for decoded in reader.decode(packet):
                small = decoded.reformat(*scaled, "gray")
                read = framecode.read(np.asarray(small.to_ndarray(), np.uint8))
                assert read is not None
                seen.append(read)
    assert [code.counter for code in seen][-20:] == list(range(30))[-len(seen) :][-20:]
    assert all(code.ident == 9 and code.clock_ms == code.counter * 66 for code in seen)
    assert len(seen) >= 27
