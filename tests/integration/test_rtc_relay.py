# SPDX-License-Identifier: GPL-3.0-or-later
"""Media over a real relay, when there is no other way."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from callagent.ports import Codec, IceServer, MediaSessionState, PeerKey
from callagent.rtc import RtcSettings
from callagent.rtc.session import WebRtcSession
from tests.coturn import coturn
from tests.unit.rtc.parts import Listener, Side, eventually, reached

SETTINGS = RtcSettings(video_codecs=(Codec.VP8,), gather_timeout_s=3.0)


@pytest.fixture
async def servers() -> AsyncIterator[tuple[IceServer, ...]]:
    async with coturn() as entry:
        yield (IceServer(tuple(entry["urls"]), entry["username"], entry["credential"]),)


def session(side: Side, other: str, servers: Sequence[IceServer]) -> WebRtcSession:
    key = PeerKey("call", f"of-{other}", other, 1)
    return side.factory.create(key, side.user, servers, Listener())


def relayed_only(sdp: str) -> str:
    kept = [line for line in sdp.splitlines() if not line.startswith("a=candidate:") or " typ relay" in line]
    assert any(" typ relay" in line for line in kept), sdp
    return "\r\n".join(kept) + "\r\n"


async def test_a_call_goes_over_the_relay(servers: tuple[IceServer, ...]) -> None:
    a, b = Side("alice", SETTINGS), Side("bob", SETTINGS)
    offerer, answerer = session(a, "bob", servers), session(b, "alice", servers)
    try:
        offer = await offerer.create_offer()
        answer = await answerer.create_answer(replace(offer, sdp=relayed_only(offer.sdp)))
        await offerer.set_answer(replace(answer, sdp=relayed_only(answer.sdp)))
        await eventually(lambda: offerer.state == answerer.state == MediaSessionState.CONNECTED)
        await reached(b.video(answerer), 20)
        await reached(a.video(offerer), 20)
        statistics = await offerer.statistics()
        pair = f"{statistics['local_candidate']} {statistics['remote_candidate']}"
        assert "relay" in pair, pair
        assert offerer.local_address is None or answerer.local_address is None
    finally:
        await offerer.close()
        await answerer.close()
