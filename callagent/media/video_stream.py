# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera's pictures, encoded once for everybody who takes this codec and layer."""

import logging
import threading
from collections.abc import Callable

from callagent.media.camera_slot import CameraSlot
from callagent.media.encoders import EncodedPayload, EncoderSettings, VideoEncoder, Vp8Encoder, X264Encoder
from callagent.media.encoders.base import CLOCK_RATE, EncoderError
from callagent.media.fanout import Fanout, KeyRequests, Subscription
from callagent.media.pixels import PictureConverter, PictureError
from callagent.media.rate_control import SharedRate
from callagent.media.rotation import Turner, upright
from callagent.media.video_settings import VideoSettings
from callagent.ports import (
    Clock,
    Codec,
    EncodedFrame,
    EncodedSink,
    Layer,
    MonotonicClock,
    NetworkReport,
    VideoFrame,
)

log = logging.getLogger(__name__)

_RETRY_S = 1.0

EncoderFactory = Callable[[EncoderSettings], VideoEncoder]

SOFTWARE_ENCODERS: dict[Codec, EncoderFactory] = {Codec.H264: X264Encoder, Codec.VP8: Vp8Encoder}


class VideoEncodedStream:
    """A `ports.EncodedStream`: its encoder thread lives from the first subscriber to the last.

    Always encodes the newest picture; one that comes while another is encoded
    replaces the one waiting. A picture of another size (another camera) opens the
    encoder anew and so begins with a key frame. While the camera is off nothing comes.
    """

    def __init__(
        self,
        codec: Codec,
        layer: Layer,
        camera: CameraSlot,
        settings: VideoSettings,
        *,
        encoder_factory: EncoderFactory | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`settings` are those of this layer. Raises ValueError for a codec that is none of video."""
        factory = encoder_factory or SOFTWARE_ENCODERS.get(codec)
        if factory is None:
            raise ValueError(f"{codec} is no video codec")
        self._codec, self._layer = codec, layer
        self._camera, self._settings = camera, settings
        self._factory = factory
        self._clock = clock or MonotonicClock()
        self._lock = threading.Lock()
        self._fanout = Fanout()
        self._keys = KeyRequests()
        self._rate = SharedRate(settings.bitrate_bps)
        self._worker: _Worker | None = None
        self._last_worker: _Worker | None = None

    @property
    def codec(self) -> Codec:
        return self._codec

    @property
    def layer(self) -> Layer:
        return self._layer

    @property
    def target_bps(self) -> int:
        """The rate the encoder is to follow now."""
        with self._lock:
            return self._rate.target_bps

    def subscribe(self, peer: str, sink: EncodedSink) -> Callable[[], None]:
        subscription = Subscription(peer, sink)
        with self._lock:
            self._fanout.add(subscription)
            self._keys.request()
            if self._worker is None:
                self._worker = _Worker(self)
                self._worker.start()

        def leave() -> None:
            self._leave(subscription)

        return leave

    def request_key_frame(self, peer: str) -> None:
        with self._lock:
            self._keys.request()

    def report(self, peer: str, report: NetworkReport) -> None:
        with self._lock:
            if self._fanout.has(peer):
                self._rate.report(peer, report)

    def wait_stopped(self, timeout_s: float | None = None) -> bool:
        """Block until the encoder thread has ended after the last subscriber left; for the shutdown."""
        worker = self._last_worker
        return worker is None or worker.wait_ended(timeout_s)

    def _leave(self, subscription: Subscription) -> None:
        with self._lock:
            if not self._fanout.remove(subscription):
                return
            if not self._fanout.has(subscription.peer):
                self._rate.forget(subscription.peer)
            if len(self._fanout) == 0 and self._worker is not None:
                self._worker.stop()
                self._last_worker, self._worker = self._worker, None


class _Worker:
    """One life of the encoder thread."""

    def __init__(self, stream: VideoEncodedStream) -> None:
        self._stream = stream
        self._clock = stream._clock
        self._changed = threading.Condition()
        self._newest: VideoFrame | None = None
        self._stopped = False
        self._encoder: VideoEncoder | None = None
        self._retry_at = float("-inf")
        self._converter = PictureConverter()
        self._turner = Turner()
        self._due = float("-inf")
        self._last_pts = -1
        self._epoch: float | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        name = f"encoder:{stream.codec.value}:{stream.layer.value}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._unsubscribe = self._stream._camera.subscribe(self)
        self._thread.start()

    def stop(self) -> None:
        self._unsubscribe()
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def wait_ended(self, timeout_s: float | None) -> bool:
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def put(self, frame: VideoFrame) -> None:
        """From the camera slot: the newest picture replaces one still waiting."""
        with self._changed:
            self._newest = frame
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while (frame := self._next()) is not None:
                if self._keeps_pace(frame):
                    self._encode(frame)
        finally:
            self._drop_encoder()

    def _next(self) -> VideoFrame | None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._newest is not None)
            frame, self._newest = self._newest, None
            return None if self._stopped else frame

    def _keeps_pace(self, frame: VideoFrame) -> bool:
        """Thin out a camera that gives more pictures a second than are wanted."""
        interval = 1.0 / self._stream._settings.fps
        if frame.capture_time < self._due - interval / 4:
            return False
        self._due = max(self._due, frame.capture_time - interval / 2) + interval
        return True

    def _encode(self, frame: VideoFrame) -> None:
        stream, now = self._stream, self._clock.now()
        if now < self._retry_at:
            return
        with stream._lock:
            force_key, target_bps = stream._keys.due(now), stream._rate.target_bps
        try:
            payloads = self._encode_picture(frame, force_key, target_bps)
        except PictureError as error:
            log.debug("a picture of the camera was left out: %s", error)
            return
        except EncoderError as error:
            log.warning("%s; trying again in %.0f s", error, _RETRY_S)
            self._drop_encoder()
            self._retry_at = now + _RETRY_S
            return
        for payload in payloads:
            if self._stopped:
                return
            if payload.key:
                with stream._lock:
                    stream._keys.made(now)
            stream._fanout.give(
                EncodedFrame(stream.codec, stream.layer, payload.key, frame.capture_time, payload.payload)
            )

    def _encode_picture(self, frame: VideoFrame, force_key: bool, target_bps: int) -> list[EncodedPayload]:
        picture = self._converter.decode(frame)
        settings = self._stream._settings.encoder(*upright(picture.width, picture.height, frame.rotation))
        encoder = self._encoder
        if encoder is None or encoder.settings != settings:
            self._drop_encoder()
            encoder = self._encoder = self._stream._factory(settings)
        encoder.target_bps = target_bps
        # Scaled first: turning then copies the smaller picture.
        size = upright(settings.width, settings.height, frame.rotation)
        picture = self._turner.turn(self._converter.convert(picture, *size), frame.rotation)
        picture.pts = self._pts(frame.capture_time)
        return encoder.encode(picture, force_key)

    def _pts(self, capture_time: float) -> int:
        if self._epoch is None:
            self._epoch = capture_time
        self._last_pts = max(self._last_pts + 1, round((capture_time - self._epoch) * CLOCK_RATE))
        return self._last_pts

    def _drop_encoder(self) -> None:
        if self._encoder is not None:
            self._encoder.close()
            self._encoder = None
