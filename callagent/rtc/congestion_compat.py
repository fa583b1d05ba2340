# SPDX-License-Identifier: GPL-3.0-or-later
"""What congestion control needs of aiortc's private API; see `overriding`."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiortc import RTCRtpReceiver, RTCRtpSender, RTCRtpTransceiver
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpparameters import RTCRtcpFeedback, RTCRtpHeaderExtensionParameters
from aiortc.rtp import RTCP_PSFB_APP, AnyRtcpPacket, RtcpPsfbPacket, RtpPacket, is_rtcp

from callagent.rtc.overriding import override, private, replace_private

logger = logging.getLogger(__name__)


class TransportWatcher(Protocol):
    """Stands between a transport and the senders and receivers on it. On the loop."""

    @property
    def overrules_remb(self) -> bool:
        """Whether senders are not to hear of REMB."""
        ...

    async def send_rtp(self, packet: bytes) -> None:
        """In the place of the transport: send an RTP packet, now or later."""
        ...

    def on_rtcp(self, data: bytes) -> bytes:
        """A compound RTCP packet arrived; gives what is left for aiortc."""
        ...

    def on_arrival(self, sequence: int, ssrc: int, size: int) -> None:
        """An RTP packet with a transport-wide sequence number arrived."""
        ...


def watch_transport(
    transport: RTCDtlsTransport, watcher: TransportWatcher
) -> Callable[[bytes], Awaitable[None]]:
    """Lead what a transport sends and receives by a watcher; gives the way to really send RTP or RTCP."""
    send, handle_rtcp = transport._send_rtp, transport._handle_rtcp_data
    router = transport._rtp_router
    route_rtp, route_rtcp = router.route_rtp, router.route_rtcp

    async def send_rtp(data: bytes) -> None:
        await (send(data) if is_rtcp(data) else watcher.send_rtp(data))

    async def handle_rtcp_data(data: bytes) -> None:
        try:
            rest = watcher.on_rtcp(data)
        except Exception:
            # It would end the transport of the whole connection.
            logger.exception("RTCP could not be used")
            return
        if rest:
            await handle_rtcp(rest)

    def route_arrived_rtp(packet: RtpPacket) -> Any:
        sequence = packet.extensions.transport_sequence_number
        if sequence is not None:
            watcher.on_arrival(sequence, packet.ssrc, len(packet.payload) + packet.padding_size)
        return route_rtp(packet)

    def route_arrived_rtcp(packet: AnyRtcpPacket) -> Any:
        is_remb = isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP
        return set() if is_remb and watcher.overrules_remb else route_rtcp(packet)

    override(transport, "_send_rtp", send_rtp)
    override(transport, "_handle_rtcp_data", handle_rtcp_data)
    override(router, "route_rtp", route_arrived_rtp)
    override(router, "route_rtcp", route_arrived_rtcp)
    return send


def use_header_extension(transceiver: RTCRtpTransceiver, ident: int, uri: str) -> None:
    """Negotiate a header extension aiortc has but does not negotiate; the remote description is set."""
    transceiver._headerExtensions.append(RTCRtpHeaderExtensionParameters(id=ident, uri=uri))


def use_rtcp_feedback(transceiver: RTCRtpTransceiver, type_: str) -> None:
    """Answer with a kind of RTCP feedback aiortc does not have, once the remote description is set."""
    for codec in transceiver._codecs:
        if codec.name.lower() != "rtx":
            codec.rtcpFeedback.append(RTCRtcpFeedback(type=type_))


def tell_no_remb(transceiver: RTCRtpTransceiver) -> None:
    """Do not estimate what the way carries of what arrives: the sender does, from transport-wide feedback.

    aiortc's estimator takes a tenth of what receiving a packet takes.
    """
    receiver = transceiver.receiver
    replace_private(receiver, RTCRtpReceiver, "__remote_bitrate_estimator", None)


def ssrc(sender: RTCRtpSender) -> int:
    return sender._ssrc


def retransmission_ssrc(sender: RTCRtpSender) -> int:
    return sender._rtx_ssrc


def can_pad(sender: RTCRtpSender) -> bool:
    """Whether a video sender has a retransmission stream, which may carry padding alone (RFC 4588)."""
    return private(sender, RTCRtpSender, "__rtx_payload_type") is not None


def padding_packet(sender: RTCRtpSender, size: int) -> bytes | None:
    """The next packet of a sender's retransmission stream: nothing but `size` bytes of padding, 1 to 255."""
    payload_type = private(sender, RTCRtpSender, "__rtx_payload_type")
    if payload_type is None:
        return None
    number = private(sender, RTCRtpSender, "__rtx_sequence_number")
    replace_private(sender, RTCRtpSender, "__rtx_sequence_number", (number + 1) & 0xFFFF)
    packet = RtpPacket(
        payload_type=payload_type,
        sequence_number=number,
        timestamp=private(sender, RTCRtpSender, "__rtp_timestamp"),
        ssrc=sender._rtx_ssrc,
    )
    packet.padding_size = size
    return packet.serialize()
