# SPDX-License-Identifier: GPL-3.0-or-later
"""H.264 in software: libx264, constrained baseline, one picture in and one out."""

import logging
import time
from collections.abc import Mapping

import av
from av.video.codeccontext import VideoCodecContext

from callagent.media.encoders.base import EncodedPayload, EncoderSettings
from callagent.media.encoders.ffmpeg import NEARLY_FULL, NO_OPTIONS, FfmpegVideoEncoder
from callagent.ports import Clock, Codec

log = logging.getLogger(__name__)

_PRESETS = ("veryfast", "superfast", "ultrafast")
_BUSY = 0.4
"""Share of a frame's time an encoder may take before the next faster preset is used."""
_SMOOTHING = 0.05
_BUFFER_S = 0.5
"""Of the VBV: a picture in the middle of a call, a key frame for instance, takes no longer on its way."""
_FIRST_S = 0.2
"""The same of the first picture, which somebody waits for."""
_HEADROOM = 1.15
"""The rate the codec is opened for, of the target at that moment: it will grow."""
_LEAST, _MOST = 0.65, 1.1
"""What the target may be of the rate the codec was opened for."""


class X264Encoder(FfmpegVideoEncoder):
    """Annex B access units that any WebRTC receiver decodes (RFC 7742: constrained baseline).

    Starts with preset veryfast; when encoding takes too much of a frame's time, goes
    on with a faster preset. The rate is lowered, and raised again up to what the codec was opened for,
    in the running codec: FFmpeg hands a changed bit_rate to x264_encoder_reconfig. That works only for a
    codec that was opened with a maximum of no more than its rate; any other keeps the rate it had.
    The VBV's size, which limits single pictures, stays: a target far from it opens the codec anew.
    """

    codec = Codec.H264
    library = "libx264"
    rate_in_place = True

    def __init__(
        self,
        settings: EncoderSettings,
        options: Mapping[str, str] = NO_OPTIONS,
        *,
        clock: Clock | None = None,
    ) -> None:
        # A preset that was asked for stays.
        self._presets = (options["preset"],) if "preset" in options else _PRESETS
        self._preset = 0
        self._spent_s = 0.0
        super().__init__(settings, options, clock=clock)

    @property
    def preset(self) -> str:
        """The x264 preset in use or, until the codec is opened anew, chosen."""
        return self._presets[self._preset]

    def encode(self, frame: av.VideoFrame, force_key: bool = False) -> list[EncodedPayload]:
        started = time.perf_counter()
        payloads = super().encode(frame, force_key)
        self._spent_s += _SMOOTHING * (time.perf_counter() - started - self._spent_s)
        return payloads

    def _options(self, bitrate_bps: int) -> dict[str, str]:
        buffer = _BUFFER_S * bitrate_bps
        return {
            "preset": self.preset,
            "tune": "zerolatency",
            "profile": "baseline",
            "forced-idr": "1",
            "maxrate": str(bitrate_bps),
            "bufsize": str(round(buffer)),
            "x264-params": "keyint=infinite:scenecut=0:repeat-headers=1:annexb=1"
            f":vbv-init={_FIRST_S * self._target_bps / buffer:.3f}",
        }

    def _opening_bps(self) -> int:
        full_bps = self._settings.bitrate_bps
        nearly_full = self._target_bps >= NEARLY_FULL * full_bps
        return full_bps if nearly_full else round(_HEADROOM * self._target_bps)

    def _must_reopen(self) -> bool:
        if self._spent_s * self._settings.fps > _BUSY and self._preset + 1 < len(self._presets):
            self._preset += 1
            self._spent_s = 0.0
            log.info("x264 is too slow for %d fps: preset %s", self._settings.fps, self.preset)
            return True
        return not _LEAST * self._opened_bps <= self._target_bps <= _MOST * self._opened_bps

    def _adapt(self, context: VideoCodecContext) -> None:
        wanted = min(self._target_bps, self._opened_bps)
        if context.bit_rate != wanted:
            context.bit_rate = wanted
