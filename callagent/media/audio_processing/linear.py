# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the echo that follows from the far end: an adaptive model of the room, subtracted.

WebRTC's canceller alone is deaf in double talk: it trusts its own model of the room to some 6 dB
and suppresses the rest, the near end with it. What reaches it through this one
holds so little echo that it lets the near end pass. Before the model is good it gets the
microphone as it is: of a half cancelled echo it would take the rest for somebody talking.
"""

import numpy as np
from numpy.typing import NDArray

from callagent.media.audio_processing.contract import Wave
from callagent.media.sound import FRAME_S, FRAME_SAMPLES

PARTITIONS = 20
"""Of 10 ms: how much of the room's reverberation is modelled."""
MAX_SKIP = 50
_BINS = FRAME_SAMPLES + 1
_FORGETTING = np.float32(0.9995**2)
"""The room's own change from one stretch to the next, squared transition factor."""
_START_VARIANCE = 0.3
_START_DECAY_DB = 1.0
"""Per partition: rooms answer late ever more quietly."""
_LEAD_S = 0.02
"""How far into the model the direct sound is put: so much may the delay be wrong to the short side."""
_MATCH_KEPT = 0.95
_MATCH_LEAST = 0.3
_MATCH_SHARE = 0.1
_SETTLING_FRAMES = 50
_GOOD = 10 ** (4 / 10)
"""Well over half of the echo: more makes the near end wait for its share after every change."""
_GOOD_KEPT = 0.98
_LOUD = (32768 * 10 ** (-50 / 20)) ** 2 * FRAME_SAMPLES

Spectra = NDArray[np.complex64]


class LinearCanceller:
    """A partitioned-block Kalman filter in the frequency domain. Not thread-safe.

    Source: F. Kuech, E. Mabande, G. Enzner, "State-space architecture of the
    partitioned-block-based acoustic echo controller", ICASSP 2014. Its step size follows from
    the uncertainty of the model and the power of the near end, so that it
    needs no double-talk detector. Adds no delay.
    """

    def __init__(self) -> None:
        self._skip = 0
        count = PARTITIONS + MAX_SKIP
        # Spectra of the far end, each kept twice so that any run of them is one slice, newest first.
        self._spectra = np.zeros((2 * count, _BINS), np.complex64)
        self._count = count
        self._newest = 0
        self._last_far = np.zeros(FRAME_SAMPLES, np.float32)
        self.resets = 0
        """How often the room was found to be another one."""
        self._model: Spectra
        self._variance: NDArray[np.float32]
        self._near_power: NDArray[np.float32]
        self._settled = 0
        self._expected_power = self._heard_power = self._common_power = 0.0
        self._good = False
        self._before = self._after = 0.0
        self._forget()

    @property
    def modelled_delay_s(self) -> float:
        """Where the model begins, after the far end."""
        return self._skip * FRAME_S

    def set_delay(self, delay_s: float) -> bool:
        """The echo's direct sound comes so much after the far end; True when the model begins anew."""
        skip = max(0, min(MAX_SKIP, int((delay_s - _LEAD_S) / FRAME_S)))
        if skip == self._skip:
            return False
        self._skip = skip
        self._forget()
        return True

    def reset(self) -> None:
        """Forget the room, and what the far end said."""
        self._spectra[:] = 0
        self._last_far[:] = 0
        self._forget()

    def cancel(self, far: Wave, microphone: Wave) -> Wave:
        """480 samples each; returns the microphone's, without the modelled echo once the model is good."""
        far_spectra = self._take_far(far)
        echo = self._transform_back((far_spectra * self._model).sum(0))
        rest = microphone - echo
        self._adapt(far_spectra, rest)
        if self._is_another_room(microphone, echo):
            self.resets += 1
            self._forget()
        return rest if self._is_good(far, microphone, rest) else microphone

    def _take_far(self, far: Wave) -> Spectra:
        self._newest = (self._newest - 1) % self._count
        spectrum = np.fft.rfft(np.concatenate((self._last_far, far)))
        self._spectra[self._newest] = self._spectra[self._newest + self._count] = spectrum
        self._last_far = far
        start = self._newest + self._skip
        return self._spectra[start : start + PARTITIONS]

    @staticmethod
    def _transform_back(spectrum: Spectra) -> Wave:
        return np.fft.irfft(spectrum)[FRAME_SAMPLES:].astype(np.float32)

    def _adapt(self, far: Spectra, rest: Wave) -> None:
        padded = np.concatenate((np.zeros(FRAME_SAMPLES, np.float32), rest))
        error = np.fft.rfft(padded).astype(np.complex64)
        self._near_power = np.float32(0.5) * (self._near_power + _power(error))
        far_power = _power(far)
        expected = np.float32(0.5) * (far_power * self._variance).sum(0) + self._near_power + np.float32(1)
        step = self._variance / expected
        change = np.fft.irfft(step * far.conj() * error)
        # A block's model may not reach into the next one's time.
        change[:, FRAME_SAMPLES:] = 0
        self._model += np.fft.rfft(change).astype(np.complex64)
        self._variance *= _FORGETTING * (1 - np.float32(0.5) * step * far_power)
        self._variance += (1 - _FORGETTING) * _power(self._model)

    def _is_another_room(self, microphone: Wave, echo: Wave) -> bool:
        """Whether the echo expected is not in what the microphone hears: devices or their delay changed."""
        self._settled += 1
        self._expected_power = _MATCH_KEPT * self._expected_power + float(echo @ echo)
        self._heard_power = _MATCH_KEPT * self._heard_power + float(microphone @ microphone)
        self._common_power = _MATCH_KEPT * self._common_power + float(microphone @ echo)
        telling = self._expected_power > _MATCH_SHARE * self._heard_power + FRAME_SAMPLES
        strange = self._common_power < _MATCH_LEAST * self._expected_power
        return self._settled > _SETTLING_FRAMES and telling and strange

    def _is_good(self, far: Wave, microphone: Wave, rest: Wave) -> bool:
        """Whether it has once taken away 4 dB while the far end talked; holds until it begins anew."""
        if not self._good and float(far @ far) > _LOUD:
            self._before = _GOOD_KEPT * self._before + float(microphone @ microphone)
            self._after = _GOOD_KEPT * self._after + float(rest @ rest)
            self._good = self._before > _GOOD * (self._after + FRAME_SAMPLES)
        return self._good

    def _forget(self) -> None:
        self._model = np.zeros((PARTITIONS, _BINS), np.complex64)
        decay = 10 ** (-_START_DECAY_DB / 10 * np.arange(PARTITIONS, dtype=np.float32))
        self._variance = np.repeat((_START_VARIANCE * decay)[:, None], _BINS, axis=1).astype(np.float32)
        self._near_power = np.zeros(_BINS, np.float32)
        self._settled = 0
        self._expected_power = self._heard_power = self._common_power = 0.0
        self._good = False
        self._before = self._after = 0.0


def _power(spectra: Spectra) -> NDArray[np.float32]:
    return spectra.real**2 + spectra.imag**2
