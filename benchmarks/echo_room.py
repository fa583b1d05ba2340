# SPDX-License-Identifier: GPL-3.0-or-later
"""A synthetic room with a speaker, a microphone and somebody in it, in simulated time.

Nothing is recorded: voices are noise shaped by formants and pulsing at a pitch, rooms are
exponentially decaying noise. Everything follows from the seed.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from callagent.media.audio_processing.chain import ProcessingChain
from callagent.media.audio_processing.far_end import FarEnd
from callagent.media.sound import FRAME_S, FRAME_SAMPLES, RATE_HZ

Signal = NDArray[np.float64]
"""Mono, 48 kHz, 1.0 is full scale."""

VOICE_DB = -26.0
"""Of a voice, root mean square over its time (ITU-T P.56's usual level)."""
NOISE_DB = -75.0
ACOUSTIC_S = 0.004
DEVICES_S = 0.05
"""From the pull to the card's output and from its input to the thread: not told to the processing."""
_DIRECT_SHARE = 0.7
"""The reverberation's amplitude over the direct sound's."""
_BANDS_HZ = (100, 500, 1000, 2000, 4000, 8000)
_AUDIBLE = 1e-3


@dataclass(frozen=True, slots=True)
class Scene:
    """What happens in the room."""

    room_s: float
    """Until the room's answer has decayed by 60 dB."""
    seconds: float = 12.0
    seed: int = 1
    near_from_s: float | None = None
    """From here on somebody talks at the near end, as loud as the echo, without a pause of his own."""
    drift_ppm: float = 0.0
    """By how much the speaker's clock runs faster than the microphone's."""
    jump_at_s: float | None = None
    jump_by_s: float = 0.06
    jitter_s: float = 0.0003
    """Mean lateness of each thread, exponentially distributed."""
    return_loss_db: float = 6.0
    far_talks: bool = True
    vowels: bool = False
    """The far end holds pure vowels: harmonics without noise, the hardest voice for a canceller."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What was heard and sent, on the microphone's clock; `sent` is moved back by its delay."""

    microphone: Signal
    near: Signal
    sent: Signal
    figures: dict[str, float | int | str]

    def erle_db(self, from_s: float, to_s: float) -> float:
        """Echo return loss enhancement by energy over that time, while nobody talks at the near end."""
        part = slice(round(from_s * RATE_HZ), round(to_s * RATE_HZ))
        return _db(self.microphone[part]) - _db(self.sent[part])

    def lasting_erle_db(self, from_s: float) -> float:
        """The smallest ERLE of any second from here on."""
        last = int(len(self.sent) / RATE_HZ - from_s)
        return min(self.erle_db(from_s + second, from_s + second + 1) for second in range(last))

    def seconds_until(self, erle_db: float, from_s: float) -> float:
        """How long after `from_s` every half second has so much ERLE."""
        halves = int(2 * (len(self.sent) / RATE_HZ - from_s)) - 1
        poor = [
            half
            for half in range(halves)
            if self.erle_db(from_s + half / 2, from_s + half / 2 + 0.5) < erle_db
        ]
        return (poor[-1] + 1) / 2 if poor else 0.0

    def near_gains(self, from_s: float) -> tuple[Signal, Signal]:
        """What became of the near end: gain and energy in five bands of windows of 100 ms.

        What is sent is projected on the clean near end, so that echo and noise do not count.
        """
        count = round(0.1 * RATE_HZ)
        window = np.hanning(count)
        gains, energies = [], []
        for start in range(round(from_s * RATE_HZ), len(self.near) - 2 * count, count):
            clean = np.fft.rfft(window * self.near[start : start + count])
            sent = np.fft.rfft(window * self.sent[start : start + count])
            for low, high in pairwise(_BANDS_HZ):
                band = slice(low * count // RATE_HZ, high * count // RATE_HZ)
                energies.append(float(np.sum(np.abs(clean[band]) ** 2)))
                gains.append(abs(np.sum(sent[band] * clean[band].conj())) / (energies[-1] + 1e-12))
        return np.array(gains), np.array(energies)


def near_attenuation_db(double_talk: Recording, alone: Recording, from_s: float) -> tuple[float, float]:
    """What the near end loses by the far end's talk: over all by energy, and the median of all bands.

    `alone` is the same near end without a far end: gain control raises both alike.
    """
    gain, energy = double_talk.near_gains(from_s)
    usual, _ = alone.near_gains(from_s)
    audible = energy > _AUDIBLE * energy.max()
    overall = np.sum(gain * energy) / np.sum(usual * energy)
    median = np.median(gain[audible] / usual[audible])
    return -20 * float(np.log10(overall)), -20 * float(np.log10(median))


def play(scene: Scene, chain: ProcessingChain, far_end: FarEnd) -> Recording:
    """Let the scene happen: the speaker's thread and the microphone's, each at its own pace."""
    chance = np.random.default_rng(scene.seed)
    count = round(scene.seconds * RATE_HZ)
    far = (vowels if scene.vowels else voice)(scene.seed, scene.seconds + 1)
    echo = _echo(scene, far)[:count]
    near = np.zeros(count)
    if scene.near_from_s is not None:
        start = round(scene.near_from_s * RATE_HZ)
        near[start:] = voice(scene.seed + 1000, scene.seconds)[: count - start]
        near *= 10 ** ((_db(echo[start:]) - _db(near[start:])) / 20)
    microphone = echo * scene.far_talks + near + chance.standard_normal(count) * 10 ** (NOISE_DB / 20)
    pulls = np.arange(len(far) // FRAME_SAMPLES) * FRAME_S / (1 + scene.drift_ppm * 1e-6)
    pulls += chance.exponential(scene.jitter_s, len(pulls))
    played, heard = _samples(far * scene.far_talks), _samples(microphone)
    sent = np.zeros(count)
    pulled = 0
    for frame in range(count // FRAME_SAMPLES):
        now = (frame + 1) * FRAME_S + chance.exponential(scene.jitter_s)
        while pulls[pulled] <= now:
            stretch = played[pulled * FRAME_SAMPLES : (pulled + 1) * FRAME_SAMPLES]
            far_end.put(stretch.data, float(pulls[pulled]))
            pulled += 1
        place = slice(frame * FRAME_SAMPLES, (frame + 1) * FRAME_SAMPLES)
        chain.far_end(far_end.take(now))
        sent[place] = chain.capture(heard[place]) / 32768
    figures = chain.figures() | {"drift_ppm": far_end.drift_ppm, "slips": far_end.slips}
    return Recording(microphone, near, np.roll(sent, -round(chain.latency_s * RATE_HZ)), figures)


def voice(seed: int, seconds: float) -> Signal:
    """Syllables of noise shaped by four formants, pulsing at a pitch; every fifth a fricative; pauses."""
    chance = np.random.default_rng(seed)
    out = np.zeros(round((seconds + 1) * RATE_HZ))
    pitch_hz = chance.uniform(100, 220)
    place = RATE_HZ // 50
    while place < seconds * RATE_HZ:
        count = round(chance.uniform(0.12, 0.3) * RATE_HZ)
        hertz = np.fft.rfftfreq(count, 1 / RATE_HZ)
        if chance.random() < 0.2:
            shape = 1 / (1 + ((hertz - chance.uniform(4000, 7000)) / 2000) ** 2)
            pulse, loudness = np.ones(count), 0.3
        else:
            shape, loudness = _formants(chance, hertz), 1.0
            glide = 1 + chance.uniform(-0.2, 0.2) + chance.uniform(-0.3, 0.3) * np.linspace(0, 1, count)
            pulse = (0.55 + 0.45 * np.cos(2 * np.pi * np.cumsum(pitch_hz * glide) / RATE_HZ)) ** 3
        rumble = np.minimum(1, (hertz / 120) ** 2)
        sound = np.fft.irfft(np.fft.rfft(chance.standard_normal(count)) * shape * rumble, count)
        place += _say(out, place, sound * pulse, loudness, chance)
    return _levelled(out[: round(seconds * RATE_HZ)])


def vowels(seed: int, seconds: float) -> Signal:
    """As `voice`, with pure harmonics of a gliding pitch in place of noise."""
    chance = np.random.default_rng(seed)
    out = np.zeros(round((seconds + 1) * RATE_HZ))
    pitch_hz = chance.uniform(100, 220)
    place = RATE_HZ // 50
    while place < seconds * RATE_HZ:
        count = round(chance.uniform(0.12, 0.3) * RATE_HZ)
        harmonics = np.arange(1, int(9000 / pitch_hz))
        levels = _formants(chance, harmonics * pitch_hz) + 0.003
        glide = 1 + chance.uniform(-0.2, 0.2) + chance.uniform(-0.3, 0.3) * np.linspace(0, 1, count)
        phase = 2 * np.pi * np.cumsum(pitch_hz * glide) / RATE_HZ
        starts = chance.uniform(0, 2 * np.pi, len(harmonics))
        sound = np.zeros(count)
        for harmonic, level, start in zip(harmonics, levels, starts, strict=True):
            sound += level * np.sin(harmonic * phase + start)
        place += _say(out, place, sound, 1.0, chance)
    return _levelled(out[: round(seconds * RATE_HZ)])


def _formants(chance: np.random.Generator, hertz: NDArray[np.floating]) -> Signal:
    formants = ((300, 800, 90, 1.0), (900, 2300, 120, 0.6), (2300, 3200, 180, 0.35), (3300, 4500, 250, 0.2))
    return np.asarray(
        sum(
            level / (1 + ((hertz - chance.uniform(low, high)) / width) ** 2)
            for low, high, width, level in formants
        )
    )


def _say(out: Signal, place: int, sound: Signal, loudness: float, chance: np.random.Generator) -> int:
    """Add one syllable; returns how far it is to the next."""
    count = min(len(sound), len(out) - place)
    rounded = sound * np.sin(np.pi * np.arange(len(sound)) / len(sound)) ** 0.6
    rounded *= loudness * chance.uniform(0.4, 1) / np.sqrt(np.mean(rounded**2))
    out[place : place + count] += rounded[:count]
    pause = chance.uniform(0.1, 0.4) * RATE_HZ if chance.random() < 0.1 else 0.0
    return int(0.9 * len(sound) + pause)


def _levelled(sound: Signal) -> Signal:
    return np.clip(sound * 10 ** ((VOICE_DB - _db(sound)) / 20), -1, 1)


def _echo(scene: Scene, far: Signal) -> Signal:
    """What the microphone hears of the far end, on its own clock."""
    chance = np.random.default_rng(scene.seed + 2000)
    tail = round(scene.room_s * RATE_HZ)
    answer = chance.standard_normal(tail) * 10 ** (-3 * np.arange(tail) / tail)
    answer *= _DIRECT_SHARE / np.sqrt(np.sum(answer**2))
    answer[0] += 1
    answer *= 10 ** (-scene.return_loss_db / 20) / np.sqrt(np.sum(answer**2))
    size = 1 << (len(far) + tail).bit_length()
    echo = np.fft.irfft(np.fft.rfft(far, size) * np.fft.rfft(answer, size), size)[: len(far)]
    delayed = _delayed(echo, DEVICES_S + ACOUSTIC_S)
    if scene.jump_at_s is not None:
        jump = round(scene.jump_at_s * RATE_HZ)
        later = _delayed(echo, DEVICES_S + ACOUSTIC_S + scene.jump_by_s)
        delayed = np.concatenate((delayed[:jump], later[jump:]))
    return _clocked(delayed, 1 + scene.drift_ppm * 1e-6)


def _delayed(sound: Signal, seconds: float) -> Signal:
    return np.concatenate((np.zeros(round(seconds * RATE_HZ)), sound))[: len(sound)]


def _clocked(sound: Signal, ratio: float) -> Signal:
    """The sound at places `ratio` apart: band-limited to four times the rate, then cubic (Catmull-Rom)."""
    if ratio == 1.0:
        return sound
    dense = np.zeros(2 * len(sound) + 1, complex)
    spectrum = np.fft.rfft(sound)
    dense[: len(spectrum)] = spectrum
    upsampled = 4 * np.fft.irfft(dense, 4 * len(sound))
    places = np.arange(int(len(sound) / ratio) - 4) * ratio * 4
    whole = places.astype(int)
    part = places - whole
    a, b, c, d = (upsampled[np.clip(whole + shift, 0, len(upsampled) - 1)] for shift in (-1, 0, 1, 2))
    return np.asarray(
        b + 0.5 * part * (c - a + part * (2 * a - 5 * b + 4 * c - d + part * (3 * (b - c) + d - a)))
    )


def _samples(sound: Signal) -> NDArray[np.int16]:
    return np.clip(np.rint(sound * 32768), -32768, 32767).astype(np.int16)


def _db(sound: Signal) -> float:
    return float(10 * np.log10(np.mean(sound**2) + 1e-15))
