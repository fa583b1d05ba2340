# SPDX-License-Identifier: GPL-3.0-or-later
"""Two sessions over real UDP with a slow stretch between them: the sender finds out and fits in."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

from callagent.ports import Codec, EncodedStream, Layer, MediaSessionState, NetworkReport
from callagent.rtc import RtcSettings
from callagent.rtc.session import WebRtcSession
from tests.impaired_link import ImpairedLink, Way
from tests.unit.rtc.parts import FPS, Side, TestStream, eventually, reached, video_stream

SETTINGS = RtcSettings(video_codecs=(Codec.H264,), start_bps=300_000)
DELAY_S = 0.02


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


@asynccontextmanager
async def call_over(
    a: Side, b: Side, link: ImpairedLink
) -> AsyncIterator[tuple[WebRtcSession, WebRtcSession]]:
    offerer, answerer = a.session(b.user), b.session(a.user)
    try:
        offer = await offerer.create_offer()
        led = replace(offer, sdp=await link.lead_offer(offer.sdp))
        answer = await answerer.create_answer(led)
        await offerer.set_answer(replace(answer, sdp=link.lead_answer(answer.sdp)))
        await eventually(lambda: offerer.state == answerer.state == MediaSessionState.CONNECTED)
        yield offerer, answerer
    finally:
        await offerer.close()
        await answerer.close()
        link.close()


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
    way = Way(delay_s=DELAY_S, rate_bps=1_200_000)
    async with call_over(a, b, ImpairedLink(way, Way(delay_s=DELAY_S))) as (offerer, answerer):
        controller = offerer._congestion.controller
        await reached(b.video(answerer), 5)
        await eventually(lambda: controller.target_bps > 600_000)
        await asyncio.sleep(2)  # what is looked at is how it stays
        assert controller.target_bps < 1.25 * 1_200_000
        assert media.stream.rate_bps > 400_000
        way.rate_bps = 300_000
        began = asyncio.get_running_loop().time()
        await eventually(lambda: controller.target_bps < 330_000)
        await eventually(lambda: way.waits[-1][1] < 0.3 and way.waits[-1][0] > began + 0.5, timeout_s=5.0)
        frames = b.video(answerer).frames
        await eventually(lambda: b.video(answerer).frames >= frames + 10)
