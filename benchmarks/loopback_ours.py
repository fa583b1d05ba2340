# SPDX-License-Identifier: GPL-3.0-or-later
"""Our whole way: camera slot, shared encoder, WebRTC session to session, sink."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Literal

import numpy as np

from benchmarks.loopback_peer import AS_USUAL, Coding
from benchmarks.scene import LatencyLog, Scene
from callagent.media import CameraSlot, LocalStreams, MicrophoneSlot, VideoSettings
from callagent.media.encoders.roster import EncoderChoice, EncoderRoster
from callagent.media.playout.video import VideoPlayout
from callagent.ports import (
    Codec,
    Drop,
    EncodedSink,
    EncodedStream,
    FrameSink,
    Layer,
    MediaSessionState,
    NetworkReport,
    PeerKey,
    PixelFormat,
    Plane,
    ReceivedPacket,
    ReceiverControl,
    SourceState,
    Stage,
    TrackInfo,
    VideoFrame,
    VideoMode,
)
from callagent.rtc import RtcSettings, WebRtcSessionFactory
from callagent.rtc.session import WebRtcSession
from tests.impaired_link import ImpairedLink

FPS = 30
BITRATE_BPS = 1_500_000


class SceneCamera:
    """A `ports.VideoSource` of the scene, on a thread of its own."""

    name = "scene"
    reason = ""

    def __init__(self, scene: Scene, log: LatencyLog) -> None:
        self._scene = scene
        self._log = log
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> SourceState:
        return SourceState.OFF if self._thread is None else SourceState.LIVE

    def open(self, mode: VideoMode, sink: FrameSink) -> VideoMode:
        self._ended.clear()
        self._thread = threading.Thread(target=self._run, args=(sink,), name="scene")
        self._thread.start()
        return mode

    def when_ended(self, _callback: Callable[[], None]) -> Callable[[], None]:
        """It only ends when it is closed, by whoever would be told."""
        return lambda: None

    def close(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, sink: FrameSink) -> None:
        width, height = self._scene.width, self._scene.height
        began, counter = time.monotonic(), 0
        while not self._ended.wait(max(0.0, began + counter / FPS - time.monotonic())):
            data = self._scene.picture(counter).data.cast("B")
            luma, chroma = width * height, width * height // 4
            planes = (
                Plane(data[:luma], width),
                Plane(data[luma : luma + chroma], width // 2),
                Plane(data[luma + chroma :], width // 2),
            )
            captured = self._log.capture(counter)
            sink.put(VideoFrame(PixelFormat.I420, width, height, planes, captured))
            counter += 1


class Off:
    """An `EncodedStream` that never gives anything: microphone and camera switched off."""

    layer = Layer.HIGH

    def __init__(self, codec: Codec) -> None:
        self.codec = codec

    def subscribe(
        self, peer: str, sink: EncodedSink, known: NetworkReport | None = None
    ) -> Callable[[], None]:
        return lambda: None

    def request_key_frame(self, peer: str) -> None: ...

    def report(self, peer: str, report: NetworkReport) -> None: ...


class OneWay:
    """A `LocalMedia` with picture only, or with nothing."""

    def __init__(self, streams: LocalStreams | None) -> None:
        self._streams = streams

    def video(self, codec: Codec, layer: Layer | None) -> EncodedStream:
        return Off(codec) if self._streams is None else self._streams.video(codec, layer)

    def audio(self) -> EncodedStream:
        return Off(Codec.OPUS)


class Silent:
    """A `PacketSink` for the sound that nobody sends."""

    def put(self, packet: ReceivedPacket) -> None: ...

    def figures(self) -> dict[str, float | int]:
        return {}


class CodingTimes:
    """A `ports.Tracer` that knows what encoding and decoding the last picture took.

    On a way that takes less than a picture's time the last one encoded is the one that was just decoded.
    """

    on = True

    def __init__(self) -> None:
        self._last = {Stage.ENCODED: 0.0, Stage.DECODED: 0.0}

    @property
    def last_s(self) -> float:
        return sum(self._last.values())

    def took(self, stage: Stage, seconds: float) -> None:
        if stage in self._last:
            self._last[stage] = seconds

    def dropped(self, cause: Drop) -> None: ...


class Sinks:
    """A `RemoteMedia` that decodes and logs pictures."""

    def __init__(self, log: LatencyLog, times: CodingTimes | None = None) -> None:
        """`times`: to log with each picture."""
        self._log, self._times = log, times or CodingTimes()
        self._videos: list[VideoPlayout] = []

    def video_sink(self, peer: PeerKey, track: TrackInfo, control: ReceiverControl) -> VideoPlayout:
        self._videos.append(VideoPlayout(self, control, tracer=self._times))
        return self._videos[-1]

    def audio_sink(self, peer: PeerKey, track: TrackInfo, control: ReceiverControl) -> Silent:
        return Silent()

    def release(self, peer: PeerKey) -> None:
        for video in self._videos:
            video.close()

    def put(self, frame: VideoFrame) -> None:
        plane = frame.planes[0]
        luma = np.frombuffer(plane.data, np.uint8).reshape(-1, plane.stride)
        self._log.arrive(luma[: frame.height, : frame.width], self._times.last_s)

    def on_media_state(self, peer: PeerKey, state: MediaSessionState) -> None: ...

    def on_first_frame(self, peer: PeerKey, kind: Literal["audio", "video"]) -> None: ...


class OurCall:
    def __init__(self, sender: WebRtcSession) -> None:
        self._sender = sender
        self._bytes = 0

    def bytes_sent(self) -> int:
        return self._bytes

    async def count(self) -> None:
        while True:
            self._bytes = int((await self._sender.statistics()).get("video_bytes_sent", 0))
            await asyncio.sleep(0.1)


def _encoders(codec: str, coding: Coding) -> EncoderRoster:
    if coding.effort is None:
        return EncoderRoster()
    name, option = {"H264": ("libx264", "preset"), "VP8": ("libvpx", "cpu-used")}[codec]
    return EncoderRoster([EncoderChoice(name, {option: coding.effort})])


@asynccontextmanager
async def connect(
    codec: str,
    scene: Scene,
    log: LatencyLog,
    link: ImpairedLink | None = None,
    coding: Coding = AS_USUAL,
) -> AsyncIterator[OurCall]:
    times = CodingTimes()
    camera = CameraSlot()
    camera.set_source(SceneCamera(scene, log))
    camera.start(VideoMode(scene.width, scene.height, FPS))
    streams = LocalStreams(
        camera,
        MicrophoneSlot(),
        VideoSettings(scene.width, scene.height, FPS, coding.bitrate_bps or BITRATE_BPS),
        _encoders(codec, coding),
        tracer=times,
    )
    settings, sinks = RtcSettings(video_codecs=(Codec(codec),)), Sinks(log, times)
    a, b = (
        WebRtcSessionFactory(OneWay(local), sinks, settings).create(
            PeerKey("benchmark", session, session, 1), "benchmark", (), sinks
        )
        for local, session in ((streams, "a"), (None, "b"))
    )
    offer = await a.create_offer()
    if link is not None:
        offer = replace(offer, sdp=await link.lead_offer(offer.sdp))
    answer = await b.create_answer(offer)
    if link is not None:
        answer = replace(answer, sdp=link.lead_answer(answer.sdp))
    await a.set_answer(answer)
    call = OurCall(a)
    counting = asyncio.create_task(call.count())
    try:
        yield call
    finally:
        counting.cancel()
        await asyncio.gather(counting, return_exceptions=True)
        await a.close()
        await b.close()
        camera.stop()
        streams.wait_stopped(2)
