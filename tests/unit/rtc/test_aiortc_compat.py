# SPDX-License-Identifier: GPL-3.0-or-later
"""What we rely on in aiortc and aioice: each of these fails when an upgrade changes it."""

import asyncio
import inspect
import socket
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from types import SimpleNamespace
from typing import Any

import aioice
import pytest
from aioice import stun
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCRtpSender, RTCRtpTransceiver
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcdtlstransport import RTCDtlsTransport, RtpRouter
from aiortc.rtcrtpparameters import (
    RTCRtpCodecParameters,
    RTCRtpDecodingParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpParameters,
    RTCRtpReceiveParameters,
    RTCRtpRtxParameters,
    RTCRtpSendParameters,
)
from aiortc.rtcrtpreceiver import RemoteStreamTrack
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTP_HISTORY_SIZE,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
    RtpPacket,
    pack_remb_fci,
    wrap_rtx,
)

from callagent.ports import NetworkReport
from callagent.rtc import aioice_compat, congestion_compat
from callagent.rtc import aiortc_compat as compat
from callagent.rtc.consent import keep_consent
from callagent.rtc.datagram_queue import DatagramQueue
from callagent.rtc.header_extension import with_extension
from callagent.rtc.overriding import CompatError, override, private, replace_private
from callagent.rtc.transport_cc import URI as TRANSPORT_CC_URI
from tests.clock import HandClock


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
    assert parameters(RTCRtpReceiver.receive) == ["self", "parameters"]
    assert parameters(RTCRtpSender._retransmit) == ["self", "sequence_number"]


async def test_sender_sends_what_the_source_gives(transceiver: RTCRtpTransceiver) -> None:
    compat.send_from(transceiver.sender, Source())
    frame = await transceiver.sender._next_encoded_frame(RTCRtpCodecParameters("video/H264", 90000))
    assert frame is not None
    assert (frame.payloads, frame.timestamp) == ([b"one", b"two"], 1 << 40)
    transceiver.sender._enabled = False
    assert await transceiver.sender._next_encoded_frame(RTCRtpCodecParameters("video/H264", 90000)) is None
    assert private(transceiver.sender, RTCRtpSender, "__encoder") is None


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


class Consumer:
    def __init__(self) -> None:
        self.packets: list[tuple[str, int, int, bytes]] = []
        self.reports: list[tuple[int, int, int]] = []

    def on_packet(self, codec: str, packet: RtpPacket, data: bytes) -> None:
        self.packets.append((codec, packet.ssrc, packet.sequence_number, data))

    def on_sender_report(self, ssrc: int, ntp_timestamp: int, rtp_timestamp: int) -> None:
        self.reports.append((ssrc, ntp_timestamp, rtp_timestamp))


VP8 = RTCRtpCodecParameters("video/VP8", 90000, payloadType=97)
RTX = RTCRtpCodecParameters("video/rtx", 90000, payloadType=98, parameters={"apt": 97})
RECEIVED = RTCRtpReceiveParameters(
    codecs=[VP8, RTX],
    encodings=[RTCRtpDecodingParameters(ssrc=77, payloadType=97, rtx=RTCRtpRtxParameters(ssrc=78))],
)


def vp8_packet(number: int) -> RtpPacket:
    packet = RtpPacket(97, marker=1, sequence_number=number, timestamp=3000 * number)
    packet.ssrc, packet.payload = 77, b"\x10\x01" + bytes((number,))
    return packet


async def test_a_receiver_gives_its_packets_to_the_consumer_and_starts_no_thread(
    transceiver: RTCRtpTransceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, consumer, threads = transceiver.receiver, Consumer(), set(threading.enumerate())
    asked: list[tuple[int, list[int]]] = []

    async def send_rtcp_nack(media_ssrc: int, lost: list[int]) -> None:
        asked.append((media_ssrc, lost))

    monkeypatch.setattr(receiver, "_send_rtcp_nack", send_rtcp_nack)
    compat.receive_encoded(receiver, consumer)
    await receiver.receive(RECEIVED)
    await receiver._handle_rtp_packet(vp8_packet(0), arrival_time_ms=0)
    await receiver._handle_rtp_packet(vp8_packet(2), arrival_time_ms=0)
    assert asked == [(77, [1])]
    again = wrap_rtx(vp8_packet(1), payload_type=98, sequence_number=5, ssrc=78)
    await receiver._handle_rtp_packet(again, arrival_time_ms=0)
    assert consumer.packets == [("VP8", 77, number, b"\x01" + bytes((number,))) for number in (0, 2, 1)]
    assert set(threading.enumerate()) == threads
    await receiver.stop()


async def test_our_receive_does_what_aiortcs_does_but_for_the_thread(connection: RTCPeerConnection) -> None:
    """Whatever an upgrade adds to RTCRtpReceiver.receive shows as a difference here."""

    def looks(receiver: RTCRtpReceiver) -> dict[str, str]:
        # Values that are tasks, functions and the like are alike when their types are.
        return {
            name: repr(value) if isinstance(value, dict | bool | int | None) else type(value).__name__
            for name, value in vars(receiver).items()
        }

    stock, ours = (connection.addTransceiver("video").receiver for _ in range(2))
    for receiver in (stock, ours):
        receiver._track = RemoteStreamTrack("video")
    before = looks(stock)
    compat.receive_encoded(ours, Consumer())
    for receiver in (stock, ours):
        await receiver.receive(RECEIVED)
        await receiver.receive(RECEIVED)
    changed = {name for name, look in looks(stock).items() if before.get(name) != look}
    thread = "_RTCRtpReceiver__decoder_thread"
    assert thread in changed
    assert {name: looks(ours)[name] for name in changed - {thread}} == {
        name: looks(stock)[name] for name in changed - {thread}
    }
    assert looks(ours)[thread] == "None"
    router = ours.transport._rtp_router
    assert {stock, ours} <= router.receivers
    for receiver in (stock, ours):
        await receiver.stop()
    assert not {stock, ours} & router.receivers


async def test_what_the_consumer_fails_at_does_not_end_the_transport(
    transceiver: RTCRtpTransceiver, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Consumer):
        def on_packet(self, codec: str, packet: RtpPacket, data: bytes) -> None:
            raise LookupError

    compat.receive_encoded(transceiver.receiver, Broken())
    await transceiver.receiver.receive(RECEIVED)
    await transceiver.receiver._handle_rtp_packet(vp8_packet(0), arrival_time_ms=0)
    assert "could not be used" in caplog.text


async def test_sender_reports_reach_the_consumer_and_bye_ends_nothing(transceiver: RTCRtpTransceiver) -> None:
    receiver, consumer = transceiver.receiver, Consumer()
    compat.receive_encoded(receiver, consumer)
    await receiver.receive(RECEIVED)
    info = RtcpSenderInfo(ntp_timestamp=9 << 32, rtp_timestamp=4000, packet_count=1, octet_count=1)
    await receiver._handle_rtcp_packet(RtcpSrPacket(ssrc=77, sender_info=info))
    await receiver._handle_rtcp_packet(RtcpByePacket(sources=[77]))
    assert consumer.reports == [(77, 9 << 32, 4000)]
    await receiver._handle_rtp_packet(vp8_packet(0), arrival_time_ms=0)
    assert len(consumer.packets) == 1


async def test_missing_packets_are_asked_for_as_ours_says(
    transceiver: RTCRtpTransceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Asks:
        missing: Sequence[int] = (5, 3)

        def add(self, packet: RtpPacket) -> bool:
            return packet.sequence_number == 1

    asked: list[list[int]] = []

    async def send_rtcp_nack(media_ssrc: int, lost: list[int]) -> None:
        asked.append(lost)

    monkeypatch.setattr(transceiver.receiver, "_send_rtcp_nack", send_rtcp_nack)
    compat.receive_encoded(transceiver.receiver, Consumer(), Asks())
    await transceiver.receiver.receive(RECEIVED)
    for number in range(3):
        await transceiver.receiver._handle_rtp_packet(vp8_packet(number), arrival_time_ms=0)
    assert asked == [[3, 5]]


async def test_picture_loss_is_sent_as_aiortc_does(
    transceiver: RTCRtpTransceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[RtcpPsfbPacket] = []

    async def send_rtcp(packet: RtcpPsfbPacket) -> None:
        sent.append(packet)

    monkeypatch.setattr(transceiver.receiver, "_send_rtcp", send_rtcp)
    transceiver.receiver._set_rtcp_ssrc(5)
    await compat.send_picture_loss(transceiver.receiver, 77)
    assert [(packet.fmt, packet.ssrc, packet.media_ssrc) for packet in sent] == [(RTCP_PSFB_PLI, 5, 77)]


class Policy:
    """A `ResendPolicy` that sends everything but 200, and 150 twice."""

    def __init__(self) -> None:
        self.second = [150]

    def asked(self, sequence_number: int) -> bool:
        return sequence_number != 200

    def second_copies(self) -> list[int]:
        second, self.second = self.second, []
        return second


async def test_a_sender_sends_again_what_is_less_than_a_second_old(
    transceiver: RTCRtpTransceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, clock = transceiver.sender, HandClock()
    sent: list[int] = []

    async def send_rtp(data: bytes) -> None:
        sent.append(RtpPacket.parse(data).sequence_number)

    monkeypatch.setattr(sender.transport, "_send_rtp", send_rtp)
    compat.send_from(sender, Source())
    compat.resend_by(sender, Policy(), clock)
    history = private(sender, RTCRtpSender, "__rtp_history")
    # As aiortc's _run_rtp does: 300 packets within 1.5 s.
    for number in range(300):
        clock.seconds = 100 + number * 0.005
        history[number % RTP_HISTORY_SIZE] = vp8_packet_numbered(number)
    for number in (97, 150, 200, 299, 300):
        await sender._retransmit(number)
    assert sent == [150, 299]
    assert 200 <= len(history) <= 202
    for _ in range(2):
        assert await sender._next_encoded_frame(RTCRtpCodecParameters("video/H264", 90000)) is not None
    assert sent == [150, 299, 150]


def vp8_packet_numbered(number: int) -> RtpPacket:
    packet = RtpPacket(97, sequence_number=number)
    packet.ssrc, packet.payload = 77, b"x"
    return packet


async def test_packets_are_recorded_where_retransmissions_are_looked_up() -> None:
    """The running sender writes the history that `_retransmit` reads, both by these names."""
    for method in (RTCRtpSender._run_rtp, RTCRtpSender._retransmit):
        assert "__rtp_history" in inspect.getsource(method)


async def test_gathering_waits_as_told_and_falls_back_to_loopback(
    connection: RTCPeerConnection, transceiver: RTCRtpTransceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: [])
    aioice_compat.tune_gathering(transceiver, 0.05)
    ice = transceiver.receiver.transport.transport._connection
    # Discarded (RFC 863): a STUN server that never answers.
    ice.stun_server = ("127.0.0.1", 9)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await connection.setLocalDescription(await connection.createOffer())
    assert loop.time() - began < 3
    assert [candidate.host for candidate in ice.local_candidates] == ["127.0.0.1"]


async def test_all_that_waits_in_a_socket_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: [])
    end = aioice.Connection(ice_controlling=True)
    aioice_compat.tune_gathering(_transceiver_of(end), 0.05)
    received: list[bytes] = []
    monkeypatch.setattr(end, "data_received", lambda data, component: received.append(data))
    try:
        await end.gather_candidates()
        (candidate,) = end.local_candidates
        sent = [bytes((0x80, number)) * 100 for number in range(8)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            for datagram in sent:
                other.sendto(datagram, (candidate.host, candidate.port))
        async with asyncio.timeout(5):
            while not received:
                await asyncio.sleep(0)
        assert received == sent
    finally:
        await end.close()


async def test_a_connection_receives_through_a_queue_that_shares_the_loop() -> None:
    async with AsyncExitStack() as stack:
        ends = [aioice.Connection(ice_controlling=controlling) for controlling in (True, False)]
        for end in ends:
            stack.push_async_callback(end.close)
            aioice_compat.share_the_loop(_transceiver_of(end))
        await _introduce(ends)
        await asyncio.gather(*(end.connect() for end in ends))
        for number in range(20):
            await ends[0].send(bytes((0x80, number)))
        assert [await ends[1].recv() for _ in range(20)] == [bytes((0x80, number)) for number in range(20)]
        assert isinstance(ends[1]._queue, DatagramQueue)
        with pytest.raises(ConnectionError):
            await asyncio.gather(ends[0].close(), ends[0].recv())


@pytest.mark.parametrize(("delay_s", "lives"), [(0.7, True), (None, False)])
async def test_consent_outlives_a_slow_network_and_ends_with_a_dead_one(
    delay_s: float | None, lives: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`delay_s`: of every answer; None: none comes. Over real sockets."""
    monkeypatch.setattr(aioice_compat, "keep_consent", partial(keep_consent, interval_s=0.1, expires_s=1.5))
    async with AsyncExitStack() as stack:
        ends = [aioice.Connection(ice_controlling=controlling) for controlling in (True, False)]
        for end in ends:
            stack.push_async_callback(end.close)
        await _introduce(ends)
        asking, answering = ends
        # Only the way to a connection inside its transceiver is missing here.
        aioice_compat.patient_consent(_transceiver_of(asking))
        await asyncio.gather(asking.connect(), answering.connect())
        loop = asyncio.get_running_loop()
        (pair,) = answering._nominated.values()
        answer = pair.protocol.send_stun

        def answer_late(message: stun.Message, address: tuple[str, int]) -> None:
            if delay_s is not None:
                loop.call_later(delay_s, answer, message, address)

        monkeypatch.setattr(pair.protocol, "send_stun", answer_late)
        receiving = asyncio.create_task(asking.recvfrom())
        done, _ = await asyncio.wait([receiving], timeout=4.0)
        assert bool(done) is not lives
        if done:
            with pytest.raises(ConnectionError):
                receiving.result()
        else:
            receiving.cancel()


async def _introduce(ends: list[aioice.Connection]) -> None:
    """Give each the candidates and credentials of the other."""
    for end in ends:
        await end.gather_candidates()
    for own, other in (ends, ends[::-1]):
        for candidate in own.local_candidates:
            await other.add_remote_candidate(candidate)
        await other.add_remote_candidate(None)
        other.remote_username, other.remote_password = own.local_username, own.local_password


def _transceiver_of(connection: aioice.Connection) -> Any:
    transport = SimpleNamespace(transport=SimpleNamespace(_connection=connection))
    return SimpleNamespace(receiver=SimpleNamespace(transport=transport))


async def test_what_close_waits_for_is_there(
    connection: RTCPeerConnection, transceiver: RTCRtpTransceiver
) -> None:
    assert private(connection, RTCPeerConnection, "__closeTask") is None
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
    with pytest.raises(CompatError):
        private(object(), RTCRtpSender, "__rtt")
    with pytest.raises(CompatError):
        override(object(), "_send_keyframe", lambda: None)


# Congestion control


def test_signatures_of_the_transport() -> None:
    assert parameters(RTCDtlsTransport._send_rtp) == ["self", "data"]
    assert parameters(RTCDtlsTransport._handle_rtcp_data) == ["self", "data"]
    assert parameters(RtpRouter.route_rtp) == ["self", "packet"]
    assert parameters(RtpRouter.route_rtcp) == ["self", "packet"]


class Watcher:
    def __init__(self) -> None:
        self.overrules_remb = False
        self.sent: list[bytes] = []
        self.rtcp: list[bytes] = []
        self.arrived: list[tuple[int, int, int]] = []

    async def send_rtp(self, packet: bytes) -> None:
        self.sent.append(packet)

    def on_rtcp(self, data: bytes) -> bytes:
        self.rtcp.append(data)
        if data == b"broken":
            raise IndexError
        return b"" if data == b"mine" else data

    def on_arrival(self, sequence: int, ssrc: int, size: int) -> None:
        self.arrived.append((sequence, ssrc, size))


async def test_a_watcher_stands_between(
    transceiver: RTCRtpTransceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = transceiver.sender.transport
    really_sent: list[bytes] = []
    parsed: list[bytes] = []

    async def record(sent: list[bytes], data: bytes) -> None:
        sent.append(data)

    monkeypatch.setattr(RTCDtlsTransport, "_send_rtp", lambda _self, data: record(really_sent, data))
    monkeypatch.setattr(RTCDtlsTransport, "_handle_rtcp_data", lambda _self, data: record(parsed, data))
    watcher = Watcher()
    send = congestion_compat.watch_transport(transport, watcher)
    rtp, rtcp = RtpPacket(payload_type=96, payload=b"x").serialize(), bytes(RtcpByePacket([1]))
    # As aiortc's senders do it.
    await transceiver.sender.transport._send_rtp(rtp)
    await transceiver.sender.transport._send_rtp(rtcp)
    assert (watcher.sent, really_sent) == ([rtp], [rtcp])
    await send(rtp)
    assert really_sent == [rtcp, rtp]
    for data in (b"mine", b"broken", rtcp):
        await transport._handle_rtcp_data(data)
    assert (watcher.rtcp, parsed) == ([b"mine", b"broken", rtcp], [rtcp])


async def test_a_watcher_sees_what_arrives_and_may_overrule_remb(transceiver: RTCRtpTransceiver) -> None:
    transport, watcher = transceiver.sender.transport, Watcher()
    extension = RTCRtpHeaderExtensionParameters(id=4, uri=TRANSPORT_CC_URI)
    transport._rtp_header_extensions_map.configure(RTCRtpParameters(headerExtensions=[extension]))
    congestion_compat.watch_transport(transport, watcher)
    packet = RtpPacket(payload_type=96, ssrc=5, payload=b"abc").serialize()
    await transport._handle_rtp_data(packet, arrival_time_ms=0)
    assert watcher.arrived == []
    await transport._handle_rtp_data(with_extension(packet, 4, b"\x01\x02"), arrival_time_ms=0)
    assert watcher.arrived == [(0x0102, 5, 3)]
    sender = transceiver.sender
    transport._register_rtp_sender(sender, RTCRtpSendParameters())
    remb = RtcpPsfbPacket(
        fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=pack_remb_fci(1, [congestion_compat.ssrc(sender)])
    )
    pli = RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=1, media_ssrc=congestion_compat.ssrc(sender))
    assert transport._rtp_router.route_rtcp(remb) == {sender}
    watcher.overrules_remb = True
    assert transport._rtp_router.route_rtcp(remb) == set()
    assert transport._rtp_router.route_rtcp(pli) == {sender}


async def test_what_aiortc_does_not_negotiate_is_answered(connection: RTCPeerConnection) -> None:
    offering = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        offering.addTransceiver("video")
        await connection.setRemoteDescription(await offering.createOffer())
        (transceiver,) = connection.getTransceivers()
        congestion_compat.use_header_extension(transceiver, 9, TRANSPORT_CC_URI)
        congestion_compat.use_rtcp_feedback(transceiver, "transport-cc")
        answer = (await connection.createAnswer()).sdp.splitlines()
        assert f"a=extmap:9 {TRANSPORT_CC_URI}" in answer
        assert [line for line in answer if line.endswith(" transport-cc")] == [
            f"a=rtcp-fb:{codec.payloadType} transport-cc"
            for codec in transceiver._codecs
            if codec.name != "rtx"
        ]
        # aiortc's own tables are as they were.
        assert "transport-cc" not in (await offering.createOffer()).sdp
    finally:
        await offering.close()


async def test_padding_goes_out_on_the_retransmission_stream(transceiver: RTCRtpTransceiver) -> None:
    sender = transceiver.sender
    assert not congestion_compat.can_pad(sender)
    assert congestion_compat.padding_packet(sender, 100) is None
    replace_private(sender, RTCRtpSender, "__rtx_payload_type", 97)
    assert congestion_compat.can_pad(sender)
    replace_private(sender, RTCRtpSender, "__rtx_sequence_number", 0xFFFF)
    packets = [RtpPacket.parse(congestion_compat.padding_packet(sender, 224) or b"") for _ in range(2)]
    assert [packet.sequence_number for packet in packets] == [0xFFFF, 0]
    for packet in packets:
        assert (packet.ssrc, packet.payload_type) == (congestion_compat.retransmission_ssrc(sender), 97)
        assert (packet.payload, packet.padding_size) == (b"", 224)
