# SPDX-License-Identifier: GPL-3.0-or-later
"""coturn as documented takes the credentials the service makes: over UDP, TCP and TLS, while they last."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aioice.stun import Class, Message, Method, TransactionFailed
from aioice.turn import TurnTransport, create_turn_endpoint

from callagent.server.ice import TurnServer
from callagent.server.tls import local_tls
from tests.coturn import coturn_as_documented

ADDRESS = "127.0.0.1"
NETWORK, ELSEWHERE = "127.0.0.0-127.0.0.255", "127.0.1.1"
SECRET = "north-of-the-river"
DEADLINE_S = 15.0


@dataclass(frozen=True)
class Relay:
    port: int
    tls_port: int
    trust: ssl.SSLContext


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    """With the certificate a service makes for itself."""
    local_tls(tmp_path, [ADDRESS])
    trust = ssl.create_default_context(cafile=tmp_path / "ca.crt")
    certificate = tmp_path / "server.pem"
    async with coturn_as_documented(tmp_path, SECRET, certificate, NETWORK, ADDRESS) as (port, tls_port):
        yield Relay(port, tls_port, trust)


class Heard(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _addr: object) -> None:
        if not self.first.done():
            self.first.set_result(data)


def credentials(lifetime_s: int, made_at: float | None = None) -> tuple[str, str]:
    now = time.time() if made_at is None else made_at
    entry = TurnServer(ADDRESS, SECRET, lifetime_s).entry("0123456789abcdef", now)
    return entry["username"], entry["credential"]


@pytest.mark.parametrize("way", ["udp", "tcp", "tls"])
async def test_media_passes(relay: Relay, way: str) -> None:
    username, password = credentials(600)
    port = relay.tls_port if way == "tls" else relay.port
    async with asyncio.timeout(DEADLINE_S):
        transport, heard = await create_turn_endpoint(
            Heard,
            (ADDRESS, port),
            username=username,
            password=password,
            transport="udp" if way == "udp" else "tcp",
            ssl=relay.trust if way == "tls" else None,
        )
        try:
            assert await answered(transport, heard) == b"pong"
        finally:
            transport.close()


async def answered(transport: TurnTransport, heard: Heard) -> bytes:
    """What a peer says back through the relay."""

    class Peer(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            self.transport.sendto(b"pong", addr)  # type: ignore[attr-defined]

    loop = asyncio.get_running_loop()
    peer, _ = await loop.create_datagram_endpoint(Peer, local_addr=(ADDRESS, 0))
    try:
        transport.sendto(b"ping", peer.get_extra_info("sockname"))
        return await heard.first
    finally:
        peer.close()


@pytest.mark.parametrize(
    ("username", "password"),
    [credentials(600, made_at=0.0), (credentials(600)[0], "a guess")],
    ids=["expired", "forged"],
)
async def test_others_are_refused(relay: Relay, username: str, password: str) -> None:
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(TransactionFailed) as refused:
            await create_turn_endpoint(Heard, (ADDRESS, relay.port), username, password)
    assert refused.value.response.attributes["ERROR-CODE"][0] in (401, 403)


async def test_the_relay_is_no_way_into_other_networks(relay: Relay) -> None:
    username, password = credentials(600)
    async with asyncio.timeout(DEADLINE_S):
        transport, _ = await create_turn_endpoint(Heard, (ADDRESS, relay.port), username, password)
        client = transport._TurnTransport__inner_protocol  # type: ignore[attr-defined]
        try:
            permission = Message(message_method=Method.CREATE_PERMISSION, message_class=Class.REQUEST)
            permission.attributes["XOR-PEER-ADDRESS"] = (ELSEWHERE, 5000)
            with pytest.raises(TransactionFailed) as denied:
                await client.request_with_retry(permission)
            assert denied.value.response.attributes["ERROR-CODE"][0] == 403
        finally:
            transport.close()


async def test_a_call_outlasts_its_credentials(relay: Relay) -> None:
    """What was allocated in time is refreshed with credentials that have expired meanwhile."""
    username, password = credentials(2)
    async with asyncio.timeout(DEADLINE_S):
        transport, heard = await create_turn_endpoint(Heard, (ADDRESS, relay.port), username, password)
        client = transport._TurnTransport__inner_protocol  # type: ignore[attr-defined]
        try:
            # coturn's clock counts: there is no event to wait for.
            await asyncio.sleep(max(0.0, int(username.split(":")[0]) + 1.5 - time.time()))
            with pytest.raises(TransactionFailed):
                await create_turn_endpoint(Heard, (ADDRESS, relay.port), username, password)
            refresh = Message(message_method=Method.REFRESH, message_class=Class.REQUEST)
            refresh.attributes["LIFETIME"] = 600
            answer, _ = await client.request_with_retry(refresh)
            assert answer.message_class is Class.RESPONSE
            assert await answered(transport, heard) == b"pong"
        finally:
            transport.close()
