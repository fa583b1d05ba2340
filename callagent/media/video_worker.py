# SPDX-License-Identifier: GPL-3.0-or-later
"""The thread between the camera's pictures and a stream's encoded frames."""

import logging
import threading
from collections.abc import Callable

import av

from callagent.devices.threads import label_thread
from callagent.media.adaptation import Adaptation
from callagent.media.encoders.base import EncoderSettings
from callagent.media.encoders.registry import CAMERA
from callagent.media.fanout import KEY_INTERVAL_S
from callagent.media.h264 import BitstreamError, opening
from callagent.media.passthrough import PassThrough
from callagent.media.pixels import PictureConverter, PictureError
from callagent.media.rotation import Turner, upright
from callagent.media.video_encoding import Encoding
from callagent.media.video_inbox import Inbox
from callagent.media.video_settings import VideoSettings
from callagent.media.video_shared import Shared
from callagent.ports import Codec, Drop, PixelFormat, Stage, VideoFrame

log = logging.getLogger(__name__)


class VideoWorker:
    """One life of the encoder thread.

    It is the camera's thread that notices when an encoder does not return, with the next picture it
    brings: it calls `hangs` once, and this thread is then abandoned, never waited for.
    """

    def __init__(self, shared: Shared, hangs: Callable[["VideoWorker"], None]) -> None:
        self._shared = shared
        self._hangs = hangs
        self._clock = shared.clock
        self._inbox = Inbox()
        self._encoding = Encoding(shared, lambda: self._inbox.stopped)
        wanted = shared.settings
        self._adaptation = Adaptation(wanted.priority, wanted.width, wanted.fps, wanted.bitrate_bps)
        self._hung = False
        self._put_at: float | None = None
        self._picked_at = 0.0
        self._converter = PictureConverter()
        self._turner = Turner()
        self._pass: PassThrough | None = None
        self._due = self._ask_at = float("-inf")
        self._unsubscribe: Callable[[], None] = lambda: None
        name = f"encoder:{shared.codec.value}:{shared.layer.value}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def busy_with(self) -> str:
        """Name of the encoder that was called last."""
        return self._encoding.busy_with

    def start(self) -> None:
        self._unsubscribe = self._shared.camera.subscribe(self)
        self._thread.start()

    def stop(self) -> None:
        self._unsubscribe()
        self._inbox.stop()

    def wait_ended(self, timeout_s: float | None) -> bool:
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def put(self, frame: VideoFrame) -> None:
        """From the camera slot, on its thread."""
        tracer, outpaced = self._shared.tracer, self._inbox.outpaced
        if tracer.on:
            self._put_at = self._clock.now()
            tracer.took(Stage.CAPTURED, self._put_at - frame.capture_time)
        if not self._inbox.put(frame):
            self._shared.camera.request_key_frame()
        if tracer.on and self._inbox.outpaced > outpaced:
            tracer.dropped(Drop.OUTPACED)
        if not self._hung and self._encoding.overdue(self._clock.now()):
            self._hung = True
            self._hangs(self)

    def _run(self) -> None:
        label_thread()
        try:
            while (frame := self._inbox.next()) is not None:
                self._picked_at = self._clock.now()
                if self._shared.tracer.on and self._put_at is not None:
                    self._shared.tracer.took(Stage.PICKED, self._picked_at - self._put_at)
                if frame.format is PixelFormat.H264:
                    self._take_coded(frame)
                else:
                    self._pass = None
                    self._take_raw(frame)
        finally:
            self._encoding.drop()

    def _take_raw(self, frame: VideoFrame) -> None:
        if not self._is_due(frame):
            if self._shared.tracer.on:
                self._shared.tracer.dropped(Drop.THINNED)
            return
        picture = self._decoded(frame)
        if picture is not None:
            self._encode(picture, frame)

    def _take_undecoded(self, frames: tuple[VideoFrame, ...]) -> None:
        """The camera's H.264: every picture is decoded, whether it is wanted or not; the last is encoded."""
        picture = None
        for frame in frames:
            picture = self._decoded(frame)
        if picture is None:
            self._shared.camera.request_key_frame()
        elif self._is_due(frames[-1]):
            self._encode(picture, frames[-1])

    def _decoded(self, frame: VideoFrame) -> av.VideoFrame | None:
        try:
            return self._converter.decode(frame)
        except PictureError as error:
            log.debug("a picture of the camera was left out: %s", error)
            return None

    def _is_due(self, frame: VideoFrame) -> bool:
        """Thin out a camera that gives more pictures a second than are wanted."""
        interval = 1.0 / self._settings.fps
        if self._encoding.resting(self._clock.now()) or frame.capture_time < self._due - interval / 4:
            return False
        self._due = max(self._due, frame.capture_time - interval / 2) + interval
        return True

    @property
    def _settings(self) -> VideoSettings:
        """What the site wants, as far as the ways carry it."""
        return self._shared.settings.reduced(self._adaptation.quality)

    def _encode(self, picture: av.VideoFrame, frame: VideoFrame) -> None:
        now = self._clock.now()
        self._adaptation.update(self._shared.wishes(now)[2], now)
        placement = self._settings.place(*upright(picture.width, picture.height, frame.rotation))
        settings = placement.encoder
        # Scaled first: turning then copies the smaller picture.
        picture = self._converter.convert(picture, *upright(*placement.picture, frame.rotation))
        picture = self._turner.turn(picture, frame.rotation, (settings.width, settings.height))
        if self._shared.tracer.on:
            self._shared.tracer.took(Stage.PREPARED, self._clock.now() - self._picked_at)
        reason = self._pass.reason if self._pass is not None else ""
        self._encoding.encode(picture, frame.capture_time, settings, reason)

    def _take_coded(self, frame: VideoFrame) -> None:
        """What the camera has encoded itself: as it is, or to be decoded."""
        shared, now = self._shared, self._clock.now()
        try:
            seen = opening(frame.planes[0].data)
        except BitstreamError as error:
            log.debug("a picture of the camera was left out: %s", error)
            shared.camera.request_key_frame()
            return
        if self._pass is None:
            self._pass = PassThrough(shared.settings.fps)
        due, wanted, target_bps = shared.wishes(now)
        route = self._pass.take(
            frame, seen, misfit=self._misfit(frame), key_wanted=wanted, target_bps=target_bps, now=now
        )
        if (due and not route.decode and not route.key) or (self._pass.wants_key and now >= self._ask_at):
            self._ask_at = now + KEY_INTERVAL_S
            shared.asked_for_key(now)
            shared.camera.request_key_frame()
        if route.payload is not None:
            self._encoding.drop()
            if shared.in_use.get("encoder") != CAMERA:
                size = EncoderSettings(frame.width, frame.height, shared.settings.fps, target_bps)
                shared.tell(CAMERA, size, hardware=True)
            if not self._inbox.stopped:
                shared.give(route.key, frame.capture_time, route.payload)
        elif route.decode:
            self._take_undecoded(route.decode)

    def _misfit(self, frame: VideoFrame) -> str:
        """Why this picture could not be sent as the camera gives it, whatever is in it."""
        shared = self._shared
        if not shared.passthrough:
            return "it is switched off"
        if shared.codec is not Codec.H264:
            return f"{shared.codec} is wanted"
        if frame.rotation:
            return f"the picture is to be turned by {frame.rotation} degrees"
        encoder = shared.settings.place(frame.width, frame.height).encoder
        if (encoder.width, encoder.height) != (frame.width, frame.height):
            return f"{encoder.width}x{encoder.height} is wanted"
        return ""
