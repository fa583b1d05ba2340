# SPDX-License-Identifier: GPL-3.0-or-later
"""Receivers of one camera, in one process; they take complete pictures and decode none.

JSON lines: `{"offer": SDP}` makes one more and is answered by its SDP, `{}` by pictures and bytes of each.
"""

import asyncio
import json
import sys
from typing import Any, Literal

from benchmarks.loopback_ours import OneWay, Silent
from callagent.ports import (
    Codec,
    Layer,
    MediaSession,
    MediaSessionState,
    PeerKey,
    ReceivedPicture,
    ReceiverControl,
    SessionDescription,
    TrackInfo,
    TrackSource,
)
from callagent.rtc import RtcSettings, WebRtcSessionFactory


class Counter:
    """A `PictureSink` that counts."""

    def __init__(self, control: ReceiverControl) -> None:
        self._control = control
        self.pictures = self.bytes = 0

    def put(self, picture: ReceivedPicture) -> None:
        if not self.pictures:
            self._control.first_frame()
        self.pictures += 1
        self.bytes += len(picture.payload)

    def figures(self) -> dict[str, float | int]:
        return {}


class Receivers:
    """Also their `RemoteMedia` and listener."""

    def __init__(self) -> None:
        self._counters: dict[PeerKey, Counter] = {}
        self._sessions: list[MediaSession] = []

    async def answer(self, offer: str) -> str:
        number = len(self._sessions)
        key = PeerKey("benchmark", str(number), str(number), 1)
        settings = RtcSettings(video_codecs=(Codec.H264,))
        session = WebRtcSessionFactory(OneWay(None), self, settings).create(key, "benchmark", (), self)
        self._sessions.append(session)
        mid = offer.partition("m=video")[2].partition("a=mid:")[2].split()[0]
        track = TrackInfo("camera", "sender", TrackSource.CAMERA, Layer.HIGH, mid)
        return (await session.create_answer(SessionDescription("offer", offer, (track,)))).sdp

    def received(self) -> list[tuple[int, int]]:
        counters = list(self._counters.values())
        missing = len(self._sessions) - len(counters)
        return [(each.pictures, each.bytes) for each in counters] + [(0, 0)] * missing

    async def close(self) -> None:
        await asyncio.gather(*(session.close() for session in self._sessions))

    def video_sink(self, peer: PeerKey, track: TrackInfo, control: ReceiverControl) -> Counter:
        return self._counters.setdefault(peer, Counter(control))

    def audio_sink(self, peer: PeerKey, track: TrackInfo, control: ReceiverControl) -> Silent:
        return Silent()

    def release(self, peer: PeerKey) -> None: ...

    def on_media_state(self, peer: PeerKey, state: MediaSessionState) -> None: ...

    def on_first_frame(self, peer: PeerKey, kind: Literal["audio", "video"]) -> None: ...


async def main() -> None:
    receivers = Receivers()
    while line := await asyncio.to_thread(sys.stdin.readline):
        question: dict[str, Any] = json.loads(line)
        offer = question.get("offer")
        answer = receivers.received() if offer is None else await receivers.answer(offer)
        print(json.dumps(answer), flush=True)
    await receivers.close()


if __name__ == "__main__":
    asyncio.run(main())
