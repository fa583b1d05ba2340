# SPDX-License-Identifier: GPL-3.0-or-later
"""One camera for peers with wide and with narrow ways: each gets the layer its own way carries."""

import threading
from collections.abc import Callable

from callagent.media.layer_choice import LayerChoice
from callagent.ports import (
    Clock,
    Codec,
    EncodedFrame,
    EncodedSink,
    EncodedStream,
    Layer,
    MonotonicClock,
    NetworkReport,
)


class LayeredVideoStream:
    """A `ports.EncodedStream` whose frames come from one of two others, peer by peer.

    A layer is encoded only while some peer gets it. A peer goes over from one layer to the other at the
    new one's first key frame and gets the old one until then; the size of the picture is in the frames
    (H.264 sequence parameter set, VP8 key frame header), nothing is negotiated.
    """

    layer = Layer.HIGH

    def __init__(
        self,
        high: EncodedStream,
        low: EncodedStream,
        *,
        min_bps: int,
        high_bps: int,
        clock: Clock | None = None,
    ) -> None:
        """`high_bps` is what the high layer is made for, `min_bps` the least it can be given."""
        self._streams = {Layer.HIGH: high, Layer.LOW: low}
        self._clock = clock or MonotonicClock()
        self._lock = threading.Lock()
        self._choice = LayerChoice(min_bps, high_bps)
        self._paths: dict[str, _Path] = {}

    @property
    def codec(self) -> Codec:
        return self._streams[Layer.HIGH].codec

    def layer_of(self, peer: str) -> Layer:
        """The one the peer gets, or is about to get."""
        with self._lock:
            return self._choice.layer(peer)

    def subscribe(
        self, peer: str, sink: EncodedSink, known: NetworkReport | None = None
    ) -> Callable[[], None]:
        """Raises ValueError for a peer that is there already."""
        with self._lock:
            if peer in self._paths:
                raise ValueError(f"{peer} has subscribed already")
            path = self._paths[peer] = _Path(peer, sink, self._streams)
            self._choice.join(peer)
        path.take(Layer.HIGH, known)

        def leave() -> None:
            with self._lock:
                if self._paths.get(peer) is path:
                    del self._paths[peer]
                    self._choice.leave(peer)
            path.close()

        return leave

    def request_key_frame(self, peer: str) -> None:
        self._streams[self.layer_of(peer)].request_key_frame(peer)

    def report(self, peer: str, report: NetworkReport) -> None:
        with self._lock:
            self._choice.report(peer, report, self._clock.now())
            wanted = [(path, self._choice.layer(each)) for each, path in self._paths.items()]
            layer = self._choice.layer(peer)
        for path, each in wanted:
            path.take(each)
        self._streams[layer].report(peer, report)


class _Path:
    """What one peer gets. Thread-safe: two encoders' threads and the loop meet here."""

    def __init__(self, peer: str, sink: EncodedSink, streams: dict[Layer, EncodedStream]) -> None:
        self._peer, self._sink, self._streams = peer, sink, streams
        # Of whoever changes the subscriptions; the frames' way takes the other one only.
        self._changing = threading.RLock()
        self._giving = threading.Lock()
        self._wanted = Layer.HIGH
        self._given: Layer | None = None
        self._leaves: dict[Layer, Callable[[], None]] = {}
        self._closed = False

    def take(self, layer: Layer, known: NetworkReport | None = None) -> None:
        """Go over to this layer with its next key frame, or stay. Idempotent."""
        with self._changing:
            if self._closed:
                return
            self._wanted = layer
            if layer not in self._leaves:
                self._leaves[layer] = self._streams[layer].subscribe(self._peer, _Gate(self, layer), known)
            self._drop_unwanted()

    def give(self, layer: Layer, frame: EncodedFrame) -> None:
        """From an encoder's thread."""
        with self._giving:
            goes_over = self._given is not layer
            if self._closed or (goes_over and not (frame.key and layer is self._wanted)):
                return
            self._given = layer
            self._sink.put(frame)
        if goes_over:
            with self._changing:
                self._drop_unwanted()

    def close(self) -> None:
        """Idempotent."""
        with self._changing:
            with self._giving:
                self._closed = True
            for leave in self._leaves.values():
                leave()
            self._leaves.clear()

    def _drop_unwanted(self) -> None:
        """Leave the other layer, once this one has given."""
        if self._given is self._wanted:
            for other in [each for each in self._leaves if each is not self._wanted]:
                self._leaves.pop(other)()


class _Gate:
    def __init__(self, path: _Path, layer: Layer) -> None:
        self._path, self._layer = path, layer

    def put(self, frame: EncodedFrame) -> None:
        self._path.give(self._layer, frame)
