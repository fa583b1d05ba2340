# SPDX-License-Identifier: GPL-3.0-or-later
"""A microphone made of software: a pure tone, or something with the rhythm of speech."""

import threading

import numpy as np
from numpy.typing import NDArray

from callagent.devices.errors import MIC_OCCUPY
from callagent.devices.virtual.faults import VirtualDevice
from callagent.ports import AudioFrame, AudioSink, Clock, MonotonicClock

RATE_HZ = 48_000
FRAME_SAMPLES = 480
_FRAME_S = FRAME_SAMPLES / RATE_HZ
_CATCH_UP_S = 0.1
_SPEECH_S = 4.0
_SYLLABLES_PER_S = 4.0


class VirtualMicrophone(VirtualDevice):
    """A `ports.AudioSource`: stretches of 10 ms, mono, 48 kHz, paced without drift.

    Like a card it gives those of a whole `period_ms` at once.

    `tone_hz` and `level_dbfs` (peak, 0 is full scale) give a phase-continuous sine.
    With `speech`, harmonics of a voice at syllable rate with pauses between the
    words instead, at the same peak level: what level meters, voice activity
    detection and echo cancellation want to be fed. Both may be changed while running.
    `hears_room` says that there is a room around it whose echo and noise are to be taken out.
    """

    def __init__(
        self,
        name: str = "virtual-microphone",
        tone_hz: float = 1000.0,
        level_dbfs: float = -20.0,
        speech: bool = False,
        *,
        hears_room: bool = False,
        period_ms: int = 10,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(name, MIC_OCCUPY)
        self.tone_hz = tone_hz
        self.level_dbfs = level_dbfs
        self.hears_room = hears_room
        self._speech = _speech_pattern() if speech else None
        self._phase, self._position = 0.0, 0
        self._stretches = period_ms * RATE_HZ // 1000 // FRAME_SAMPLES
        self._clock = clock or MonotonicClock()

    def open(self, sink: AudioSink) -> None:
        """Start giving sound. Raises SourceError when `occupied` is set."""
        self._begin()
        self._thread = threading.Thread(target=self._run, args=(sink,), name=self._name, daemon=True)
        self._thread.start()

    def _run(self, sink: AudioSink) -> None:
        due = self._clock.now()
        self._phase, self._position = 0.0, 0
        while not self._stop.wait(max(0.0, due - self._clock.now())):
            now = self._clock.now()
            if now - due > _CATCH_UP_S:
                due = now
            captured = due
            due += self._stretches * _FRAME_S
            if self._frozen.is_set():
                continue
            for number in range(self._stretches):
                samples = self._heard()
                self._life.live()
                if not self._stop.is_set():
                    sink.put(AudioFrame(samples.data, RATE_HZ, 1, captured + number * _FRAME_S))

    def _heard(self) -> NDArray[np.int16]:
        """The next 480 samples."""
        if self._speech is None:
            wave, self._phase = _tone(self.tone_hz, self._phase)
        else:
            wave = self._speech[self._position : self._position + FRAME_SAMPLES]
            self._position = (self._position + FRAME_SAMPLES) % len(self._speech)
        return (wave * (32767 * 10 ** (self.level_dbfs / 20))).astype(np.int16)


def _tone(frequency_hz: float, phase: float) -> tuple[NDArray[np.float64], float]:
    """480 samples of a sine of amplitude 1 from `phase` (radians) on, and the phase after them."""
    step = 2 * np.pi * frequency_hz / RATE_HZ
    wave = np.sin(phase + step * np.arange(FRAME_SAMPLES))
    return wave, float((phase + step * FRAME_SAMPLES) % (2 * np.pi))


def _speech_pattern() -> NDArray[np.float64]:
    """Four seconds that loop seamlessly: syllables of a gliding voice, every fourth left out."""
    time = np.arange(int(_SPEECH_S * RATE_HZ)) / RATE_HZ
    pitch_hz = 140 + 20 * np.sin(2 * np.pi * 0.5 * time)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    voice = np.zeros_like(time)
    for harmonic in range(1, 16):
        voice += np.sin(harmonic * phase) / harmonic
    envelope = np.sin(np.pi * _SYLLABLES_PER_S * time) ** 2
    envelope[(time * _SYLLABLES_PER_S).astype(int) % 4 == 3] = 0.0
    wave = voice * envelope
    return np.asarray(wave / np.abs(wave).max())
