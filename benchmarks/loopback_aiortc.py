# SPDX-License-Identifier: GPL-3.0-or-later
"""Stock aiortc as its documentation uses it: raw frames of a VideoStreamTrack, its encoders and buffers."""

import asyncio
import fractions
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import av
import numpy as np
from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.codecs import h264, vpx
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.stats import RTCOutboundRtpStreamStats

from benchmarks.loopback_peer import AS_USUAL, Coding
from benchmarks.scene import LatencyLog, Scene
from tests.impaired_link import ImpairedLink

FPS = 30
CLOCK_HZ = 90_000


class SceneTrack(VideoStreamTrack):
    """The scene at a steady rate, as aiortc's own example tracks do it."""

    def __init__(self, scene: Scene, log: LatencyLog) -> None:
        super().__init__()
        self._scene = scene
        self._log = log
        self._counter = 0
        self._began: float | None = None

    async def recv(self) -> av.VideoFrame:
        if self._began is None:
            self._began = time.monotonic()
        await asyncio.sleep(self._began + self._counter / FPS - time.monotonic())
        frame = av.VideoFrame.from_ndarray(self._scene.picture(self._counter), format="yuv420p")
        frame.pts = self._counter * CLOCK_HZ // FPS
        frame.time_base = fractions.Fraction(1, CLOCK_HZ)
        self._log.capture(self._counter)
        self._counter += 1
        return frame


class StockCall:
    def __init__(self, sender: RTCRtpSender) -> None:
        self._sender = sender
        self._bytes = 0

    def bytes_sent(self) -> int:
        return self._bytes

    async def count(self) -> None:
        while True:
            for statistics in (await self._sender.getStats()).values():
                if isinstance(statistics, RTCOutboundRtpStreamStats):
                    self._bytes = statistics.bytesSent
            await asyncio.sleep(0.1)


@asynccontextmanager
async def connect(
    codec: str,
    scene: Scene,
    log: LatencyLog,
    link: ImpairedLink | None = None,
    coding: Coding = AS_USUAL,
) -> AsyncIterator[StockCall]:
    """Its encoders take no effort; a rate is pinned between the bounds they keep their own to."""
    if coding.bitrate_bps is not None:
        for module in (h264, vpx):
            for bound in ("DEFAULT_BITRATE", "MIN_BITRATE", "MAX_BITRATE"):
                setattr(module, bound, coding.bitrate_bps)
    # No STUN: its default server would only slow it down here.
    a, b = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
    tasks = set()

    async def receive(track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            assert isinstance(frame, av.VideoFrame)
            plane = frame.planes[0]
            luma = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            log.arrive(luma[: frame.height, : frame.width])

    b.on("track", lambda track: tasks.add(asyncio.ensure_future(receive(track))))
    transceiver = a.addTransceiver(SceneTrack(scene, log), direction="sendonly")
    capabilities = RTCRtpSender.getCapabilities("video").codecs
    transceiver.setCodecPreferences([c for c in capabilities if c.name in (codec, "rtx")])
    await a.setLocalDescription(await a.createOffer())
    offer = a.localDescription
    if link is not None:
        offer = RTCSessionDescription(await link.lead_offer(offer.sdp), offer.type)
    await b.setRemoteDescription(offer)
    await b.setLocalDescription(await b.createAnswer())
    answer = b.localDescription
    if link is not None:
        answer = RTCSessionDescription(link.lead_answer(answer.sdp), answer.type)
    await a.setRemoteDescription(answer)
    call = StockCall(transceiver.sender)
    tasks.add(asyncio.ensure_future(call.count()))
    try:
        yield call
    finally:
        await a.close()
        await b.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
