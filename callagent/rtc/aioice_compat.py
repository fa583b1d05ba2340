# SPDX-License-Identifier: GPL-3.0-or-later
"""What touches private API of aioice 0.13; see `overriding`."""

import contextlib
import logging
from typing import Any

from aioice import ice, stun, turn
from aiortc import RTCPeerConnection, RTCRtpTransceiver

from callagent.rtc.consent import keep_consent
from callagent.rtc.datagram_queue import DatagramQueue
from callagent.rtc.overriding import CompatError, override, private, private_attribute

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
_DATAGRAMS_AT_ONCE = 8
"""Few enough that whatever else the loop has to do gets its turn."""
_MAX_DATAGRAM_BYTES = 65_536
_CONSENT_RETRANSMISSIONS = 5
"""The last after 15.5 s; an answer may take 31.5 s, which is as long as it counts."""


_Reader = ice.StunProtocol | turn.TurnClientUdpProtocol


def ice_connection(transceiver: RTCRtpTransceiver) -> ice.Connection:
    """The way a transceiver's packets go; those of a bundle share one."""
    connection: ice.Connection = transceiver.receiver.transport.transport._connection
    return connection


def tune_gathering(transceiver: RTCRtpTransceiver, server_timeout_s: float) -> None:
    """Wait less for STUN and TURN than aioice's 5 s; use loopback where there is no other address."""
    connection = ice_connection(transceiver)
    gather = connection.get_component_candidates

    async def get_component_candidates(component: int, addresses: list[str], timeout: float = 0) -> Any:
        timeout = server_timeout_s
        candidates = await gather(component, addresses or [LOOPBACK], timeout)  # type: ignore[arg-type]
        for protocol in connection._protocols:
            if type(protocol) is ice.StunProtocol and (reader := _reader(protocol)) is not None:
                _take_all(reader)
        return candidates

    override(connection, "get_component_candidates", get_component_candidates)


def _reader(protocol: ice.StunProtocol) -> _Reader | None:
    """What is called with the datagrams of a socket; none where a relay is spoken to over a stream."""
    if not isinstance(protocol.transport, turn.TurnTransport):
        return protocol
    inner = private(protocol.transport, turn.TurnTransport, "__inner_protocol")
    return inner if isinstance(inner, turn.TurnClientUdpProtocol) else None


def _take_all(protocol: _Reader) -> None:
    """Have all that waits in a socket read at once; asyncio reads one datagram each time round its loop.

    On a machine that is short of time each round costs a wait for the processor and for the interpreter, and
    the socket's buffer runs over long before the loop has anything to do.
    """
    take = protocol.datagram_received
    socket = private_attribute(protocol.transport, "_sock")

    def take_all(data: bytes | str, address: tuple[Any, ...]) -> None:
        take(data, address)
        with contextlib.suppress(OSError):  # There is no more, or asyncio will come upon it.
            for _ in range(_DATAGRAMS_AT_ONCE):
                take(*socket.recvfrom(_MAX_DATAGRAM_BYTES))

    override(protocol, "datagram_received", take_all)


def share_the_loop(transceiver: RTCRtpTransceiver) -> None:
    """Receive through a queue that leaves the loop to others now and then. Before anything is received."""
    connection = ice_connection(transceiver)
    if not private_attribute(connection, "_queue").empty():
        raise CompatError("datagrams wait already")
    connection._queue = DatagramQueue()


def datagrams_dropped(connection: RTCPeerConnection) -> int:
    """How many were given up because this machine was too slow for them."""
    ways = {ice_connection(transceiver) for transceiver in connection.getTransceivers()}
    queues = [private_attribute(way, "_queue") for way in ways]
    return sum(queue.dropped for queue in queues if isinstance(queue, DatagramQueue))


def patient_consent(transceiver: RTCRtpTransceiver) -> None:
    """Give answers to consent checks the time of a slow network; aioice gives them 0.5 s.

    A call over a round trip longer than that would be cut every 30 s, however well media flows.
    """
    connection = ice_connection(transceiver)

    async def ask() -> bool:
        return await _answers(connection, _CONSENT_RETRANSMISSIONS)

    async def query_consent() -> None:
        await keep_consent(ask)
        logger.warning("the other side does not answer any more: consent to send has expired")
        # Closing would otherwise cancel and await this very task.
        connection._query_consent_task = None
        await connection.close()

    override(connection, "query_consent", query_consent)


async def path_answers(connection: RTCPeerConnection) -> bool:
    """Whether the other side answers on the way in use; waits up to a second and a half."""
    for transceiver in connection.getTransceivers():
        return await _answers(ice_connection(transceiver), 1)
    return False


async def _answers(connection: ice.Connection, retransmissions: int) -> bool:
    """A binding request on each pair in use (RFC 7675 section 5.1)."""
    pairs = list(connection._nominated.values())
    for pair in pairs:
        request = connection.build_request(pair, nominate=False)
        key = (connection.remote_password or "").encode()
        try:
            await pair.protocol.request(
                request, pair.remote_addr, integrity_key=key, retransmissions=retransmissions
            )
        except (stun.TransactionError, OSError):
            return False
    return bool(pairs)
