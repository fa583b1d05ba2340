# SPDX-License-Identifier: GPL-3.0-or-later
"""WebRTC's audio processing module: residual echo, noise, gain and rumble."""

import importlib
import importlib.util
from typing import Any

import numpy as np

from callagent.media.audio_processing.contract import ProcessingError, Wave
from callagent.media.sound import FRAME_SAMPLES, RATE_HZ

_PACKAGE = "livekit.rtc"
_MAX_DELAY_MS = 500
_BANDS_SAMPLES = 46
_ECHO_SAMPLES = 430
_NOISE_SAMPLES = 288
"""Delay of its filter banks, of echo cancellation (bands included) and of noise suppression; measured."""


def installed() -> bool:
    """Whether the package is there; loads nothing of it."""
    try:
        return importlib.util.find_spec(_PACKAGE) is not None
    except ImportError:
        return False


class WebRtcApm:
    """`livekit.rtc.AudioProcessingModule`, which needs neither server nor network. Not thread-safe.

    The package is imported when the first one is made, which takes some 60 ms and 20 MB.
    It has wheels for x86-64 and aarch64 only. The noise suppression has one strength; what
    is above 15 kHz is lost, but for gain control alone.
    """

    def __init__(self, *, echo: bool, noise: bool, gain: bool, high_pass: bool) -> None:
        """Raises ProcessingError where the package is missing or does not work."""
        self._echo = echo
        self._options = {
            "echo_cancellation": echo,
            "noise_suppression": noise,
            "high_pass_filter": high_pass,
            "auto_gain_control": gain,
        }
        self.reset()
        split = _BANDS_SAMPLES if noise or high_pass else 0
        delay = (_ECHO_SAMPLES if echo else split) + (_NOISE_SAMPLES if noise else 0)
        self.latency_s = delay / RATE_HZ
        """How much later sound comes out than it went in."""

    def reset(self) -> None:
        """Forget room, noise and gain. Raises as the making does."""
        try:
            self._rtc: Any = importlib.import_module(_PACKAGE)
            self._apm: Any = self._rtc.AudioProcessingModule(**self._options)
        except (ImportError, OSError, RuntimeError, AttributeError) as error:
            raise ProcessingError(f"WebRTC's audio processing is not available ({error})") from error

    @property
    def cancels(self) -> bool:
        """Whether echo is cancelled, among other things."""
        return self._echo

    def far_end(self, samples: Wave) -> None:
        """480 samples of what the speaker plays."""
        if self._echo:
            self._run(self._apm.process_reverse_stream, samples)

    def process(self, samples: Wave, delay_ms: int) -> Wave:
        """480 samples; `delay_ms` as of `SoundProcessor.set_delay_ms`. Raises ProcessingError."""
        if self._echo:
            try:
                self._apm.set_stream_delay_ms(max(0, min(_MAX_DELAY_MS, delay_ms)))
            except RuntimeError as error:
                raise ProcessingError(f"WebRTC's audio processing failed: {error}") from error
        return self._run(self._apm.process_stream, samples)

    def _run(self, process: Any, samples: Wave) -> Wave:
        data = bytearray(np.clip(np.rint(samples), -32768, 32767).astype(np.int16).tobytes())
        try:
            process(self._rtc.AudioFrame(data, RATE_HZ, 1, FRAME_SAMPLES))
        except RuntimeError as error:
            raise ProcessingError(f"WebRTC's audio processing failed: {error}") from error
        return np.frombuffer(data, np.int16).astype(np.float32)
