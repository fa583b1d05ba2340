# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stream of encoded video and the thread behind it both know."""

import logging
import threading
from dataclasses import dataclass, field
from typing import Any

from callagent.media.camera_slot import CameraSlot
from callagent.media.encoders.base import EncoderSettings
from callagent.media.encoders.roster import EncoderRoster
from callagent.media.fanout import Fanout, KeyRequests
from callagent.media.rate_control import SharedRate
from callagent.media.video_settings import VideoSettings
from callagent.ports import UNTRACED, Clock, Codec, EncodedFrame, Layer, Tracer

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Shared:
    """What a stream and its worker both know; `keys`, `rate` and `fanout` change under the lock."""

    codec: Codec
    layer: Layer
    settings: VideoSettings
    camera: CameraSlot
    roster: EncoderRoster
    clock: Clock
    passthrough: bool
    tracer: Tracer = UNTRACED
    lock: threading.Lock = field(default_factory=threading.Lock)
    fanout: Fanout = field(default_factory=Fanout)
    keys: KeyRequests = field(default_factory=KeyRequests)
    rate: SharedRate = field(init=False)
    in_use: dict[str, Any] = field(default_factory=dict)
    """For the status: which encoder, of what size."""

    def __post_init__(self) -> None:
        self.rate = SharedRate(self.settings.bitrate_bps)

    def wishes(self, now: float) -> tuple[bool, bool, int]:
        """Whether the next picture has to be a key frame, whether anybody waits for one, and the rate."""
        with self.lock:
            return self.keys.due(now, len(self.fanout)), self.keys.wanted, self.rate.target_bps

    def asked_for_key(self, now: float) -> None:
        with self.lock:
            self.keys.asked(now)

    def give(self, key: bool, capture_time: float, payload: memoryview) -> None:
        if key:
            with self.lock:
                self.keys.made(self.clock.now())
        self.fanout.give(EncodedFrame(self.codec, self.layer, key, capture_time, payload))

    def tell(
        self, name: str, settings: EncoderSettings, *, hardware: bool, refused: dict[str, str] | None = None
    ) -> None:
        """Another encoder is in use: for the status and the journal."""
        size = f"{settings.width}x{settings.height}@{settings.fps}"
        log.info("video %s %s: %s encodes %s", self.codec, self.layer, name, size)
        in_use: dict[str, Any] = {"encoder": name, "size": size, "hardware": hardware}
        self.in_use = in_use | ({"refused": refused} if refused else {})
