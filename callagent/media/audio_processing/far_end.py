# SPDX-License-Identifier: GPL-3.0-or-later
"""What the speaker plays, on its way to the echo canceller: from the speaker's clock to the microphone's."""

import threading

import numpy as np

from callagent.media.audio_processing.contract import Wave
from callagent.media.audio_processing.drift import ClockDrift
from callagent.media.sound import FRAME_S, FRAME_SAMPLES, RATE_HZ

TARGET_S = 0.025
"""How much waits on average: a stretch on its way out, and the lateness of a busy machine's threads.

More would put the far end after its echo where a card has a short buffer; a card that pulls more
than 20 ms at once leaves holes in the far end.
"""
_KEPT_SAMPLES = RATE_HZ
_TAPS = 16
_PHASES = 1024
_TOLERANCE_S = 0.015
"""The level may be so far off; more is an overrun or a pause, once it lasts."""
_OFF_FRAMES = 10
_SMOOTHING = 0.02
_STEER_S = 60.0
_STEER_BAND_S = 0.002
_MOST_STEER = 20e-6
_ABSENT_S = 0.1

_SILENCE = np.zeros(FRAME_SAMPLES, np.float32)


def _interpolators() -> Wave:
    """A Kaiser-windowed sinc for each of 1024 positions between two samples: (phases, taps)."""
    offsets = np.arange(_TAPS) - (_TAPS // 2 - 1)
    positions = offsets[None, :] - np.arange(_PHASES)[:, None] / _PHASES
    window = np.i0(8.0 * np.sqrt(np.maximum(0.0, 1 - (positions / (_TAPS / 2)) ** 2))) / np.i0(8.0)
    return (np.sinc(positions) * window).astype(np.float32)


_INTERPOLATORS = _interpolators()


class FarEnd:
    """A bounded queue that never blocks: the speaker's thread puts, the processing thread takes.

    For every stretch of the microphone one is taken, resampled by the drift between the two
    clocks, so that an echo keeps its distance. Puts nobody takes overwrite the oldest.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Each sample twice, so that any stretch is one slice.
        self._ring = np.zeros(2 * _KEPT_SAMPLES, np.float32)
        self._written = 0
        self._put_at = float("-inf")
        self._taken_frames = 0
        self._position = 0.0
        self._reading = False
        self._level_s = TARGET_S
        self._off_frames = 0
        self._drift = ClockDrift()
        self.slips = 0
        """How often the distance had to be made anew: sound was lost on one side."""

    @property
    def drift_ppm(self) -> float:
        """By how much the speaker's clock runs faster than the microphone's."""
        return (self._drift.ratio - 1.0) * 1e6

    @property
    def level_s(self) -> float:
        """How much waits, smoothed."""
        return self._level_s

    def put(self, samples: memoryview, now: float) -> None:
        """480 samples that go to the speaker's card `now` (monotonic seconds)."""
        stretch = np.frombuffer(samples, np.int16)
        with self._lock:
            start = self._written % _KEPT_SAMPLES
            self._ring[start : start + FRAME_SAMPLES] = stretch
            self._ring[start + _KEPT_SAMPLES : start + _KEPT_SAMPLES + FRAME_SAMPLES] = stretch
            self._written += FRAME_SAMPLES
            self._put_at = now

    def restart(self) -> None:
        """Another microphone or speaker: other clocks, another distance."""
        with self._lock:
            self._reading = False
            self._drift = ClockDrift()

    def take(self, now: float) -> Wave:
        """The next 480 samples on the microphone's clock; zeros while no speaker plays."""
        with self._lock:
            if now - self._put_at > _ABSENT_S:
                self._reading = False
                return _SILENCE
            written = self._written + min(now - self._put_at, 2 * FRAME_S) * RATE_HZ
            self._watch(written)
            ratio, position = self._ratio(), self._position
            self._position += ratio * FRAME_SAMPLES
            return self._read(position, ratio)

    def _watch(self, written: float) -> None:
        """Follow the level; begin anew when it is off for good. Lock held."""
        level = (written - self._position) / RATE_HZ
        off = abs(level - TARGET_S) > _TOLERANCE_S
        self._off_frames = self._off_frames + 1 if off else 0
        if not self._reading or self._off_frames >= _OFF_FRAMES:
            self.slips += self._reading
            self._position = float(round(written - TARGET_S * RATE_HZ))
            self._reading, self._off_frames = True, 0
            self._level_s = TARGET_S
            self._taken_frames = 0
            self._drift.restart()
        elif not off:
            self._level_s += _SMOOTHING * (level - self._level_s)
        self._taken_frames += 1
        if not off:
            self._drift.observe(written / RATE_HZ - self._taken_frames * FRAME_S, FRAME_S)

    def _ratio(self) -> float:
        """The drift, and a little more or less while the level is not the wanted one."""
        excess = self._level_s - TARGET_S
        if abs(excess) < _STEER_BAND_S:
            return self._drift.ratio
        return self._drift.ratio + max(-_MOST_STEER, min(_MOST_STEER, excess / _STEER_S))

    def _read(self, position: float, ratio: float) -> Wave:
        """480 samples from `position` on; what is not there yet, or no more, is silent. Lock held."""
        places = position + ratio * np.arange(FRAME_SAMPLES)
        whole = np.floor(places)
        first = int(whole[0]) - (_TAPS // 2 - 1)
        last = int(whole[-1]) + _TAPS // 2 + 1
        if first < max(0, self._written - _KEPT_SAMPLES) or first < 0:
            return _SILENCE
        start = first % _KEPT_SAMPLES
        samples = self._ring[start : start + last - first]
        if last > self._written:
            samples = samples.copy()
            samples[max(0, self._written - first) :] = 0.0
        if ratio == 1.0 and places[0] == whole[0]:
            return samples[_TAPS // 2 - 1 :][:FRAME_SAMPLES].copy()
        phases = ((places - whole) * _PHASES).astype(np.intp)
        windows = np.lib.stride_tricks.sliding_window_view(samples, _TAPS)
        chosen = windows[(whole - whole[0]).astype(np.intp)]
        return np.asarray(np.einsum("ij,ij->i", chosen, _INTERPOLATORS[phases]), np.float32)
