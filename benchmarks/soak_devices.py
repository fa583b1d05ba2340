# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound cards of the soak: a microphone that gives a pulse a second, a speaker that notes hearing one."""

import threading
from collections import deque

import numpy as np

from callagent.devices.errors import MIC_OCCUPY, SPEAKER_FAIL
from callagent.devices.virtual.faults import VirtualDevice
from callagent.media.sound import FRAME_S, FRAME_SAMPLES, RATE_HZ
from callagent.ports import AudioFrame, AudioPull, AudioSink, MonotonicClock

_PULSE_FRAMES = 2
_PERIOD_FRAMES = 100
_TONE_HZ = 1000.0
_LEVEL, _HEARD = 12_000, 3_000
_QUIET_FRAMES = 30
_KEPT = 64
_LONGEST_S = 0.8


class _Card(VirtualDevice):
    """Wakes every 10 ms of a quartz of its own; the machine's clock says when that was."""

    def __init__(self, name: str, code: int, ppm: float) -> None:
        super().__init__(name, code)
        self._period_s = FRAME_S / (1 + ppm / 1e6)
        self._clock = MonotonicClock()

    def _start(self) -> None:
        self._begin()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        due = self._clock.now()
        while not self._stop.wait(max(0.0, due - self._clock.now())):
            self._life.live()
            self._tick(due)
            due += self._period_s

    def _tick(self, due: float) -> None:
        """10 ms of sound that began, by this card's quartz, at `due` on the monotonic clock."""
        raise NotImplementedError


class Pulses(_Card):
    """A `ports.AudioSource`: 20 ms of a tone every second of its own quartz, silence between."""

    def __init__(self, ppm: float) -> None:
        super().__init__("pulses", MIC_OCCUPY, ppm)
        self.given: deque[float] = deque(maxlen=_KEPT)
        """When each pulse began."""
        self._sink: AudioSink | None = None
        self._count = 0
        times = np.arange(FRAME_SAMPLES * _PULSE_FRAMES) / RATE_HZ
        tone = _LEVEL * np.sin(2 * np.pi * _TONE_HZ * times)
        self._frames = [part.copy() for part in np.split(tone.astype(np.int16), _PULSE_FRAMES)]
        self._silence = np.zeros(FRAME_SAMPLES, np.int16)

    def open(self, sink: AudioSink) -> None:
        self._sink = sink
        self._start()

    def _tick(self, due: float) -> None:
        place, self._count = self._count % _PERIOD_FRAMES, self._count + 1
        if place == 0:
            self.given.append(due)
        samples = self._frames[place] if place < _PULSE_FRAMES else self._silence
        assert self._sink is not None
        self._sink.put(AudioFrame(samples.data, RATE_HZ, 1, due))


class Ear(_Card):
    """A `ports.AudioOutput` that pulls by its own quartz."""

    def __init__(self, ppm: float) -> None:
        super().__init__("ear", SPEAKER_FAIL, ppm)
        self.heard: deque[float] = deque(maxlen=_KEPT)
        """When each pulse began, after a pause."""
        self._pull: AudioPull | None = None
        self._quiet = 0

    def open(self, pull: AudioPull) -> None:
        self._pull = pull
        self._start()

    def latencies_s(self, pulses: Pulses) -> list[float]:
        """Of the pulses heard last, each against the last one given before it."""
        given, found = list(pulses.given), []
        for heard in list(self.heard)[-5:]:
            before = [moment for moment in given if heard - _LONGEST_S < moment <= heard]
            if before:
                found.append(heard - before[-1])
        return found

    def _tick(self, due: float) -> None:
        assert self._pull is not None
        loud = np.flatnonzero(np.abs(np.frombuffer(self._pull(), np.int16)) > _HEARD)
        if not len(loud):
            self._quiet += 1
            return
        if self._quiet >= _QUIET_FRAMES:
            self.heard.append(due + int(loud[0]) / RATE_HZ)
        self._quiet = 0
