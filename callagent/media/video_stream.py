# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera's pictures, encoded once for everybody who takes this codec and layer."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from callagent.media.camera_slot import CameraSlot
from callagent.media.encoders.roster import EncoderRoster
from callagent.media.fanout import Subscription
from callagent.media.video_settings import VideoOrientation, VideoSettings
from callagent.media.video_shared import Shared
from callagent.media.video_worker import VideoWorker
from callagent.ports import (
    UNTRACED,
    Clock,
    Codec,
    EncodedSink,
    Layer,
    MonotonicClock,
    NetworkReport,
    Tracer,
)

log = logging.getLogger(__name__)

VIDEO_CODECS = frozenset({Codec.H264, Codec.VP8})


class VideoEncodedStream:
    """A `ports.EncodedStream`: its encoder thread lives from the first subscriber to the last.

    Always encodes the newest picture; one that comes while another is encoded
    replaces the one waiting. A picture of another size (another camera, another
    orientation) opens the encoder anew and so begins with a key frame: both codecs carry
    the size in it, nothing is negotiated. A picture keeps its shape (`VideoSettings`):
    bars are put around one that does not lie as wanted. While the camera is off nothing comes.

    An encoder that fails, or gives what it should not, is replaced by the next of the roster with
    the same picture; one that does not return is left behind together with its thread. What an H.264
    camera has encoded itself goes out as it is where nothing stands against it (`PassThrough`).
    """

    def __init__(
        self,
        codec: Codec,
        layer: Layer,
        camera: CameraSlot,
        settings: VideoSettings,
        *,
        encoders: EncoderRoster | None = None,
        passthrough: bool = False,
        clock: Clock | None = None,
        tracer: Tracer = UNTRACED,
    ) -> None:
        """`settings` are those of this layer. Raises ValueError for a codec that is none of video."""
        if codec not in VIDEO_CODECS:
            raise ValueError(f"{codec} is no video codec")
        clock = clock or MonotonicClock()
        roster = encoders or EncoderRoster(clock=clock)
        self._shared = Shared(codec, layer, settings, camera, roster, clock, passthrough, tracer)
        self._worker: VideoWorker | None = None
        self._last_worker: VideoWorker | None = None

    @property
    def codec(self) -> Codec:
        return self._shared.codec

    @property
    def layer(self) -> Layer:
        return self._shared.layer

    @property
    def target_bps(self) -> int:
        """The rate the encoder is to follow now."""
        with self._shared.lock:
            return self._shared.rate.target_bps

    @property
    def orientation(self) -> VideoOrientation:
        """How the sent picture lies; may be set at any time, by any thread."""
        return self._shared.settings.orientation

    @orientation.setter
    def orientation(self, orientation: VideoOrientation) -> None:
        self._shared.settings = self._shared.settings.turned(orientation)

    @property
    def details(self) -> dict[str, Any]:
        """For the status: `encoder`, `size`, `hardware`, `target_bps`, `refused`; empty while unused."""
        if self._worker is None or not self._shared.in_use:
            return {}
        return self._shared.in_use | {"target_bps": self.target_bps}

    def subscribe(
        self, peer: str, sink: EncodedSink, known: NetworkReport | None = None
    ) -> Callable[[], None]:
        shared, subscription = self._shared, Subscription(peer, sink)
        with shared.lock:
            shared.fanout.add(subscription)
            shared.keys.join(peer)
            if known is not None:
                shared.rate.report(peer, known)
            begins = self._worker is None
            if begins:
                shared.in_use = {}
                self._worker = VideoWorker(shared, self._hangs)
                self._worker.start()

        def leave() -> None:
            self._leave(subscription)

        return leave

    def request_key_frame(self, peer: str) -> None:
        with self._shared.lock:
            if self._shared.fanout.has(peer):
                self._shared.keys.request(peer)

    def report(self, peer: str, report: NetworkReport) -> None:
        with self._shared.lock:
            if self._shared.fanout.has(peer):
                self._shared.rate.report(peer, report)

    def wait_stopped(self, timeout_s: float | None = None) -> bool:
        """Block until the encoder thread has ended after the last subscriber left; for the shutdown.

        A thread that was abandoned is not waited for.
        """
        worker = self._last_worker
        return worker is None or worker.wait_ended(timeout_s)

    def _leave(self, subscription: Subscription) -> None:
        shared = self._shared
        with shared.lock:
            if not shared.fanout.remove(subscription):
                return
            if not shared.fanout.has(subscription.peer):
                shared.rate.forget(subscription.peer)
                shared.keys.leave(subscription.peer)
            if len(shared.fanout) == 0 and self._worker is not None:
                self._worker.stop()
                self._last_worker, self._worker = self._worker, None

    def _hangs(self, worker: VideoWorker) -> None:
        """On the camera's thread, which holds the slot's lock: the stream's may not be taken here."""
        name = f"encoder-replacement:{self.codec.value}:{self.layer.value}"
        threading.Thread(target=self._replace, args=(worker,), name=name, daemon=True).start()

    def _replace(self, worker: VideoWorker) -> None:
        if worker.busy_with:
            self._shared.roster.failed(worker.busy_with, "it does not return")
        with self._shared.lock:
            if self._worker is not worker:
                return
            worker.stop()
            self._shared.roster.abandoned += 1
            self._shared.keys.join("")
            self._worker = VideoWorker(self._shared, self._hangs)
            self._worker.start()
