# SPDX-License-Identifier: GPL-3.0-or-later
"""A call that lasts: two ends in one process, picture and sound both ways, sound cards 200 ppm apart.

One pulse a second goes from each microphone to the other side's speaker; what is looked at is whether it
takes longer in the last fifth of the run than in the first, whether pictures do, and what memory does. There
are no peers: stock aiortc plays nothing.
"""

import asyncio
import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from benchmarks import process
from benchmarks.report import Figure, Report
from benchmarks.soak_devices import Ear, Pulses
from callagent.agent.remote import RemoteOutputs
from callagent.devices.virtual import VirtualCamera, VirtualScreen
from callagent.media import CameraSlot, LocalStreams, MicrophoneSlot, SpeakerSlot, VideoSettings
from callagent.ports import Codec, MediaSessionState, PeerKey, VideoMode
from callagent.rtc import RtcSettings, WebRtcSessionFactory

LENGTH_S, SHORT_S = 1800.0, 150.0
WARM_UP_S = 30.0
SAMPLE_S = 5.0
PPM = 100.0
MODE = VideoMode(640, 360, 15)
MAX_DRIFT_MS, MAX_GROWTH_MB = 20.0, 5.0
_FIRST, _LAST = 0.2, 0.8


class End:
    """One machine, whose two sound cards run apart from the other's."""

    def __init__(self, ident: int, ppm: float) -> None:
        self.ear = Ear(ppm)
        self.pulses = Pulses(ppm)
        self.screen = VirtualScreen()
        self._camera, self._microphone, self._speaker = CameraSlot(), MicrophoneSlot(), SpeakerSlot()
        self._camera.set_source(VirtualCamera(ident=ident))
        self._microphone.set_source(self.pulses)
        self._speaker.set_source(self.ear)
        video = VideoSettings(MODE.width, MODE.height, int(MODE.fps))
        self._streams = LocalStreams(self._camera, self._microphone, video)
        self._remote = RemoteOutputs(self._speaker.mixer, self.screen)
        factory = WebRtcSessionFactory(self._streams, self._remote, RtcSettings(video_codecs=(Codec.H264,)))
        self.session = factory.create(PeerKey("soak", str(ident), str(ident), 1), "soak", (), self)
        self._camera.start(MODE)
        self._microphone.start()
        self._speaker.start()

    def on_media_state(self, peer: PeerKey, state: MediaSessionState) -> None: ...

    def on_first_frame(self, peer: PeerKey, kind: Literal["audio", "video"]) -> None: ...

    def stop(self) -> None:
        self._camera.stop()
        self._microphone.stop()
        self._speaker.stop()
        self._streams.wait_stopped(5)
        self._remote.wait_released(5)
        self.screen.close()


@dataclass(slots=True)
class Way:
    """From one end to the other: seconds, looked at every `SAMPLE_S`."""

    sound_s: list[float] = field(default_factory=list)
    picture_s: list[float] = field(default_factory=list)

    def look(self, source: End, target: End) -> None:
        heard = target.ear.latencies_s(source.pulses)
        if heard:
            self.sound_s.append(statistics.median(heard))
        seen = [reading.latency_ms / 1000 for reading in target.screen.readings()[-30:]]
        if seen:
            self.picture_s.append(statistics.median(seen))


def run(short: bool) -> Report:
    """Short: two minutes and a half, half an hour else."""
    return asyncio.run(_run(SHORT_S if short else LENGTH_S))


async def _run(length_s: float) -> Report:
    ways, memory = (Way(), Way()), []
    async with _call() as (a, b):
        await asyncio.sleep(WARM_UP_S)
        for _ in range(int(length_s / SAMPLE_S)):
            await asyncio.sleep(SAMPLE_S)
            ways[0].look(a, b)
            ways[1].look(b, a)
            memory.append(process.resident_mb())
    sound, picture = [way.sound_s for way in ways], [way.picture_s for way in ways]
    return Report(
        "soak",
        [
            Figure("mouth to ear", "ms", 1000 * max(statistics.median(way) for way in sound)),
            Figure("drift of sound", "ms", 1000 * max(map(_drift, sound)), target=MAX_DRIFT_MS),
            Figure("capture to picture", "ms", 1000 * max(statistics.median(way) for way in picture)),
            Figure("drift of pictures", "ms", 1000 * max(map(_drift, picture)), target=MAX_DRIFT_MS),
            Figure("growth of memory", "MB", _change(memory), target=MAX_GROWTH_MB),
            Figure("memory", "MB", memory[-1]),
            Figure("length", "s", length_s),
        ],
    )


@asynccontextmanager
async def _call() -> AsyncIterator[tuple[End, End]]:
    a, b = End(1, PPM), End(2, -PPM)
    try:
        await a.session.set_answer(await b.session.create_answer(await a.session.create_offer()))
        yield a, b
    finally:
        await asyncio.gather(a.session.close(), b.session.close())
        for end in (a, b):
            await asyncio.to_thread(end.stop)


def _change(samples: Sequence[float]) -> float:
    """From the median of the first fifth to that of the last."""
    count = len(samples)
    first, last = samples[: max(1, int(count * _FIRST))], samples[int(count * _LAST) :]
    return statistics.median(last) - statistics.median(first)


def _drift(samples: Sequence[float]) -> float:
    return abs(_change(samples))
