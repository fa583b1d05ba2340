# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers go over from one layer to the other without a picture they cannot decode."""

import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.media.layered_stream import LayeredVideoStream
from callagent.ports import Codec, EncodedFrame, EncodedSink, Layer, NetworkReport
from tests.clock import HandClock

HIGH_BPS = 1_500_000
NARROW = NetworkReport(available_bps=200_000)
WIDE = NetworkReport(available_bps=2_000_000)


class PaperStream:
    """An `EncodedStream` that encodes when it is told to."""

    codec = Codec.VP8

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.sinks: dict[str, EncodedSink] = {}
        self.keys: list[str] = []
        self.reports: list[str] = []
        self.count = 0
        self.known: NetworkReport | None = None

    def subscribe(
        self, peer: str, sink: EncodedSink, known: NetworkReport | None = None
    ) -> Callable[[], None]:
        assert peer not in self.sinks
        self.known = known
        self.sinks[peer] = sink

        def leave() -> None:
            if self.sinks.get(peer) is sink:
                del self.sinks[peer]

        return leave

    def request_key_frame(self, peer: str) -> None:
        self.keys.append(peer)

    def report(self, peer: str, report: NetworkReport) -> None:
        self.reports.append(peer)

    def encode(self, *, key: bool = False) -> None:
        self.count += 1
        frame = EncodedFrame(Codec.VP8, self.layer, key, float(self.count), memoryview(b"x"))
        for sink in list(self.sinks.values()):
            sink.put(frame)


class Peer:
    def __init__(self) -> None:
        self.frames: list[EncodedFrame] = []

    def put(self, frame: EncodedFrame) -> None:
        self.frames.append(frame)

    @property
    def newest(self) -> tuple[Layer, bool]:
        return self.frames[-1].layer, self.frames[-1].key


class Rig:
    """One wide and one narrow way."""

    def __init__(self) -> None:
        self.high, self.low = PaperStream(Layer.HIGH), PaperStream(Layer.LOW)
        self.watch = HandClock(0.0)
        self.stream = LayeredVideoStream(
            self.high, self.low, min_bps=180_000, high_bps=HIGH_BPS, clock=self.watch
        )
        self.wide, self.narrow = Peer(), Peer()
        self.leave_wide = self.stream.subscribe("wide", self.wide)
        self.leave_narrow = self.stream.subscribe("narrow", self.narrow)

    def seconds(self, count: int) -> None:
        for _ in range(count):
            self.watch.seconds += 1
            self.stream.report("wide", WIDE)
            self.stream.report("narrow", NARROW)


def test_only_the_high_layer_is_encoded_at_first() -> None:
    rig = Rig()
    rig.high.encode(key=True)
    assert rig.wide.newest == rig.narrow.newest == (Layer.HIGH, True)
    assert rig.low.sinks == {}


def test_a_narrow_way_goes_over_with_the_low_layers_key_frame() -> None:
    rig = Rig()
    rig.high.encode(key=True)
    rig.seconds(5)
    assert rig.stream.layer_of("narrow") is Layer.LOW
    rig.low.encode()
    rig.high.encode()
    assert rig.narrow.newest == (Layer.HIGH, False), "the old layer until the new one can be decoded"
    rig.low.encode(key=True)
    assert rig.narrow.newest == (Layer.LOW, True)
    rig.high.encode()
    assert rig.narrow.newest == (Layer.LOW, True)
    assert set(rig.high.sinks) == {"wide"}
    assert rig.wide.newest == (Layer.HIGH, False)
    rig.stream.request_key_frame("narrow")
    assert rig.low.keys == ["narrow"]


def test_it_comes_back_the_same_way() -> None:
    rig = Rig()
    rig.high.encode(key=True)
    rig.seconds(5)
    rig.low.encode(key=True)
    rig.watch.seconds += 20
    rig.stream.report("narrow", WIDE)
    assert rig.stream.layer_of("narrow") is Layer.HIGH
    rig.low.encode()
    assert rig.narrow.newest == (Layer.LOW, False)
    rig.high.encode(key=True)
    assert rig.narrow.newest == (Layer.HIGH, True)
    assert rig.low.sinks == {}, "nobody is left: no longer encoded"


def test_the_rate_of_a_layer_follows_those_who_get_it() -> None:
    rig = Rig()
    rig.seconds(5)
    rig.low.reports.clear()
    rig.high.reports.clear()
    rig.seconds(1)
    assert rig.low.reports == ["narrow"]
    assert rig.high.reports == ["wide"]


def test_who_leaves_gets_nothing_more() -> None:
    rig = Rig()
    rig.seconds(5)
    rig.leave_narrow()
    rig.leave_narrow()
    rig.low.encode(key=True)
    rig.high.encode(key=True)
    assert rig.narrow.frames == []
    assert rig.low.sinks == {}
    rig.leave_wide()
    assert rig.high.sinks == {}


def test_what_is_known_of_a_way_reaches_the_encoder() -> None:
    rig, known = Rig(), NetworkReport(available_bps=300_000)
    leave = rig.stream.subscribe("new", Peer(), known)
    assert rig.high.known == known
    leave()


def test_one_peer_one_place() -> None:
    rig = Rig()
    with pytest.raises(ValueError, match="narrow"):
        rig.stream.subscribe("narrow", Peer())


@given(st.lists(st.sampled_from(["high", "high key", "low", "low key", "down", "up"]), max_size=60))
def test_every_layer_begins_with_a_key_frame_whatever_happens(steps: list[str]) -> None:
    rig = Rig()
    for step in steps:
        if step == "down":
            rig.seconds(5)
        elif step == "up":
            rig.watch.seconds += 500
            rig.stream.report("narrow", WIDE)
        else:
            (rig.low if step.startswith("low") else rig.high).encode(key=step.endswith("key"))
    before: Layer | None = None
    for frame in rig.narrow.frames:
        assert frame.key or frame.layer is before
        before = frame.layer
    rig.leave_narrow()
    rig.leave_wide()
    assert not rig.high.sinks
    assert not rig.low.sinks


def test_two_encoders_at_once_never_mix_what_a_peer_gets() -> None:
    rig = Rig()
    stop = threading.Event()

    def encode(stream: PaperStream) -> None:
        while not stop.is_set():
            stream.encode(key=stream.count % 5 == 0)

    threads = [threading.Thread(target=encode, args=(stream,)) for stream in (rig.high, rig.low)]
    for thread in threads:
        thread.start()
    for turn in range(40):
        rig.seconds(4)
        rig.watch.seconds += 500
        if turn % 2:
            rig.stream.report("narrow", WIDE)
    stop.set()
    for thread in threads:
        thread.join(10)
    before: Layer | None = None
    for frame in list(rig.narrow.frames):
        assert frame.key or frame.layer is before
        before = frame.layer
