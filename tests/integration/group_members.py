# SPDX-License-Identifier: GPL-3.0-or-later
"""Members of a call on a media server: plain signalling, stock aiortc, pictures that say who made them."""

import asyncio
import fractions
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from aiortc import (
    AudioStreamTrack,
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.mediastreams import MediaStreamError

from tests.standstill import WATCH
from tests.unit.server.rig import Client, Json

BITS, COUNTER_BITS = 16, 12
DEADLINE_S = 20.0


@dataclass(frozen=True)
class Size:
    """Of what a member sends."""

    widths: dict[str, int]
    """By layer."""
    fps: int


NORMAL, SMALL = Size({"h": 320, "l": 160}, 15), Size({"h": 160, "l": 80}, 10)
"""The small one is for many members in one process."""


class NumberedPictures(VideoStreamTrack):
    """Pictures whose 16 columns are the bits of who made them (4) and their number (12)."""

    def __init__(self, ident: int, width: int, fps: int) -> None:
        super().__init__()
        self._ident, self._width, self._height, self._fps = ident, width, width * 3 // 4, fps
        self._numbers = itertools.count()
        self._began = time.monotonic()

    async def recv(self) -> av.VideoFrame:
        number = next(self._numbers)
        await asyncio.sleep(max(0.0, self._began + number / self._fps - time.monotonic()))
        value = self._ident << COUNTER_BITS | number & (1 << COUNTER_BITS) - 1
        luma: npt.NDArray[np.uint8] = np.full((self._height * 3 // 2, self._width), 128, np.uint8)
        cell = self._width // BITS
        for bit in range(BITS):
            luma[: self._height, bit * cell : (bit + 1) * cell] = 235 if value >> bit & 1 else 16
        frame = av.VideoFrame.from_ndarray(luma, format="yuv420p")
        frame.pts, frame.time_base = number * 90_000 // self._fps, fractions.Fraction(1, 90_000)
        return frame


def read(frame: av.VideoFrame) -> tuple[int, int]:
    """Who made it, and its number."""
    luma = frame.to_ndarray(format="gray")
    cell = frame.width // BITS
    row = luma[frame.height // 2]
    value = sum(int(row[bit * cell + cell // 2] > 128) << bit for bit in range(BITS))
    return value >> COUNTER_BITS, value & (1 << COUNTER_BITS) - 1


@dataclass
class Seen:
    """What came of one user."""

    pictures: list[tuple[float, int, int, int]] = field(default_factory=list)
    """When (monotonic), how wide, by whom, which number."""
    sounds: int = 0

    def longest_gap_s(self, since: float) -> float:
        """Between pictures, the last one and now included."""
        times = [at for at, *_ in self.pictures if at >= since]
        return WATCH.longest_gap_s([since, *times, time.monotonic()])


class Link:
    """One peer connection to the media server, as the plan names it."""

    def __init__(self, member: "Member", peer: Json, epoch: int, ident: int) -> None:
        self.member, self.peer, self.epoch = member, peer, epoch
        self.link_id: str = peer["sessionId"]
        self.sends = peer["flow"] == "send"
        self.attempt = ""
        self._ident = ident
        self._readers: list[asyncio.Task[None]] = []
        self._pc = self._connection()

    @property
    def state(self) -> str:
        return self._pc.connectionState

    async def offer(self) -> None:
        pc, size = self._pc, self.member.size
        tracks: list[tuple[str, str, MediaStreamTrack]] = [
            ("microphone", "h", AudioStreamTrack()),
            *(
                ("camera", layer, NumberedPictures(self._ident, width, size.fps))
                for layer, width in size.widths.items()
            ),
        ]
        for source, _, track in tracks:
            transceiver = pc.addTransceiver(track, direction="sendonly")
            if source == "camera":
                able = RTCRtpSender.getCapabilities("video").codecs
                transceiver.setCodecPreferences(
                    [codec for codec in able if codec.mimeType == f"video/{self.member.codec}"]
                )
        await pc.setLocalDescription(await pc.createOffer())
        said = [
            {
                "id": f"{source}-{layer}",
                "owner": self.member.name,
                "source": source,
                "layer": layer,
                "mid": t.mid,
            }
            for (source, layer, _), t in zip(tracks, pc.getTransceivers(), strict=True)
        ]
        await self.say(kind="offer", sdp=pc.localDescription.sdp, tracks=said)

    async def again(self) -> None:
        """What a client does whose connection failed."""
        await self.close()
        self.attempt = secrets.token_hex(4)
        self._pc = self._connection()
        if self.sends:
            await self.offer()
        else:
            await self.say(kind="restart")

    async def handle(self, media: Json) -> None:
        if media.get("attempt", "") != self.attempt or self._pc.connectionState == "closed":
            return
        if media["kind"] == "answer" and self.sends:
            await self._pc.setRemoteDescription(RTCSessionDescription(media["sdp"], "answer"))
        elif media["kind"] == "offer" and not self.sends:
            assert {track["owner"] for track in media["tracks"]} == {self.peer["userId"]}, media["tracks"]
            await self._pc.setRemoteDescription(RTCSessionDescription(media["sdp"], "offer"))
            await self._pc.setLocalDescription(await self._pc.createAnswer())
            await self.say(kind="answer", sdp=self._pc.localDescription.sdp)

    async def say(self, **media: Any) -> None:
        message = {"callId": self.member.call_id, "epoch": self.epoch, "attempt": self.attempt} | media
        await self.member.client.ask("media", to=self.link_id, media=message)

    async def close(self) -> None:
        await self._pc.close()
        for reader in self._readers:
            reader.cancel()
        if self._readers:
            await asyncio.wait(self._readers)
        self._readers = []

    def _connection(self) -> RTCPeerConnection:
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        pc.on("track", self._receive)
        return pc

    def _receive(self, track: MediaStreamTrack) -> None:
        seen = self.member.seen.setdefault(self.peer["userId"], Seen())
        take = self._take_picture if track.kind == "video" else self._take_sound
        self._readers.append(asyncio.create_task(_read(track, lambda frame: take(seen, frame))))

    def _take_picture(self, seen: Seen, frame: Any) -> None:
        seen.pictures.append((time.monotonic(), frame.width, *read(frame)))

    def _take_sound(self, seen: Seen, _frame: Any) -> None:
        seen.sounds += 1


async def _read(track: MediaStreamTrack, take: Callable[[Any], None]) -> None:
    try:
        while True:
            take(await track.recv())
    except MediaStreamError:
        return


class Member:
    """Follows its media plans as a client does: old links stay until the new epoch delivers."""

    def __init__(
        self, name: str, ident: int, client: Client, codec: str = "H264", size: Size = NORMAL
    ) -> None:
        self.name, self.ident, self.codec, self.size = name, ident, codec, size
        self.client = client
        self.call_id = ""
        self.epoch = 0
        self.placement = ""
        self.links: dict[str, Link] = {}
        self.seen: dict[str, Seen] = {}
        self.events: list[Json] = []
        self.ringing = asyncio.Event()
        self.failures: list[BaseException] = []
        self._retired: list[Link] = []
        self._steps: asyncio.Queue[Callable[[], Awaitable[None]] | None] = asyncio.Queue()
        self._worker = asyncio.create_task(self._work())
        self.listen(client)

    def listen(self, client: Client) -> None:
        """To another connection from now on, beginning with what came before it was listened to."""
        self.client = client
        waiting, client.inbox = client.inbox, []
        client.hear = self._hear
        for message in waiting:
            self._hear(message)

    async def call(self, *others: "Member") -> None:
        started = await self.client.ok("calls", userIdList=[other.name for other in others], mediaType=2)
        self.call_id = str(started["callId"])
        for other in others:
            await other.accept()

    async def accept(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self.ringing.wait()
        await self.client.ok("accept", callId=self.call_id)

    async def view(self, other: "Member", layer: str) -> None:
        await self.client.ok("view", callId=self.call_id, userId=other.name, layer=layer)

    async def sees(self, other: "Member", layer: str = "h", pictures: int = 10) -> None:
        """Wait for so many new moving pictures of that layer in a row."""
        began, width = len(self.of(other).pictures), other.size.widths[layer]

        def enough() -> bool:
            news = self.of(other).pictures[began:]
            fit = list(itertools.takewhile(lambda one: one[1] == width, reversed(news)))
            numbers = [number for _, _, ident, number in reversed(fit) if ident == other.ident]
            return len(numbers) >= pictures and numbers == sorted(set(numbers))

        await self._eventually(enough, f"{self.name} does not see {other.name} {width} wide")

    async def hears(self, other: "Member") -> None:
        before = self.of(other).sounds
        await self._eventually(
            lambda: self.of(other).sounds >= before + 10, f"{self.name} does not hear {other.name}"
        )

    async def sees_nothing_of(self, other: "Member", for_s: float = 0.7) -> None:
        """Wait until that long no picture has come."""

        def still() -> bool:
            pictures = self.of(other).pictures
            return not pictures or time.monotonic() - pictures[-1][0] >= for_s

        await self._eventually(still, f"{self.name} still sees {other.name}")

    def of(self, other: "Member") -> Seen:
        return self.seen.setdefault(other.name, Seen())

    def receives_from(self) -> set[str]:
        return {link.peer["userId"] for link in self.links.values() if not link.sends}

    def link(self, *, of: "Member") -> Link:
        """By which it receives `of`, or sends."""
        return next(
            link
            for link in self.links.values()
            if link.peer["userId"] == of.name and link.epoch == self.epoch
        )

    async def close(self) -> None:
        self.client.hear = None
        # Not by cancelling: a connection that is closed halfway cannot be closed again.
        self._steps.put_nowait(self._end)
        self._steps.put_nowait(None)
        await self._worker
        if self.failures:
            raise self.failures[0]

    async def _eventually(self, condition: Callable[[], bool], failure: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            if self.failures:
                raise self.failures[0]
            states = {link.peer["userId"]: link.state for link in self.links.values()}
            assert time.monotonic() < deadline, f"{failure}: {self.placement} {self.epoch} {states}"
            await asyncio.sleep(0.02)

    def _hear(self, message: Json) -> None:
        if message["type"] == "event":
            self.client.seq = message["seq"]
            self.events.append(message)
            data = message["data"]
            match message["event"]:
                case "onCallReceived":
                    self.call_id = data["callId"]
                    self.ringing.set()
                case "onMediaPlan":
                    self._steps.put_nowait(lambda: self._plan(data))
                case "onCallEnd":
                    self._steps.put_nowait(self._end)
        elif message["type"] == "media":
            self._steps.put_nowait(lambda: self._media(message))

    async def _work(self) -> None:
        while (step := await self._steps.get()) is not None:
            try:
                await step()
            except Exception as error:
                self.failures.append(error)

    async def _plan(self, plan: Json) -> None:
        if plan["epoch"] < self.epoch:
            return
        if plan["epoch"] > self.epoch:
            self._retired += self.links.values()
            self.links = {}
            self.epoch = plan["epoch"]
        self.placement = plan["placement"]
        # Another placement is another test's business.
        peers = {p["sessionId"]: p for p in plan["peers"] if self.placement == "sfu"}
        for link_id in self.links.keys() - peers.keys():
            await self.links.pop(link_id).close()
        for link_id, peer in peers.items():
            if link_id not in self.links:
                self.links[link_id] = Link(self, peer, self.epoch, self.ident)
                if self.links[link_id].sends:
                    await self.links[link_id].offer()

    async def _media(self, message: Json) -> None:
        link = self.links.get(message["sender"])
        if link is not None:
            await link.handle(message["media"])

    async def _end(self) -> None:
        for link in [*self.links.values(), *self._retired]:
            await link.close()
        self.links, self._retired = {}, []
