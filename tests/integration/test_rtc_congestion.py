# SPDX-License-Identifier: GPL-3.0-or-later
"""Two sessions over real UDP with a slow stretch between them: the sender finds out and fits in."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from callagent.ports import Codec, EncodedStream, Layer, MediaSessionState, NetworkReport, SessionDescription
from callagent.rtc import RtcSettings
from callagent.rtc.session import WebRtcSession
from tests.unit.rtc.parts import FPS, Side, TestStream, eventually, reached, video_stream

SETTINGS = RtcSettings(video_codecs=(Codec.H264,), start_bps=300_000)
DELAY_S = 0.02
QUEUE_BYTES = 40_000
Address = tuple[str, int]


class FillingStream(TestStream):
    """A camera whose encoder does as it is told: small pictures, filled up to the wanted rate."""

    def __init__(self) -> None:
        small = video_stream(Codec.H264)
        self.rate_bps = SETTINGS.start_bps

        def encode(force: bool) -> Iterator[tuple[bytes, bool]]:
            for payload, key in small._encode(force):
                missing = self.rate_bps // 8 // FPS - len(payload)
                # Filler data, which decoders skip (ITU-T H.264, section 7.3.2.7).
                filler = b"\x00\x00\x00\x01\x0c" + b"\xff" * missing + b"\x80" if missing > 0 else b""
                yield payload + filler, key

        super().__init__(Codec.H264, encode, 1 / FPS)

    def report(self, peer: str, report: NetworkReport) -> None:
        super().report(peer, report)
        if report.available_bps is not None:
            self.rate_bps = min(max(report.available_bps, 50_000), 3_000_000)


class SlowStretch:
    """Stands between two addresses: what the first sends is queued at a rate, both ways take a time."""

    def __init__(self, rate_bps: float) -> None:
        self.rate_bps = rate_bps
        self.ports: list[asyncio.DatagramTransport] = []
        self.ends: list[Address | None] = [None, None]
        self.waits: deque[tuple[float, float]] = deque(maxlen=2000)
        """When each packet of the first came, and how long it had to wait, in seconds."""
        self._free_at = 0.0

    async def open(self, host: str) -> None:
        loop = asyncio.get_running_loop()
        for side in (0, 1):
            transport, _ = await loop.create_datagram_endpoint(
                lambda side=side: _Port(self, side),  # type: ignore[misc]
                local_addr=(host, 0),
            )
            self.ports.append(transport)

    def received(self, side: int, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        wait_s = 0.0
        if side == 0:
            begin = max(now, self._free_at)
            if (begin - now) * self.rate_bps / 8 + len(data) > QUEUE_BYTES:
                return
            self._free_at = begin + len(data) * 8 / self.rate_bps
            wait_s = self._free_at - now
            self.waits.append((now, wait_s))
        loop.call_later(wait_s + DELAY_S, self._give, side, data)

    def close(self) -> None:
        for port in self.ports:
            port.close()

    def _give(self, side: int, data: bytes) -> None:
        end = self.ends[1 - side]
        if end is not None and not self.ports[1 - side].is_closing():
            self.ports[1 - side].sendto(data, end)


class _Port(asyncio.DatagramProtocol):
    def __init__(self, stretch: SlowStretch, side: int) -> None:
        self._stretch, self._side = stretch, side

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._stretch.received(self._side, data)


def led_by(sdp: str, address: Address) -> tuple[str, Address]:
    """The description with one candidate, at another address; and the address it had."""
    lines: list[str] = []
    had: Address | None = None
    for line in sdp.splitlines():
        if not line.startswith("a=candidate:"):
            lines.append(line)
            continue
        parts = line.split()
        if had is None and parts[4] == address[0]:
            had = (parts[4], int(parts[5]))
            parts[4:6] = address[0], str(address[1])
            lines.append(" ".join(parts))
    assert had is not None
    return "\r\n".join(lines) + "\r\n", had


def first_host(sdp: str) -> str:
    return next(line.split()[4] for line in sdp.splitlines() if line.startswith("a=candidate:"))


@asynccontextmanager
async def call_over(
    a: Side, b: Side, stretch: SlowStretch
) -> AsyncIterator[tuple[WebRtcSession, WebRtcSession]]:
    offerer, answerer = a.session(b.user), b.session(a.user)
    try:
        offer = await offerer.create_offer()
        await stretch.open(first_host(offer.sdp))
        doors = [port.get_extra_info("sockname")[:2] for port in stretch.ports]
        sdp, stretch.ends[0] = led_by(offer.sdp, doors[1])
        answer = await answerer.create_answer(SessionDescription("offer", sdp, offer.tracks))
        sdp, stretch.ends[1] = led_by(answer.sdp, doors[0])
        await offerer.set_answer(SessionDescription("answer", sdp, answer.tracks))
        await eventually(lambda: offerer.state == answerer.state == MediaSessionState.CONNECTED)
        yield offerer, answerer
    finally:
        await offerer.close()
        await answerer.close()
        stretch.close()


class FillingMedia:
    def __init__(self, side: Side) -> None:
        self.stream = FillingStream()
        self._audio = side.local.audio

    def video(self, codec: Codec, layer: Layer | None) -> EncodedStream:
        return self.stream

    def audio(self) -> EncodedStream:
        return self._audio()


async def test_a_sender_fits_into_a_slow_way_and_again_when_it_gets_slower() -> None:
    a, b = Side("alice", SETTINGS), Side("bob", SETTINGS)
    media = FillingMedia(a)
    a.factory._local = media
    stretch = SlowStretch(1_200_000)
    async with call_over(a, b, stretch) as (offerer, answerer):
        controller = offerer._congestion.controller
        await reached(b.video(answerer), 5)
        await eventually(lambda: controller.target_bps > 600_000)
        await asyncio.sleep(2)  # what is looked at is how it stays
        assert controller.target_bps < 1.25 * stretch.rate_bps
        assert media.stream.rate_bps > 400_000
        stretch.rate_bps = 300_000
        began = asyncio.get_running_loop().time()
        await eventually(lambda: controller.target_bps < 330_000)
        await eventually(
            lambda: stretch.waits[-1][1] < 0.3 and stretch.waits[-1][0] > began + 0.5, timeout_s=5.0
        )
        frames = b.video(answerer).frames
        await eventually(lambda: b.video(answerer).frames >= frames + 10)
