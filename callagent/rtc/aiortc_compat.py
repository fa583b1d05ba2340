# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that touches private API of aiortc 1.16 and aioice 0.13.

Everything is overridden on single instances, never on classes or modules, so
that other users of aiortc in this process keep the stock behaviour. Each
override first makes sure that what it replaces is there: `CompatError` tells
of an upgrade that changed it, and so does a test of each.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpReceiver, RTCRtpSender, RTCRtpTransceiver
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.jitterbuffer import JitterBuffer
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtcrtpreceiver import RemoteStreamTrack, TimestampMapper
from aiortc.rtcrtpsender import RTCEncodedFrame
from aiortc.rtp import (
    RTCP_PSFB_APP,
    AnyRtcpPacket,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpSrPacket,
    RtpPacket,
    unpack_remb_fci,
)
from aiortc.stats import RTCTransportStats

from callagent.ports import NetworkReport
from callagent.rtc.frame_buffer import FrameBuffer, MediaPacket
from callagent.rtc.key_frames import starts_key_frame
from callagent.rtc.receive_queues import DecoderQueue, NewestDecoderQueue, NewestQueue, ReceivedFrame

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"


class CompatError(Exception):
    """The installed aiortc or aioice is not the one this file was written for."""


def private(owner: object, defined_in: type, name: str) -> Any:
    """A double-underscore attribute of an instance of aiortc's class `defined_in`."""
    mangled = f"_{defined_in.__name__}{name}"
    if not hasattr(owner, mangled):
        raise CompatError(f"{defined_in.__name__} has no {name}")
    return getattr(owner, mangled)


def replace_private(owner: object, defined_in: type, name: str, value: object) -> None:
    private(owner, defined_in, name)
    setattr(owner, f"_{defined_in.__name__}{name}", value)


def override(owner: object, name: str, method: Callable[..., Any]) -> None:
    """Put a method of ours in the place of one of the instance's class."""
    if not callable(getattr(type(owner), name, None)):
        raise CompatError(f"{type(owner).__name__} has no method {name}")
    setattr(owner, name, method)


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


class MarkerJitterBuffer(JitterBuffer):
    """In the place of a video receiver's: a picture is out with its last packet, not the next picture."""

    def __init__(self, codecs: dict[int, RTCRtpCodecParameters], timestamps: TimestampMapper) -> None:
        super().__init__(capacity=1, is_video=True)
        self._codecs = codecs
        self._timestamps = timestamps
        self._frames = FrameBuffer()

    def add(self, packet: RtpPacket) -> tuple[bool, ReceivedFrame | None]:
        """Whether to ask for a key frame, and a complete picture. The packet was depacketised before."""
        codec = self._codecs[packet.payload_type].name
        ask = self._frames.add(
            MediaPacket(
                packet.sequence_number,
                packet.timestamp,
                bool(packet.marker),
                packet._data,  # type: ignore[attr-defined]
                starts_key_frame(codec, packet.payload),
            )
        )
        frame = self._frames.pop()
        return ask, None if frame is None else ReceivedFrame(frame.data, frame.timestamp, frame.key)

    def more(self) -> ReceivedFrame | None:
        """Another picture the same packet completed, its time stamp mapped as aiortc maps the first one's."""
        frame = self._frames.pop()
        if frame is None:
            return None
        return ReceivedFrame(frame.data, self._timestamps.map(frame.timestamp), frame.key)


def release_on_marker(receiver: RTCRtpReceiver, decode_frames: int) -> DecoderQueue:
    """Make a video receiver decode each picture when it is complete, and skip when decoding is behind.

    To be called before the receiver starts.
    """
    decoder_error: threading.Event = private(receiver, RTCRtpReceiver, "__decoder_error")
    buffer = MarkerJitterBuffer(
        private(receiver, RTCRtpReceiver, "__codecs"), private(receiver, RTCRtpReceiver, "__timestamp_mapper")
    )
    # A set decoder error makes the receiver send a PLI with the next packet.
    queue = DecoderQueue(decode_frames, more=buffer.more, on_skip=decoder_error.set)
    replace_private(receiver, RTCRtpReceiver, "__jitter_buffer", buffer)
    replace_private(receiver, RTCRtpReceiver, "__decoder_queue", queue)
    return queue


def bound_decoder(receiver: RTCRtpReceiver, frames: int) -> NewestDecoderQueue:
    """Bound what waits for an audio receiver's decoder. To be called before the receiver starts."""
    queue = NewestDecoderQueue(frames)
    replace_private(receiver, RTCRtpReceiver, "__decoder_queue", queue)
    return queue


def bound_track(track: MediaStreamTrack, frames: int) -> NewestQueue:
    """Give a remote track a queue in which the newest frames win. To be called before the receiver starts."""
    if not isinstance(track, RemoteStreamTrack) or not isinstance(track._queue, asyncio.Queue):
        raise CompatError("remote tracks are no longer read from a queue")
    queue = NewestQueue(frames)
    track._queue = queue
    return queue


def ignore_bye(receiver: RTCRtpReceiver) -> None:
    """Keep the decoder when the sender says BYE (RFC 3550 section 6.6).

    It may mean no more than that a stream pauses and goes on later with the same
    SSRC; aiortc would have ended the decoder for good. The end of the connection
    is told by signalling and DTLS.
    """
    handle_rtcp = receiver._handle_rtcp_packet

    async def handle_rtcp_packet(packet: AnyRtcpPacket) -> None:
        if not isinstance(packet, RtcpByePacket):
            await handle_rtcp(packet)

    override(receiver, "_handle_rtcp_packet", handle_rtcp_packet)


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


def tune_gathering(transceiver: RTCRtpTransceiver, server_timeout_s: float) -> None:
    """Wait less for STUN and TURN than aioice's 5 s; use loopback where there is no other address."""
    connection = transceiver.receiver.transport.transport._connection
    gather = connection.get_component_candidates

    async def get_component_candidates(component: int, addresses: list[str], timeout: float = 0) -> Any:
        timeout = server_timeout_s
        return await gather(component, addresses or [LOOPBACK], timeout)  # type: ignore[arg-type]

    override(connection, "get_component_candidates", get_component_candidates)


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
    for _ in range(3):
        # Lets the decoder threads' last words, already queued on the loop, be handled.
        await asyncio.sleep(0)


# Looking in


def transport_statistics(connection: RTCPeerConnection) -> RTCTransportStats | None:
    """Totals of RTP, RTCP and DTLS packets and bytes each way."""
    for transceiver in connection.getTransceivers():
        for statistics in transceiver.receiver.transport._get_stats().values():
            if isinstance(statistics, RTCTransportStats):
                return statistics
    return None


def selected_pair(connection: RTCPeerConnection) -> tuple[str, str] | None:
    """The candidate pair in use as `type address:port` of each end."""
    for transceiver in connection.getTransceivers():
        pair = transceiver.receiver.transport.transport._connection._nominated.get(1)
        if pair is not None:
            local, remote = pair.local_candidate, pair.remote_candidate
            return f"{local.type} {local.host}:{local.port}", f"{remote.type} {remote.host}:{remote.port}"
    return None
