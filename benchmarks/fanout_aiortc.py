# SPDX-License-Identifier: GPL-3.0-or-later
"""Stock aiortc's sender as its documentation does it: a track behind a MediaRelay, a connection a peer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.contrib.media import MediaRelay

from benchmarks.fanout_sender import Answer
from benchmarks.loopback_aiortc import SceneTrack
from benchmarks.scene import LatencyLog, Scene


@asynccontextmanager
async def send(scene: Scene, log: LatencyLog, answers: list[Answer]) -> AsyncIterator[None]:
    relay, track = MediaRelay(), SceneTrack(scene, log)
    # No STUN: its default server would only slow it down here.
    connections = [RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in answers]
    try:
        for connection, answer in zip(connections, answers, strict=True):
            # The receivers are of ours, which always have a line for sound.
            connection.addTransceiver("audio", direction="sendrecv")
            transceiver = connection.addTransceiver(relay.subscribe(track), direction="sendrecv")
            capabilities = RTCRtpSender.getCapabilities("video").codecs
            transceiver.setCodecPreferences([c for c in capabilities if c.name in ("H264", "rtx")])
            await connection.setLocalDescription(await connection.createOffer())
            sdp = await answer(connection.localDescription.sdp)
            await connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        yield
    finally:
        await asyncio.gather(*(connection.close() for connection in connections))
        track.stop()
