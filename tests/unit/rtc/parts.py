# SPDX-License-Identifier: GPL-3.0-or-later
"""Small real parts around a session: encoders on threads, sinks that count, a listener."""

import asyncio
import fractions
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import av
import numpy as np
import numpy.typing as npt

from callagent.media.playout.video import VideoPlayout
from callagent.ports import (
    Codec,
    EncodedFrame,
    EncodedSink,
    EncodedStream,
    Layer,
    MediaSessionState,
    NetworkReport,
    PeerKey,
    ReceivedPacket,
    ReceivedPicture,
    ReceiverControl,
    TrackInfo,
    VideoFrame,
)
from callagent.rtc import RtcSettings, WebRtcSessionFactory
from callagent.rtc.session import WebRtcSession

WIDTH, HEIGHT, FPS = 160, 96, 30
COUNTER_BITS = 16


async def eventually(condition: Callable[[], bool], timeout_s: float = 15.0) -> None:
    """Wait for a condition that another task or thread brings about."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not come about in time"
        await asyncio.sleep(0.005)


async def reached(record: "VideoRecord | AudioRecord", frames: int) -> None:
    """Wait until a sink has taken so many frames."""
    await eventually(lambda: record.frames >= frames)


def picture(counter: int) -> av.VideoFrame:
    """A grey picture whose 16 columns are the bits of a counter."""
    luma: npt.NDArray[np.uint8] = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    cell = WIDTH // COUNTER_BITS
    for bit in range(COUNTER_BITS):
        luma[:HEIGHT, bit * cell : (bit + 1) * cell] = 235 if counter >> bit & 1 else 16
    return av.VideoFrame.from_ndarray(luma, format="yuv420p")


def read_counter(frame: VideoFrame) -> int:
    plane = frame.planes[0]
    rows = np.frombuffer(plane.data, np.uint8).reshape(-1, plane.stride)
    cell = frame.width // COUNTER_BITS
    row = rows[frame.height // 2]
    return sum(int(row[bit * cell + cell // 2] > 128) << bit for bit in range(COUNTER_BITS))


class TestStream:
    """An `EncodedStream` on a thread of its own while it has subscribers."""

    __test__ = False

    def __init__(
        self, codec: Codec, encode: Callable[[bool], Iterator[tuple[bytes, bool]]], period_s: float
    ) -> None:
        self._codec = codec
        self._encode = encode
        self._period_s = period_s
        self._lock = threading.Lock()
        self._sinks: dict[str, EncodedSink] = {}
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._force = True
        self.paused = False
        self.force_ignored = False
        """Answers no key frame request."""
        self.key_requests: list[str] = []
        self.known: list[NetworkReport | None] = []
        """Of each subscriber's way, when it came."""
        self.reports: list[tuple[str, NetworkReport]] = []
        self.frames_made = 0
        self.keys_made = 0

    @property
    def codec(self) -> Codec:
        return self._codec

    @property
    def layer(self) -> Layer:
        return Layer.HIGH

    @property
    def subscribers(self) -> list[str]:
        return list(self._sinks)

    def subscribe(
        self, peer: str, sink: EncodedSink, known: NetworkReport | None = None
    ) -> Callable[[], None]:
        with self._lock:
            self._sinks[peer] = sink
            self.known.append(known)
            self._force = True
            if self._thread is None:
                self._stop = threading.Event()
                self._thread = threading.Thread(target=self._run, args=(self._stop,), name="test-stream")
                self._thread.start()

        def leave() -> None:
            with self._lock:
                self._sinks.pop(peer, None)
                thread, self._thread = self._thread, self._thread if self._sinks else None
                if self._sinks:
                    return
                self._stop.set()
            if thread is not None:
                thread.join()

        return leave

    def request_key_frame(self, peer: str) -> None:
        self.key_requests.append(peer)
        self._force = True

    def report(self, peer: str, report: NetworkReport) -> None:
        self.reports.append((peer, report))

    def _run(self, stop: threading.Event) -> None:
        due = time.monotonic()
        while not stop.wait(max(0.0, due - time.monotonic())):
            due += self._period_s
            if self.paused:
                continue
            captured = time.monotonic()
            force, self._force = self._force and not self.force_ignored, False
            for payload, key in self._encode(force):
                self.frames_made += 1
                self.keys_made += key
                frame = EncodedFrame(self._codec, Layer.HIGH, key, captured, memoryview(payload))
                for sink in list(self._sinks.values()):
                    sink.put(frame)


def video_stream(codec: Codec) -> TestStream:
    options = {
        Codec.H264: ("libx264", {"preset": "ultrafast", "tune": "zerolatency", "g": "9999"}),
        Codec.VP8: ("libvpx", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    }
    name, settings = options[codec]
    encoder = av.CodecContext.create(name, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.bit_rate = 1_000_000
    encoder.framerate = fractions.Fraction(FPS)
    encoder.time_base = fractions.Fraction(1, FPS)
    encoder.gop_size = 9999
    encoder.options = settings
    counter = 0

    def encode(force: bool) -> Iterator[tuple[bytes, bool]]:
        nonlocal counter
        frame = picture(counter)
        frame.pts = counter
        frame.pict_type = av.video.frame.PictureType.I if force else av.video.frame.PictureType.NONE
        counter += 1
        for packet in encoder.encode(frame):
            yield bytes(packet), packet.is_keyframe

    return TestStream(codec, encode, 1 / FPS)


def opus_stream(tone_hz: float = 1000.0) -> TestStream:
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = 48000, "mono", "s16"
    encoder.bit_rate = 48_000
    encoder.time_base = fractions.Fraction(1, 48000)
    at = 0

    def encode(_force: bool) -> Iterator[tuple[bytes, bool]]:
        nonlocal at
        times = np.arange(at, at + 960) / 48000
        samples = (10000 * np.sin(2 * np.pi * tone_hz * times)).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48000, at
        at += 960
        for packet in encoder.encode(frame):
            yield bytes(packet), True

    return TestStream(Codec.OPUS, encode, 0.02)


class LocalParts:
    """`LocalMedia` of test streams."""

    def __init__(self) -> None:
        self.streams: dict[Codec, TestStream] = {}

    def video(self, codec: Codec, layer: Layer | None) -> EncodedStream:
        return self.streams.setdefault(codec, video_stream(codec))

    def audio(self) -> EncodedStream:
        return self.streams.setdefault(Codec.OPUS, opus_stream())

    @property
    def subscribers(self) -> list[str]:
        return [name for stream in self.streams.values() for name in stream.subscribers]


class VideoRecord:
    def __init__(self) -> None:
        self.frames = 0
        self.counters: list[int] = []
        self.last: VideoFrame | None = None

    def put(self, frame: VideoFrame) -> None:
        self.frames += 1
        self.last = frame
        self.counters.append(read_counter(frame))


class AudioRecord:
    """A `PacketSink` that decodes."""

    def __init__(self, control: ReceiverControl) -> None:
        self.frames = 0
        self.last: av.AudioFrame | None = None
        self.packets: list[ReceivedPacket] = []
        self._control = control
        decoder = av.CodecContext.create("libopus", "r")
        assert isinstance(decoder, av.AudioCodecContext)
        decoder.sample_rate, decoder.layout, decoder.format = 48000, "stereo", "s16"
        self._decoder = decoder

    def put(self, packet: ReceivedPacket) -> None:
        self.packets.append(packet)
        for frame in self._decoder.decode(av.Packet(packet.payload)):
            self.frames += 1
            self.last = frame
            self._control.first_frame()

    def figures(self) -> dict[str, float | int]:
        return {"frames_decoded": self.frames}


class RecordedVideo(VideoPlayout):
    """The real playout, which also keeps what it was given."""

    def __init__(self, record: VideoRecord, control: ReceiverControl) -> None:
        super().__init__(record, control)
        self.control = control
        self.pictures: list[ReceivedPicture] = []

    def put(self, picture: ReceivedPicture) -> None:
        self.pictures.append(picture)
        super().put(picture)


class RemoteParts:
    """`RemoteMedia` of sinks that remember."""

    def __init__(self) -> None:
        self.video: dict[PeerKey, VideoRecord] = {}
        self.audio: dict[PeerKey, AudioRecord] = {}
        self.playouts: dict[PeerKey, RecordedVideo] = {}
        self.tracks: list[TrackInfo] = []
        self.released: list[PeerKey] = []

    def video_sink(self, peer: PeerKey, track: TrackInfo, control: ReceiverControl) -> RecordedVideo:
        self.tracks.append(track)
        record = self.video[peer] = VideoRecord()
        self.playouts[peer] = RecordedVideo(record, control)
        return self.playouts[peer]

    def audio_sink(self, peer: PeerKey, track: TrackInfo, control: ReceiverControl) -> AudioRecord:
        self.tracks.append(track)
        self.audio[peer] = AudioRecord(control)
        return self.audio[peer]

    def release(self, peer: PeerKey) -> None:
        self.released.append(peer)
        playout = self.playouts.pop(peer, None)
        if playout is not None:
            playout.close()
            assert playout.wait_closed(5)


class Listener:
    def __init__(self) -> None:
        self.states: list[tuple[PeerKey, MediaSessionState]] = []
        self.first: list[tuple[PeerKey, str]] = []

    def on_media_state(self, peer: PeerKey, state: MediaSessionState) -> None:
        self.states.append((peer, state))

    def on_first_frame(self, peer: PeerKey, kind: str) -> None:
        self.first.append((peer, kind))


class Side:
    """One end of a call: its media, its listener and the factory over both."""

    def __init__(self, user: str, settings: RtcSettings | None = None) -> None:
        self.user = user
        self.local = LocalParts()
        self.remote = RemoteParts()
        self.listener = Listener()
        self.factory = WebRtcSessionFactory(self.local, self.remote, settings)

    def session(self, other: str, epoch: int = 1) -> WebRtcSession:
        peer = PeerKey("call", f"session-of-{other}", other, epoch)
        return self.factory.create(peer, self.user, (), self.listener)

    def video(self, session: WebRtcSession) -> VideoRecord:
        return self.remote.video[session.peer]

    def audio(self, session: WebRtcSession) -> AudioRecord:
        return self.remote.audio[session.peer]


async def negotiate(offerer: WebRtcSession, answerer: WebRtcSession) -> None:
    offer = await offerer.create_offer()
    answer = await answerer.create_answer(offer)
    await offerer.set_answer(answer)


@asynccontextmanager
async def call(a: Side, b: Side, epoch: int = 1) -> AsyncIterator[tuple[WebRtcSession, WebRtcSession]]:
    """Two connected sessions, closed at the end."""
    offerer, answerer = a.session(b.user, epoch), b.session(a.user, epoch)
    try:
        await negotiate(offerer, answerer)
        await eventually(lambda: offerer.state == answerer.state == MediaSessionState.CONNECTED)
        yield offerer, answerer
    finally:
        await offerer.close()
        await answerer.close()
