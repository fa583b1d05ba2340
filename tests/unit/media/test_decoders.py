# SPDX-License-Identifier: GPL-3.0-or-later
from itertools import count

import av
import pytest

from callagent.devices.virtual.framecode import read_frame
from callagent.media.decoders import DecodeError, DecoderError, FfmpegVideoDecoder, open_video_decoder
from callagent.media.encoders import EncoderSettings, Vp8Encoder, X264Encoder
from callagent.media.pixels import to_av
from callagent.ports import Codec, PixelFormat, ReceivedPicture
from tests.unit.media.pictures import picture

ENCODERS = {Codec.H264: X264Encoder, Codec.VP8: Vp8Encoder}
CODECS = [Codec.H264, Codec.VP8]


def encoded(codec: Codec, pictures: int, keys: tuple[int, ...] = (0,)) -> list[ReceivedPicture]:
    """Pictures with frame codes 0, 1, 2, ... as our encoders make them."""
    encoder = ENCODERS[codec](EncoderSettings(320, 240, 30, 1_000_000))
    received = []
    for number in range(pictures):
        raw = to_av(picture(number))
        raw.pts = number * 3000
        (out,) = encoder.encode(raw, force_key=number in keys)
        assert out.key == (number in keys)
        arrival = 50 + number / 30
        received.append(ReceivedPicture(codec, out.key, number * 3000, bytes(out.payload), arrival, None))
    return received


def cut(whole: ReceivedPicture, length: int) -> ReceivedPicture:
    return ReceivedPicture(whole.codec, whole.key, whole.timestamp, whole.payload[:length], 0.0, None)


@pytest.mark.parametrize("codec", CODECS)
def test_every_picture_comes_out_at_once(codec: Codec) -> None:
    decoder = open_video_decoder(codec)
    assert decoder.codec is codec
    for number, received in zip(count(), encoded(codec, 10), strict=False):
        frame = decoder.decode(received)
        assert frame is not None
        assert (frame.format, frame.width, frame.height) == (PixelFormat.I420, 320, 240)
        assert [len(p.data) // p.stride for p in frame.planes] == [240, 120, 120]
        assert frame.capture_time == received.arrival_time
        code = read_frame(frame)
        assert code is not None
        assert code.counter == number
    decoder.close()
    with pytest.raises(DecodeError):
        decoder.decode(received)


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_no_picture_is_a_decode_error_and_the_next_key_frame_decodes(codec: Codec) -> None:
    decoder = open_video_decoder(codec)
    pictures = encoded(codec, 4, keys=(0, 2))
    with pytest.raises(DecodeError):
        decoder.decode(pictures[1])
    for bad in (b"\x00", b"\x00\x00\x00\x01\x65", b"\xff" * 200):
        with pytest.raises(DecodeError):
            decoder.decode(ReceivedPicture(codec, True, 0, bad, 0.0, None))
    for number in (2, 3):
        frame = decoder.decode(pictures[number])
        assert frame is not None
        code = read_frame(frame)
        assert code is not None
        assert code.counter == number


def test_a_cut_h264_picture_is_never_given_out() -> None:
    decoder = FfmpegVideoDecoder(Codec.H264)
    pictures = encoded(Codec.H264, 4, keys=(0, 3))
    assert decoder.decode(pictures[0]) is not None
    size = len(pictures[1].payload)
    for length in (size // 4, size // 2, size * 3 // 4):
        with pytest.raises(DecodeError):
            decoder.decode(cut(pictures[1], length))
    key = pictures[3]
    with pytest.raises(DecodeError):
        decoder.decode(cut(key, len(key.payload) // 2))
    assert decoder.decode(key) is not None


def test_the_size_may_change_with_a_key_frame() -> None:
    decoder = FfmpegVideoDecoder(Codec.VP8)
    encoder = Vp8Encoder(EncoderSettings(640, 480, 30, 1_000_000))
    raw = to_av(picture(0, 640, 480))
    raw.pts = 0
    (large,) = encoder.encode(raw, force_key=True)
    assert decoder.decode(encoded(Codec.VP8, 1)[0]) is not None
    frame = decoder.decode(ReceivedPicture(Codec.VP8, True, 0, bytes(large.payload), 0.0, None))
    assert frame is not None
    assert (frame.width, frame.height) == (640, 480)


def test_a_codec_without_decoder_is_told() -> None:
    with pytest.raises(DecoderError, match="opus"):
        FfmpegVideoDecoder(Codec.OPUS)


def test_other_layouts_become_i420() -> None:
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = 64, 64, "yuv444p"
    encoder.options = {"tune": "zerolatency", "preset": "ultrafast"}
    (packet,) = encoder.encode(av.VideoFrame(64, 64, "yuv444p"))
    frame = FfmpegVideoDecoder(Codec.H264).decode(
        ReceivedPicture(Codec.H264, True, 0, bytes(packet), 0.0, None)
    )
    assert frame is not None
    assert (frame.format, frame.planes[1].stride >= 32) == (PixelFormat.I420, True)
