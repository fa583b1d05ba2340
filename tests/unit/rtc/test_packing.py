# SPDX-License-Identifier: GPL-3.0-or-later
import itertools

import pytest
from aiortc.codecs import depayload
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from hypothesis import given
from hypothesis import strategies as st

from callagent.ports import Codec, NetworkReport
from callagent.rtc.feedback import ReportFilter
from callagent.rtc.key_frames import starts_key_frame
from callagent.rtc.packing import OPUS_PACKET_TICKS, RtpTimestamps, make_packer
from tests.unit.rtc.parts import video_stream

MAX_PAYLOAD = 1300
VP8_PARAMETERS = RTCRtpCodecParameters("video/VP8", 90000)
H264_PARAMETERS = RTCRtpCodecParameters("video/H264", 90000)

nal_units = st.lists(
    st.tuples(st.integers(1, 23), st.integers(1, 4000)).map(
        lambda nal: bytes([0x60 | nal[0]]) + bytes([0xAB]) * nal[1]
    ),
    min_size=1,
    max_size=6,
)


@given(nal_units)
def test_h264_survives_packing(nals: list[bytes]) -> None:
    access_unit = b"".join(b"\0\0\0\1" + nal for nal in nals)
    payloads = make_packer(Codec.H264)(memoryview(access_unit))
    assert b"".join(depayload(H264_PARAMETERS, payload) for payload in payloads) == access_unit
    assert max(map(len, payloads)) <= MAX_PAYLOAD


@given(st.binary(min_size=1, max_size=6000))
def test_vp8_survives_packing(frame: bytes) -> None:
    payloads = make_packer(Codec.VP8)(memoryview(frame))
    assert b"".join(depayload(VP8_PARAMETERS, payload) for payload in payloads) == frame
    assert max(map(len, payloads)) <= MAX_PAYLOAD


def test_vp8_picture_ids_count_up_within_15_bits() -> None:
    pack = make_packer(Codec.VP8)
    ids = [int.from_bytes(pack(memoryview(b"x"))[0][2:4], "big") & 0x7FFF for _ in range(0x8001)]
    assert all(after == (before + 1) & 0x7FFF for before, after in itertools.pairwise(ids))


def test_opus_is_one_packet() -> None:
    assert make_packer(Codec.OPUS)(memoryview(b"sound")) == [b"sound"]


@pytest.mark.parametrize("codec", [Codec.H264, Codec.VP8])
def test_key_frames_of_real_encoders_are_recognised(codec: Codec) -> None:
    encode, pack = video_stream(codec)._encode, make_packer(codec)
    for number in range(12):
        for payload, key in encode(number == 7):
            assert key == (number in (0, 7))
            assert [starts_key_frame(codec, p) for p in pack(memoryview(payload))] == [
                key and i == 0 for i in range(len(pack(memoryview(payload))))
            ]


@given(st.sampled_from(["H264", "VP8", "opus"]), st.binary(max_size=40))
def test_any_payload_may_be_asked_about(codec: str, payload: bytes) -> None:
    assert starts_key_frame(codec, payload) in (True, False)


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=50), st.sampled_from(list(Codec)))
def test_time_stamps_always_rise(times: list[float], codec: Codec) -> None:
    timestamps = RtpTimestamps(codec)
    stamps = [timestamps.stamp(time) for time in times]
    assert all(after > before for before, after in itertools.pairwise(stamps))


def test_video_time_stamps_follow_the_capture() -> None:
    timestamps = RtpTimestamps(Codec.H264)
    assert timestamps.stamp(10.5) - timestamps.stamp(10.0) <= 1  # a clock that went back
    timestamps = RtpTimestamps(Codec.H264)
    first = timestamps.stamp(10.0)
    assert timestamps.stamp(10.5) - first == 45_000


def test_opus_time_stamps_are_steady_until_the_clocks_have_drifted_apart() -> None:
    timestamps = RtpTimestamps(Codec.OPUS)
    first = timestamps.stamp(5.0)
    assert timestamps.stamp(5.027) == first + OPUS_PACKET_TICKS
    assert timestamps.stamp(5.038) == first + 2 * OPUS_PACKET_TICKS
    assert timestamps.stamp(7.0) == first + 2 * 48_000


def test_a_calm_picture_does_not_talk_its_own_bitrate_down() -> None:
    reports = ReportFilter()
    for number in range(30):
        reports.sent(number / 30, 1000)  # 240 kbit/s
    assert reports.passes(NetworkReport(available_bps=2_000_000))
    assert not reports.passes(NetworkReport(available_bps=360_000))
    assert reports.passes(NetworkReport(available_bps=200_000))
    assert reports.passes(NetworkReport(available_bps=360_000))
    assert reports.passes(NetworkReport(fraction_lost=0.5))
