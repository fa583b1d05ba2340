# SPDX-License-Identifier: GPL-3.0-or-later
"""Many sounds into one: every remote voice, and the sounds of the kiosk itself."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from callagent.devices.resampling import MonoResampler
from callagent.media.level import LevelMeter
from callagent.media.limiter import Limiter
from callagent.media.sound import FRAME_SAMPLES, RATE_HZ, SILENCE, Samples
from callagent.ports import AudioFrame

MAX_BUFFER_S = 0.06
"""An input that holds more drops its oldest sound."""
_START_S = 0.02
"""An input that ran dry waits for so much before it sounds again."""


class Voice(Protocol):
    """One thing that sounds in the mix."""

    def take(self) -> Samples | None:
        """The next 480 samples; None for silence. Called on the speaker's thread, must not block."""
        ...


class MixerInput:
    """An `AudioSink` in front of the mixer: takes any rate and channel count, from any thread."""

    def __init__(self, mixer: "Mixer", name: str) -> None:
        self._mixer = mixer
        self._name = name
        self._lock = threading.Lock()
        self._resampler: MonoResampler | None = None
        self._chunks: deque[Samples] = deque()
        self._buffered = 0
        self._running = False
        self.dropped = 0
        """Samples thrown away because too many waited."""
        self.underruns = 0
        """How often the input ran dry while it sounded."""

    @property
    def name(self) -> str:
        return self._name

    @property
    def buffered_s(self) -> float:
        """Seconds of sound waiting."""
        return self._buffered / RATE_HZ

    def put(self, frame: AudioFrame) -> None:
        with self._lock:
            resampler = self._resampler
            if resampler is None or not resampler.fits(frame.rate_hz, frame.channels):
                resampler = self._resampler = MonoResampler(frame.rate_hz, frame.channels)
            samples = resampler.convert(np.frombuffer(frame.samples, np.int16))
            if len(samples):
                self._chunks.append(samples)
                self._buffered += len(samples)
            self._drop_oldest()

    def take(self) -> Samples | None:
        with self._lock:
            if not self._running and self._buffered < _START_S * RATE_HZ:
                return None
            self._running = self._buffered >= FRAME_SAMPLES
            if not self._running:
                self.underruns += 1
                return None
            return self._cut(FRAME_SAMPLES)

    def close(self) -> None:
        """Leave the mixer. Idempotent."""
        self._mixer.detach(self)

    def _drop_oldest(self) -> None:
        excess = self._buffered - int(MAX_BUFFER_S * RATE_HZ)
        if excess > 0:
            self.dropped += excess
            self._cut(excess)

    def _cut(self, count: int) -> Samples:
        """Take the oldest `count` samples out of the chunks."""
        parts: list[Samples] = []
        self._buffered -= count
        while count > 0:
            chunk = self._chunks.popleft()
            if len(chunk) > count:
                self._chunks.appendleft(chunk[count:])
                chunk = chunk[:count]
            parts.append(chunk)
            count -= len(chunk)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


@dataclass(slots=True)
class _Place:
    """One voice's place in the mix."""

    gain: float
    follows_volume: bool
    meter: LevelMeter = field(default_factory=LevelMeter)


class Mixer:
    """Sums its inputs, 10 ms at a time, and turns down a sum that is too loud. Thread-safe.

    Only one thread at a time may `pull`.
    """

    def __init__(self, on_voice: Callable[[], None] = lambda: None) -> None:
        """`on_voice` is called after a voice was attached, on whichever thread did it."""
        self._lock = threading.Lock()
        self._voices: dict[Voice, _Place] = {}
        self._volume = 100
        self._limiter = Limiter()
        self._on_voice = on_voice

    @property
    def empty(self) -> bool:
        """Whether no voice is in the mix, sounding or not."""
        return not self._voices

    @property
    def volume(self) -> int:
        """0 to 100, for the inputs that follow it."""
        return self._volume

    @volume.setter
    def volume(self, volume: int) -> None:
        self._volume = max(0, min(100, volume))

    def add(self, name: str, gain: float = 1.0, follows_volume: bool = True) -> MixerInput:
        """A new input that sounds until its `close`. `gain` is a factor, 1.0 leaves it as it is."""
        entry = MixerInput(self, name)
        self.attach(entry, gain, follows_volume)
        return entry

    def attach(self, voice: Voice, gain: float = 1.0, follows_volume: bool = True) -> None:
        """Let a voice sound; of one that sounds already, set the gain."""
        with self._lock:
            place = self._voices.setdefault(voice, _Place(gain, follows_volume))
            place.gain, place.follows_volume = gain, follows_volume
        self._on_voice()

    def detach(self, voice: Voice) -> None:
        """Let a voice sound no more, from the next 10 ms on. Idempotent."""
        with self._lock:
            self._voices.pop(voice, None)

    def level(self, voice: Voice) -> int:
        """How loud a voice comes in, 0 to 100, before gain and volume; 0 when it is not in the mix."""
        with self._lock:
            place = self._voices.get(voice)
        return 0 if place is None else place.meter.level

    def pull(self) -> memoryview:
        """The next 480 samples of the mix (format 'h', mono, 48 kHz)."""
        with self._lock:
            voices = list(self._voices.items())
        sounding: list[tuple[Samples, float]] = []
        for voice, place in voices:
            samples = voice.take()
            place.meter.add(samples)
            if samples is not None:
                # Loudness is heard logarithmically; the square comes near enough to it.
                factor = place.gain * (self._volume / 100) ** 2 if place.follows_volume else place.gain
                sounding.append((samples, factor))
        return self._mixed(sounding).data if sounding else SILENCE

    def _mixed(self, sounding: list[tuple[Samples, float]]) -> Samples:
        first, factor = sounding[0]
        fits = self._limiter.idle and sum(factor for _, factor in sounding) <= 1.0
        if fits and len(sounding) == 1 and factor == 1.0:
            return first
        mix: NDArray[np.float32] = first * np.float32(factor)
        for samples, factor in sounding[1:]:
            mix += samples * np.float32(factor)
        if not fits:
            return self._limiter.limit(mix)
        np.rint(mix, out=mix)
        rounded: Samples = mix.astype(np.int16)
        return rounded
