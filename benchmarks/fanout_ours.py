# SPDX-License-Identifier: GPL-3.0-or-later
"""Our sender: one camera slot, one set of encoders, a WebRTC session for each peer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.fanout_sender import Answer
from benchmarks.loopback_ours import BITRATE_BPS, FPS, OneWay, SceneCamera, Sinks
from benchmarks.scene import LatencyLog, Scene
from callagent.media import CameraSlot, LocalStreams, MicrophoneSlot, VideoSettings
from callagent.ports import Codec, PeerKey, SessionDescription, VideoMode
from callagent.rtc import RtcSettings, WebRtcSessionFactory


@asynccontextmanager
async def send(scene: Scene, log: LatencyLog, answers: list[Answer]) -> AsyncIterator[None]:
    camera = CameraSlot()
    camera.set_source(SceneCamera(scene, log))
    camera.start(VideoMode(scene.width, scene.height, FPS))
    video = VideoSettings(scene.width, scene.height, FPS, BITRATE_BPS)
    streams, sinks = LocalStreams(camera, MicrophoneSlot(), video), Sinks(log)
    factory = WebRtcSessionFactory(OneWay(streams), sinks, RtcSettings(video_codecs=(Codec.H264,)))
    sessions = [
        factory.create(PeerKey("benchmark", str(number), str(number), 1), "benchmark", (), sinks)
        for number in range(len(answers))
    ]
    try:
        for session, answer in zip(sessions, answers, strict=True):
            offer = await session.create_offer()
            await session.set_answer(SessionDescription("answer", await answer(offer.sdp)))
        yield
    finally:
        await asyncio.gather(*(session.close() for session in sessions))
        camera.stop()
        streams.wait_stopped(2)
