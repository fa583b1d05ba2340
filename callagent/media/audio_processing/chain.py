# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the processing, one after the other, as far as they are there and wanted."""

import numpy as np

from callagent.media.audio_processing.contract import Wave
from callagent.media.audio_processing.delay import DelayEstimator
from callagent.media.audio_processing.erle import EchoMeter
from callagent.media.audio_processing.half_duplex import Ducker
from callagent.media.audio_processing.linear import LinearCanceller
from callagent.media.audio_processing.residual import ResidualGate
from callagent.media.audio_processing.rnnoise import LATENCY_S as DENOISER_LATENCY_S
from callagent.media.audio_processing.rnnoise import RnNoise
from callagent.media.audio_processing.webrtc import WebRtcApm
from callagent.media.sound import FRAME_SAMPLES, Samples

_WRONG_S = 0.02
"""A delay that is off by more is set anew."""
_SILENCE = np.zeros(FRAME_SAMPLES, np.float32)


class ProcessingChain:
    """A `SoundProcessor`: canceller, WebRTC's module, neural denoiser, gate, ducker, each optional."""

    def __init__(
        self,
        *,
        linear: LinearCanceller | None = None,
        apm: WebRtcApm | None = None,
        denoiser: RnNoise | None = None,
        gate: ResidualGate | None = None,
        ducker: Ducker | None = None,
    ) -> None:
        self._linear = linear
        self._apm = apm
        self._denoiser = denoiser
        self._gate = gate
        self._ducker = ducker
        self._far = _SILENCE
        self._delay_s = 0.0
        self._estimator = DelayEstimator() if linear is not None else None
        self._meter = EchoMeter(self.latency_s)

    @property
    def name(self) -> str:
        if self._cancels:
            return "full duplex"
        return "half duplex" if self._ducker is not None else "no echo cancellation"

    @property
    def _cancels(self) -> bool:
        return self._linear is not None or (self._apm is not None and self._apm.cancels)

    @property
    def latency_s(self) -> float:
        apm = self._apm.latency_s if self._apm is not None else 0.0
        return apm + (DENOISER_LATENCY_S if self._denoiser is not None else 0.0)

    def set_delay_ms(self, delay_ms: int) -> None:
        """What the devices tell; what is heard overrules it."""
        if self._estimator is None or self._estimator.delay_s is None:
            self._set_delay(delay_ms / 1000)

    def reset(self) -> None:
        if self._apm is not None:
            self._apm.reset()
        if self._linear is not None:
            self._linear.reset()
        if self._estimator is not None:
            self._estimator.reset()
        if self._gate is not None:
            self._gate.reset()
        if self._ducker is not None:
            self._ducker.reset()
        self._meter.reset()

    def far_end(self, samples: Wave) -> None:
        self._far = samples

    def capture(self, samples: Samples) -> Samples:
        microphone = near = samples.astype(np.float32)
        if self._linear is not None:
            self._correct_delay(microphone)
            near = self._linear.cancel(self._far, near)
        if self._apm is not None:
            self._apm.far_end(self._far)
            near = self._apm.process(near, round(self._delay_s * 1000))
        if self._denoiser is not None:
            near = self._denoiser.process(near)
        if self._gate is not None:
            near = self._gate.attenuate(self._far, microphone, near)
        if self._ducker is not None:
            near = self._ducker.duck(self._far, near)
        self._meter.measure(self._far, microphone, near)
        return np.clip(np.rint(near), -32768, 32767).astype(np.int16)

    def figures(self) -> dict[str, float | int | str]:
        found: dict[str, float | int | str] = {"processing": self.name}
        if self._cancels or self._ducker is not None:
            found["delay_ms"] = round(self._delay_s * 1000)
            if (erle := self._meter.erle_db) is not None:
                found["erle_db"] = round(erle, 1)
        if self._linear is not None and self._linear.resets:
            found["echo_path_changes"] = self._linear.resets
        return found

    def _correct_delay(self, microphone: Wave) -> None:
        estimator = self._estimator
        if estimator is None or not estimator.observe(self._far, microphone):
            return
        heard = estimator.delay_s
        if heard is not None and abs(heard - self._delay_s) > _WRONG_S:
            self._set_delay(heard)

    def _set_delay(self, delay_s: float) -> None:
        self._delay_s = delay_s
        if self._linear is not None:
            self._linear.set_delay(delay_s)
        if self._ducker is not None:
            self._ducker.delay_s = delay_s
