# SPDX-License-Identifier: GPL-3.0-or-later
"""What we rely on in aiortc and aioice: each of these fails when an upgrade changes it."""

import asyncio
import inspect
import queue
import threading
from collections.abc import AsyncIterator, Callable

import aioice.ice
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCRtpSender, RTCRtpTransceiver
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.jitterbuffer import JitterBuffer
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtcrtpreceiver import RemoteStreamTrack, decoder_worker
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtpPacket,
    pack_remb_fci,
)

from callagent.ports import NetworkReport
from callagent.rtc import aiortc_compat as compat
from callagent.rtc.receive_queues import ReceivedFrame


def parameters(function: Callable[..., object]) -> list[str]:
    return list(inspect.signature(function).parameters)


@pytest.fixture
async def connection() -> AsyncIterator[RTCPeerConnection]:
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    yield connection
    await connection.close()


@pytest.fixture
async def transceiver(connection: RTCPeerConnection) -> RTCRtpTransceiver:
    return connection.addTransceiver("video")


class Source:
    def __init__(self) -> None:
        self.key_frames = 0
        self.reports: list[NetworkReport] = []

    async def next_frame(self) -> tuple[list[bytes], int]:
        return [b"one", b"two"], 1 << 40

    def on_key_frame_request(self) -> None:
        self.key_frames += 1

    def on_report(self, report: NetworkReport) -> None:
        self.reports.append(report)


def test_signatures() -> None:
    assert parameters(RTCRtpSender._next_encoded_frame) == ["self", "codec"]
    assert parameters(RTCRtpSender._send_keyframe) == ["self"]
    assert parameters(RTCRtpSender._handle_rtcp_packet) == ["self", "packet"]
    assert parameters(RTCRtpReceiver._handle_rtcp_packet) == ["self", "packet"]
    assert parameters(JitterBuffer.add) == ["self", "packet"]
    assert parameters(H264Encoder._split_bitstream) == ["buf"]
    assert parameters(H264Encoder._packetize) == ["packages"]
    assert parameters(Vp8Encoder._packetize) == ["buffer", "picture_id"]
    assert parameters(aioice.ice.Connection.get_component_candidates) == [
        "self",
        "component",
        "addresses",
        "timeout",
    ]
    assert parameters(aioice.ice.get_host_addresses) == ["use_ipv4", "use_ipv6"]
    assert parameters(decoder_worker) == ["loop", "input_q", "output_q", "decode_error"]


async def test_sender_sends_what_the_source_gives(transceiver: RTCRtpTransceiver) -> None:
    compat.send_from(transceiver.sender, Source())
    frame = await transceiver.sender._next_encoded_frame(RTCRtpCodecParameters("video/H264", 90000))
    assert frame is not None
    assert (frame.payloads, frame.timestamp) == ([b"one", b"two"], 1 << 40)
    transceiver.sender._enabled = False
    assert await transceiver.sender._next_encoded_frame(RTCRtpCodecParameters("video/H264", 90000)) is None
    assert compat.private(transceiver.sender, RTCRtpSender, "__encoder") is None


@pytest.mark.parametrize("fmt", [RTCP_PSFB_PLI, RTCP_PSFB_FIR])
async def test_key_frame_requests_reach_the_source(transceiver: RTCRtpTransceiver, fmt: int) -> None:
    source = Source()
    compat.send_from(transceiver.sender, source)
    ssrc = transceiver.sender._ssrc
    await transceiver.sender._handle_rtcp_packet(RtcpPsfbPacket(fmt=fmt, ssrc=1, media_ssrc=ssrc))
    assert source.key_frames == 1


async def test_reports_reach_the_source(transceiver: RTCRtpTransceiver) -> None:
    source = Source()
    compat.send_from(transceiver.sender, source)
    ssrc = transceiver.sender._ssrc
    remb = RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=pack_remb_fci(300_000, [ssrc]))
    other = RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=pack_remb_fci(1, [ssrc ^ 1]))
    broken = RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=b"REMB")
    info = RtcpReceiverInfo(ssrc, 64, packets_lost=5, highest_sequence=9, jitter=0, lsr=0, dlsr=0)
    for packet in (remb, other, broken, RtcpRrPacket(ssrc=1, reports=[info])):
        await transceiver.sender._handle_rtcp_packet(packet)
    assert source.reports == [NetworkReport(available_bps=300_000), NetworkReport(fraction_lost=0.25)]


async def test_the_video_receiver_decodes_through_our_buffer_and_queue(
    transceiver: RTCRtpTransceiver,
) -> None:
    receiver = transceiver.receiver
    decoder_queue = compat.release_on_marker(receiver, 5)
    codec = RTCRtpCodecParameters("video/VP8", 90000, payloadType=97)
    compat.private(receiver, RTCRtpReceiver, "__codecs")[97] = codec
    # A stand-in for the running decoder, so that what it would be given can be looked at.
    compat.replace_private(receiver, RTCRtpReceiver, "__decoder_thread", threading.Thread())
    payloads = [b"\x10\x00key", b"\x10\x01delta", b"\x10\x01more"]
    for number in (0, 2, 1):
        packet = RtpPacket(97, marker=1, sequence_number=number, timestamp=5000 + 3000 * number)
        packet.payload = payloads[number]
        await receiver._handle_rtp_packet(packet, arrival_time_ms=0)
    items = [decoder_queue.get_nowait() for _ in range(3)]
    assert [(item[0], item[1].data, item[1].timestamp) for item in items if item is not None] == [
        (codec, payload[1:], 3000 * number) for number, payload in enumerate(payloads)
    ]
    compat.replace_private(receiver, RTCRtpReceiver, "__decoder_thread", None)


async def test_a_decoder_that_is_behind_asks_for_a_key_frame(
    transceiver: RTCRtpTransceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = transceiver.receiver
    decoder_queue = compat.release_on_marker(receiver, 1)
    codec = RTCRtpCodecParameters("video/VP8", 90000, payloadType=97)
    compat.private(receiver, RTCRtpReceiver, "__codecs")[97] = codec
    asked: list[int] = []

    async def send_rtcp_pli(media_ssrc: int) -> None:
        asked.append(media_ssrc)

    monkeypatch.setattr(receiver, "_send_rtcp_pli", send_rtcp_pli)
    for number in range(2):
        decoder_queue.put((codec, ReceivedFrame(b"", number, key=number == 0)))
    packet = RtpPacket(97, marker=1, sequence_number=1, timestamp=1)
    packet.ssrc, packet.payload = 77, b"\x10\x00key"
    await receiver._handle_rtp_packet(packet, arrival_time_ms=0)
    assert asked == [77]


async def test_audio_decoder_queue_is_replaced(connection: RTCPeerConnection) -> None:
    receiver = connection.addTransceiver("audio").receiver
    assert isinstance(compat.private(receiver, RTCRtpReceiver, "__decoder_queue"), queue.Queue)
    bounded = compat.bound_decoder(receiver, 3)
    assert compat.private(receiver, RTCRtpReceiver, "__decoder_queue") is bounded


async def test_remote_tracks_are_read_from_our_queue() -> None:
    track = RemoteStreamTrack("video")
    frames = compat.bound_track(track, 2)
    await frames.put(None)
    assert track._queue is frames
    with pytest.raises(MediaStreamError):
        await track.recv()
    assert track.readyState == "ended"
    with pytest.raises(compat.CompatError):
        compat.bound_track(compat.PlaceholderTrack("video"), 2)


async def test_bye_does_not_end_the_decoder(transceiver: RTCRtpTransceiver) -> None:
    receiver = transceiver.receiver
    compat.ignore_bye(receiver)
    items = compat.bound_decoder(receiver, 3)
    await receiver._handle_rtcp_packet(RtcpByePacket(sources=[1]))
    assert items.empty()


async def test_gathering_waits_as_told_and_falls_back_to_loopback(
    connection: RTCPeerConnection, transceiver: RTCRtpTransceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: [])
    compat.tune_gathering(transceiver, 0.05)
    ice = transceiver.receiver.transport.transport._connection
    # Discarded (RFC 863): a STUN server that never answers.
    ice.stun_server = ("127.0.0.1", 9)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await connection.setLocalDescription(await connection.createOffer())
    assert loop.time() - began < 3
    assert [candidate.host for candidate in ice.local_candidates] == ["127.0.0.1"]


async def test_what_close_waits_for_is_there(
    connection: RTCPeerConnection, transceiver: RTCRtpTransceiver
) -> None:
    assert compat.private(connection, RTCPeerConnection, "__closeTask") is None
    transport = transceiver.receiver.transport
    assert isinstance(transport, RTCDtlsTransport)
    assert transport._task is None
    tasks = compat.own_connect_tasks(connection)
    await connection.setLocalDescription(await connection.createOffer())
    await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert tasks == set()
    assert compat.selected_pair(connection) is None
    statistics = compat.transport_statistics(connection)
    assert statistics is not None
    assert statistics.packetsReceived == 0
    assert compat.negotiated_codec(transceiver) == "VP8"


def test_a_missing_attribute_is_told() -> None:
    with pytest.raises(compat.CompatError):
        compat.private(object(), RTCRtpSender, "__rtt")
    with pytest.raises(compat.CompatError):
        compat.override(object(), "_send_keyframe", lambda: None)
