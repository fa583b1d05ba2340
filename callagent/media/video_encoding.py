# SPDX-License-Identifier: GPL-3.0-or-later
"""One encoder after the other: opened, watched while it is called, looked at, replaced when it fails."""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import av

from callagent.media.encoders.base import (
    CLOCK_RATE,
    EncodedPayload,
    EncoderError,
    EncoderSettings,
    VideoEncoder,
)
from callagent.media.encoders.inspection import Inspector
from callagent.media.video_shared import Shared
from callagent.ports import Stage
from callagent.ports.trace import Drop

log = logging.getLogger(__name__)

_ATTEMPTS = 4
"""Encoders tried for one picture."""
_IN_FLIGHT = 16
OPENING_S = 3.0
"""An encoder that has not opened, or closed, by then hangs."""
HARDWARE_HANG_S, SOFTWARE_HANG_S = 0.5, 2.0
"""An encoder that has not returned by then, or ten pictures' time if that is longer, hangs.

Software hangs on nothing but the processor: on one that is busy it is only late.
"""


class Encoding:
    """For the worker's thread, but for `overdue` and `busy_with`, which any thread may ask."""

    def __init__(self, shared: Shared, stopped: Callable[[], bool]) -> None:
        """`stopped`: nothing is to be given any more."""
        self._shared = shared
        self._stopped = stopped
        self._clock = shared.clock
        self._encoder: VideoEncoder | None = None
        self._inspector: Inspector | None = None
        self._generation = -1
        self._retry_at = float("-inf")
        self._busy_until: float | None = None
        self._busy_with = ""
        self._last_pts = -1
        self._epoch: float | None = None
        self._in_flight: deque[tuple[int, float]] = deque(maxlen=_IN_FLIGHT)

    @property
    def busy_with(self) -> str:
        """Name of the encoder that was called last."""
        return self._busy_with

    def overdue(self, now: float) -> bool:
        """Whether an encoder was called and has not returned in time."""
        until = self._busy_until
        return until is not None and now > until

    def resting(self, now: float) -> bool:
        """No encoder could be had; there is no use in trying before a while has passed."""
        return now < self._retry_at

    def encode(
        self, picture: av.VideoFrame, capture_time: float, settings: EncoderSettings, camera_reason: str = ""
    ) -> None:
        """Encode an I420 picture of that size and give it to everybody.

        When the encoder fails, the next one gets the same picture. `camera_reason`: why what the camera has
        encoded itself is not sent, for the status.
        """
        for _ in range(_ATTEMPTS):
            if self._stopped():
                return
            try:
                payloads = self._encode_once(picture, capture_time, settings, camera_reason)
            except EncoderError as error:
                if self._encoder is None:
                    wait_s = self._shared.roster.wait_s(self._shared.codec)
                    self._retry_at = self._clock.now() + max(0.1, wait_s)
                    log.warning("%s", error)
                    return
                self._shared.roster.failed(self._encoder.traits.name, str(error))
                self.drop()
            else:
                self._give(payloads)
                return

    def drop(self) -> None:
        """Close the encoder. Idempotent."""
        encoder, self._encoder, self._inspector = self._encoder, None, None
        if encoder is not None:
            with self._watched(encoder.traits.name, OPENING_S):
                encoder.close()

    def _encode_once(
        self, picture: av.VideoFrame, capture_time: float, settings: EncoderSettings, camera_reason: str
    ) -> list[EncodedPayload]:
        """Raises EncoderError; with `_encoder` None when there is none to be had."""
        encoder, inspector = self._ready(settings, camera_reason)
        now = self._clock.now()
        force_key, _, target_bps = self._shared.wishes(now)
        if force_key:
            self._shared.asked_for_key(now)
        picture.pts = self._pts(capture_time)
        self._in_flight.append((picture.pts, capture_time))
        with self._watched(encoder.traits.name, _budget_s(encoder)):
            encoder.target_bps = target_bps
            payloads = encoder.encode(picture, force_key)
        if self._shared.tracer.on:
            self._shared.tracer.took(Stage.ENCODED, self._clock.now() - now)
            if not payloads:
                self._shared.tracer.dropped(Drop.SKIPPED)
        inspector.look(payloads, force_key)
        return payloads

    def _ready(self, settings: EncoderSettings, camera_reason: str) -> tuple[VideoEncoder, Inspector]:
        shared, roster = self._shared, self._shared.roster
        encoder, inspector = self._encoder, self._inspector
        if encoder is not None and inspector is not None and encoder.settings == settings:
            if self._generation == roster.generation:
                return encoder, inspector
            # A probe has ended since: what was not known then may be the better one.
            self._generation = roster.generation
            if roster.best(shared.codec, settings) == encoder.traits.name:
                return encoder, inspector
        self.drop()
        self._generation = roster.generation
        with self._watched(roster.best(shared.codec, settings) or "", OPENING_S):
            start_bps = shared.wishes(self._clock.now())[2]
            encoder = self._encoder = roster.open(shared.codec, replace(settings, start_bps=start_bps))
        if self._stopped():
            raise EncoderError("it opened too late")
        inspector = self._inspector = Inspector(shared.codec, settings, encoder.traits.delay_pictures)
        self._in_flight.clear()
        refused = roster.refusals(shared.codec, settings)
        shared.tell(
            encoder.traits.name,
            settings,
            hardware=encoder.traits.hardware,
            refused=({"camera": camera_reason} if camera_reason else {}) | refused,
        )
        return encoder, inspector

    def _give(self, payloads: list[EncodedPayload]) -> None:
        for payload in payloads:
            capture_time = self._captured(payload.pts)
            if self._stopped() or capture_time is None:
                return
            self._shared.give(payload.key, capture_time, payload.payload)

    def _captured(self, pts: int) -> float | None:
        """When the picture was captured that comes out of the encoder."""
        while len(self._in_flight) > 1 and self._in_flight[1][0] <= pts:
            self._in_flight.popleft()
        return self._in_flight.popleft()[1] if self._in_flight else None

    def _pts(self, capture_time: float) -> int:
        if self._epoch is None:
            self._epoch = capture_time
        self._last_pts = max(self._last_pts + 1, round((capture_time - self._epoch) * CLOCK_RATE))
        return self._last_pts

    @contextmanager
    def _watched(self, name: str, budget_s: float) -> Iterator[None]:
        """From here on the encoder has so much time."""
        self._busy_with, self._busy_until = name, self._clock.now() + budget_s
        try:
            yield
        finally:
            self._busy_until = None


def _budget_s(encoder: VideoEncoder) -> float:
    least = HARDWARE_HANG_S if encoder.traits.hardware else SOFTWARE_HANG_S
    return max(least, 10 / encoder.settings.fps)
