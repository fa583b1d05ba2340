# SPDX-License-Identifier: GPL-3.0-or-later
"""The microphone's sound as Opus, encoded once for everybody."""

import logging
import threading
from collections import deque
from collections.abc import Callable

import numpy as np

from callagent.devices.threads import label_thread
from callagent.media.expected_loss import ExpectedLoss
from callagent.media.fanout import Fanout, Subscription
from callagent.media.microphone_slot import MicrophoneSlot
from callagent.media.opus import DEFAULT_SETTINGS, OpusEncoder, OpusError, OpusSettings
from callagent.media.sound import FRAME_S
from callagent.ports import AudioFrame, Codec, EncodedFrame, EncodedSink, Layer, NetworkReport

log = logging.getLogger(__name__)

_QUEUE_S = 0.1
_RETRY_S = 1.0
_TIMELINE_TOLERANCE_S = 0.2


class AudioEncodedStream:
    """A `ports.EncodedStream` of Opus packets; its thread lives from the first subscriber to the last.

    `capture_time` runs in exact steps of a packet's length, as RTP counts samples, and jumps
    only when the microphone slot was stopped in between. With DTX there are steps
    without a packet while nobody speaks.
    """

    codec = Codec.OPUS
    layer = Layer.HIGH

    def __init__(self, microphone: MicrophoneSlot, settings: OpusSettings = DEFAULT_SETTINGS) -> None:
        self._microphone = microphone
        self._settings = settings
        self._loss = ExpectedLoss()
        self._lock = threading.Lock()
        self._fanout = Fanout()
        self._worker: _Worker | None = None
        self._last_worker: _Worker | None = None
        self._last_capture_time = float("-inf")

    def subscribe(
        self, peer: str, sink: EncodedSink, known: NetworkReport | None = None
    ) -> Callable[[], None]:
        subscription = Subscription(peer, sink)
        with self._lock:
            self._fanout.add(subscription)
            if self._worker is None:
                self._worker = _Worker(self, self._last_worker)
                self._worker.start()

        def leave() -> None:
            self._leave(subscription)

        return leave

    def request_key_frame(self, peer: str) -> None:
        """Of no meaning: every packet can be decoded by itself."""

    def report(self, peer: str, report: NetworkReport) -> None:
        """The loss is followed by the error correction.

        The rate is not: speech is the last thing a narrow way should lose.
        """
        if report.fraction_lost is not None:
            with self._lock:
                if self._fanout.has(peer):
                    self._loss.report(peer, report.fraction_lost)

    def wait_stopped(self, timeout_s: float | None = None) -> bool:
        """Block until the encoder thread has ended after the last subscriber left; for the shutdown."""
        worker = self._last_worker
        return worker is None or worker.wait_ended(timeout_s)

    def _leave(self, subscription: Subscription) -> None:
        with self._lock:
            if not self._fanout.remove(subscription):
                return
            if not self._fanout.has(subscription.peer):
                self._loss.forget(subscription.peer)
            if len(self._fanout) == 0 and self._worker is not None:
                self._worker.stop()
                self._last_worker, self._worker = self._worker, None


class _Worker:
    """One life of the encoder thread."""

    def __init__(self, stream: AudioEncodedStream, predecessor: "_Worker | None") -> None:
        self._stream = stream
        self._predecessor = predecessor
        self._changed = threading.Condition()
        self._needed = round(stream._settings.packet_s / FRAME_S)
        self._waiting: deque[AudioFrame] = deque(maxlen=self._needed + round(_QUEUE_S / FRAME_S))
        self._stopped = False
        self._unsubscribe: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="encoder:opus", daemon=True)

    def start(self) -> None:
        self._unsubscribe = self._stream._microphone.subscribe(self)
        self._thread.start()

    def stop(self) -> None:
        self._unsubscribe()
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def wait_ended(self, timeout_s: float | None) -> bool:
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def put(self, frame: AudioFrame) -> None:
        """From the microphone slot; the oldest sound is dropped when the encoder is behind."""
        with self._changed:
            self._waiting.append(frame)
            if len(self._waiting) >= self._needed:
                self._changed.notify_all()

    def _run(self) -> None:
        label_thread()
        if self._predecessor is not None:
            self._predecessor.wait_ended(None)
            self._predecessor = None
        encoder: OpusEncoder | None = None
        while (frames := self._next()) is not None:
            try:
                encoder = encoder or OpusEncoder(self._stream._settings)
                encoder.expected_loss_percent = self._stream._loss.percent
                packet = encoder.encode(np.concatenate([np.frombuffer(f.samples, np.int16) for f in frames]))
            except OpusError as error:
                log.warning("%s; trying again in %.0f s", error, _RETRY_S)
                encoder = None
                with self._changed:
                    self._changed.wait_for(lambda: self._stopped, _RETRY_S)
                continue
            captured = self._timeline(frames[0].capture_time)
            if packet is not None:
                self._stream._fanout.give(EncodedFrame(Codec.OPUS, Layer.HIGH, True, captured, packet))
        if encoder is not None:
            encoder.close()

    def _next(self) -> list[AudioFrame] | None:
        """What makes a packet."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or len(self._waiting) >= self._needed)
            if self._stopped:
                return None
            return [self._waiting.popleft() for _ in range(self._needed)]

    def _timeline(self, capture_time: float) -> float:
        stream = self._stream
        expected = stream._last_capture_time + stream._settings.packet_s
        # Capture times tremble with the scheduler, and a receiver would hear that; samples do not.
        if abs(capture_time - expected) > _TIMELINE_TOLERANCE_S:
            expected = max(expected, capture_time)
        stream._last_capture_time = expected
        return expected
