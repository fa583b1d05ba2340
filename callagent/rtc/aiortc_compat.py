# SPDX-License-Identifier: GPL-3.0-or-later
"""What touches private API of aiortc 1.16; see `overriding`."""

import asyncio
import logging
import struct
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpReceiver, RTCRtpSender, RTCRtpTransceiver
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.jitterbuffer import JitterBuffer
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import (
    RTCRtpCodecParameters,
    RTCRtpReceiveParameters,
)
from aiortc.rtcrtpsender import RTCEncodedFrame
from aiortc.rtp import (
    RTCP_PSFB_APP,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpSrPacket,
    RtpPacket,
    unpack_remb_fci,
)
from aiortc.stats import RTCTransportStats

from callagent.ports import Clock, NetworkReport
from callagent.rtc.overriding import override, private, replace_private

logger = logging.getLogger(__name__)

SENT_KEPT_S = 1.0
_SENT_KEPT_PACKETS = 4096


def packetize_h264(access_unit: bytes) -> list[bytes]:
    """RTP payloads of an Annex B access unit: single NAL units, STAP-A and FU-A (RFC 6184)."""
    return H264Encoder._packetize(H264Encoder._split_bitstream(access_unit))


def packetize_vp8(frame: bytes, picture_id: int) -> list[bytes]:
    """RTP payloads of a VP8 frame (RFC 7741); the picture id has 15 bits."""
    return Vp8Encoder._packetize(frame, picture_id)


# Sending


class PacketSource(Protocol):
    """Gives a sender its encoded frames and hears what the other side says of them. On the loop."""

    async def next_frame(self) -> tuple[list[bytes], int]:
        """The payloads of the next frame and its RTP time stamp, not wrapped."""
        ...

    def on_key_frame_request(self) -> None: ...

    def on_report(self, report: NetworkReport) -> None: ...


class PlaceholderTrack(MediaStreamTrack):
    """Stands for a track whose frames never pass through aiortc: a sender without track sends nothing."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    async def recv(self) -> Any:
        raise MediaStreamError("frames of this track come encoded")


class SentPackets(dict[int, RtpPacket]):
    """In the place of a sender's history of 128 packets: what was sent in the last second.

    aiortc keys it by the sequence number modulo 128; what it looks for is told in `wanted`.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.wanted = 0
        self._clock = clock
        self._sent: OrderedDict[int, tuple[float, RtpPacket]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sent)

    def __setitem__(self, _slot: int, packet: RtpPacket) -> None:
        now, sent = self._clock.now(), self._sent
        sent.pop(packet.sequence_number, None)
        sent[packet.sequence_number] = (now, packet)
        while next(iter(sent.values()))[0] < now - SENT_KEPT_S or len(sent) > _SENT_KEPT_PACKETS:
            sent.popitem(last=False)

    def get(self, _slot: int, default: Any = None) -> Any:
        entry = self._sent.get(self.wanted)
        return default if entry is None else entry[1]


class ResendPolicy(Protocol):
    """Decides about packets that a receiver misses; sequence numbers as on the wire. On the loop."""

    def asked(self, sequence_number: int) -> bool:
        """A packet is asked for: whether to send it again now."""
        ...

    def second_copies(self) -> list[int]:
        """What to send once more, before the next frame is waited for."""
        ...


def resend_by(sender: RTCRtpSender, policy: ResendPolicy, clock: Clock) -> None:
    """Make a sender able to send again what it sent up to a second ago; aiortc forgets it much earlier.

    After `send_from`.
    """
    sent = SentPackets(clock)
    retransmit, next_encoded_frame = sender._retransmit, sender._next_encoded_frame

    async def send_again(sequence_number: int) -> None:
        # Nothing runs between this and the look-up.
        sent.wanted = sequence_number
        await retransmit(sequence_number)

    async def retransmit_by_policy(sequence_number: int) -> None:
        if policy.asked(sequence_number):
            await send_again(sequence_number)

    async def second_copies_first(codec: RTCRtpCodecParameters) -> RTCEncodedFrame | None:
        for sequence_number in policy.second_copies():
            await send_again(sequence_number)
        return await next_encoded_frame(codec)

    replace_private(sender, RTCRtpSender, "__rtp_history", sent)
    override(sender, "_retransmit", retransmit_by_policy)
    override(sender, "_next_encoded_frame", second_copies_first)


def send_from(sender: RTCRtpSender, source: PacketSource) -> None:
    """Make a sender send ready-made frames: no encoder of aiortc's is ever created for it."""
    handle_rtcp = sender._handle_rtcp_packet

    async def next_encoded_frame(_codec: RTCRtpCodecParameters) -> RTCEncodedFrame | None:
        payloads, timestamp = await source.next_frame()
        if not sender._enabled or not payloads:
            return None
        return RTCEncodedFrame(payloads, timestamp, audio_level=None)  # type: ignore[arg-type]

    async def handle_rtcp_packet(packet: AnyRtcpPacket) -> None:
        await handle_rtcp(packet)
        report = network_report(sender, packet)
        if report is not None:
            source.on_report(report)

    sender.replaceTrack(PlaceholderTrack(sender.kind))
    override(sender, "_next_encoded_frame", next_encoded_frame)
    override(sender, "_send_keyframe", source.on_key_frame_request)
    override(sender, "_handle_rtcp_packet", handle_rtcp_packet)


def network_report(sender: RTCRtpSender, packet: AnyRtcpPacket) -> NetworkReport | None:
    """What an RTCP packet says of this sender's stream, if it says anything (RFC 3550, REMB draft)."""
    if isinstance(packet, RtcpRrPacket | RtcpSrPacket):
        for report in packet.reports:
            if report.ssrc == sender._ssrc:
                round_trip_s = private(sender, RTCRtpSender, "__rtt")
                return NetworkReport(fraction_lost=report.fraction_lost / 256, round_trip_s=round_trip_s)
    elif isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
        try:
            available_bps, ssrcs = unpack_remb_fci(packet.fci)
        except ValueError:
            return None
        if sender._ssrc in ssrcs:
            return NetworkReport(available_bps=available_bps)
    return None


def negotiated_codec(transceiver: RTCRtpTransceiver) -> str | None:
    """The RTP payload name of what a transceiver sends, once both descriptions are set."""
    return transceiver._codecs[0].name if transceiver._codecs else None


# Receiving


class EncodedConsumer(Protocol):
    """Takes what a receiver receives, below any decoder. On the loop."""

    def on_packet(self, codec: str, packet: RtpPacket, data: bytes) -> None:
        """`codec` is the RTP payload name, `data` the depacketised payload (empty: padding).

        Retransmissions come as the packets they repeat; order and gaps are the network's.
        """
        ...

    def on_sender_report(self, ssrc: int, ntp_timestamp: int, rtp_timestamp: int) -> None: ...


class PacketTap(JitterBuffer):
    """In the place of a receiver's jitter buffer: gives every packet away and no picture to decode."""

    def __init__(self, codecs: dict[int, RTCRtpCodecParameters], consumer: EncodedConsumer) -> None:
        super().__init__(capacity=1)
        self._codecs = codecs
        self._consumer = consumer

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        try:
            data: bytes = packet._data  # type: ignore[attr-defined]
            self._consumer.on_packet(self._codecs[packet.payload_type].name, packet, data)
        except Exception:
            # It would end the transport of the whole connection.
            logger.exception("a received packet could not be used")
        return False, None


class NackGenerator(Protocol):
    """What a video receiver asks about missing packets, as aiortc's class of this name."""

    missing: Sequence[int]

    def add(self, packet: RtpPacket) -> bool: ...


def receive_encoded(
    receiver: RTCRtpReceiver, consumer: EncodedConsumer, nack_generator: NackGenerator | None = None
) -> None:
    """Give what a receiver receives to a consumer; no decoder and no thread is ever started for it.

    To be called before the receiver starts. SRTP, retransmissions, RTCP reports,
    bandwidth estimate and statistics stay aiortc's; `nack_generator` says what to
    ask for again, else aiortc's own does.
    """
    codecs: dict[int, RTCRtpCodecParameters] = private(receiver, RTCRtpReceiver, "__codecs")
    replace_private(receiver, RTCRtpReceiver, "__jitter_buffer", PacketTap(codecs, consumer))
    if nack_generator is not None:
        replace_private(receiver, RTCRtpReceiver, "__nack_generator", nack_generator)
    handle_rtcp = receiver._handle_rtcp_packet

    async def receive(parameters: RTCRtpReceiveParameters) -> None:
        """As aiortc's, but for the decoder's thread."""
        if private(receiver, RTCRtpReceiver, "__started"):
            return
        codecs.update(
            (codec.payloadType, codec) for codec in parameters.codecs if codec.payloadType is not None
        )
        retransmitted: dict[int, int] = private(receiver, RTCRtpReceiver, "__rtx_ssrc")
        retransmitted.update((each.rtx.ssrc, each.ssrc) for each in parameters.encodings if each.rtx)
        receiver.transport._register_rtp_receiver(receiver, parameters)
        task = asyncio.get_running_loop().create_task(receiver._run_rtcp())
        replace_private(receiver, RTCRtpReceiver, "__rtcp_task", task)
        replace_private(receiver, RTCRtpReceiver, "__started", True)

    async def handle_rtcp_packet(packet: AnyRtcpPacket) -> None:
        await handle_rtcp(packet)
        if isinstance(packet, RtcpSrPacket):
            info = packet.sender_info
            consumer.on_sender_report(packet.ssrc, info.ntp_timestamp, info.rtp_timestamp)

    override(receiver, "receive", receive)
    override(receiver, "_handle_rtcp_packet", handle_rtcp_packet)


async def send_picture_loss(receiver: RTCRtpReceiver, ssrc: int) -> None:
    """Ask the sender of `ssrc` for a key frame (RFC 4585 section 6.3.1); nothing without a connection."""
    await receiver._send_rtcp_pli(ssrc)


# Connecting


def own_connect_tasks(connection: RTCPeerConnection) -> set[asyncio.Task[None]]:
    """The tasks in which a connection runs ICE and DTLS; aiortc starts them and forgets them."""
    connect: Callable[[], Awaitable[None]] = private(connection, RTCPeerConnection, "__connect")
    tasks: set[asyncio.Task[None]] = set()

    async def tracked() -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await connect()
        except Exception:
            logger.exception("connecting failed")
        finally:
            tasks.discard(task)

    replace_private(connection, RTCPeerConnection, "__connect", tracked)
    return tasks


def drop_what_makes_no_sense(transceiver: RTCRtpTransceiver) -> None:
    """Have a transport go on after a datagram it cannot read, as it does after most of them.

    An empty one, which anybody can send, a header extension of an unexpected length and a report that ends
    too soon raise what aiortc does not expect; it would end the connection.
    """
    transport = transceiver.receiver.transport
    receive_next = transport._recv_next

    async def receive_or_drop() -> None:
        try:
            await receive_next()
        except (IndexError, struct.error) as error:
            logger.debug("a datagram makes no sense: %r", error)

    override(transport, "_recv_next", receive_or_drop)


async def close_connection(connection: RTCPeerConnection, connect_tasks: set[asyncio.Task[None]]) -> None:
    """Close a connection and wait for what aiortc leaves to run out by itself."""
    transports = {transceiver.receiver.transport for transceiver in connection.getTransceivers()}
    left_over: set[asyncio.Future[None]] = set(connect_tasks)
    left_over |= {transport._task for transport in transports if transport._task is not None}
    await connection.close()
    closing: asyncio.Task[None] | None = private(connection, RTCPeerConnection, "__closeTask")
    if closing is not None:
        left_over.add(closing)
    await asyncio.gather(*left_over, return_exceptions=True)
    # A connection that came about while it was being closed begins to ask for consent all the same.
    asking = [transport.transport._connection._query_consent_task for transport in transports]
    for task in asking:
        if task is not None:
            task.cancel()
    await asyncio.gather(*(task for task in asking if task is not None), return_exceptions=True)


# Looking in


def transport_statistics(connection: RTCPeerConnection) -> RTCTransportStats | None:
    """Totals of RTP, RTCP and DTLS packets and bytes each way."""
    for transceiver in connection.getTransceivers():
        for statistics in transceiver.receiver.transport._get_stats().values():
            if isinstance(statistics, RTCTransportStats):
                return statistics
    return None


def local_address(connection: RTCPeerConnection) -> str | None:
    """The address of this machine the pair in use sends from; of a relayed one nobody knows it."""
    for transceiver in connection.getTransceivers():
        pair = transceiver.receiver.transport.transport._connection._nominated.get(1)
        if pair is not None:
            local = pair.local_candidate
            if local.type == "relay":
                return None
            return str(local.related_address if local.type == "srflx" else local.host)
    return None


def selected_pair(connection: RTCPeerConnection) -> tuple[str, str] | None:
    """The candidate pair in use as `type address:port` of each end."""
    for transceiver in connection.getTransceivers():
        pair = transceiver.receiver.transport.transport._connection._nominated.get(1)
        if pair is not None:
            local, remote = pair.local_candidate, pair.remote_candidate
            return f"{local.type} {local.host}:{local.port}", f"{remote.type} {remote.host}:{remote.port}"
    return None
