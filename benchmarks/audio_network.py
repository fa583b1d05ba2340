# SPDX-License-Identifier: GPL-3.0-or-later
"""Speech through a bad network into the playout, in simulated time: delay, gaps, drift, as heard.

Both ends are real (encoder, playout, decoder); only the network and the two clocks are made up,
so half an hour takes half a minute and every run is the same.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Figure, Report
from benchmarks.speech import voice
from callagent.media.opus import DEFAULT_SETTINGS, OpusDecoder, OpusEncoder, SoundDecoder
from callagent.media.playout.audio_core import AudioPlayoutCore
from callagent.media.sound import FRAME_SAMPLES, RATE_HZ, Samples
from callagent.ports import ReceivedPacket

PACKET_SAMPLES = DEFAULT_SETTINGS.packet_samples
PACKET_S = DEFAULT_SETTINGS.packet_s
_WINDOW = RATE_HZ // 2
_QUIET = 0.03
_QUIET_BLOCK = 240


@dataclass(frozen=True, slots=True)
class Path:
    """What lies between two ends."""

    delay_s: float = 0.05
    jitter_s: float = 0.0
    """Each packet is late by up to this, or early, evenly distributed; packets overtake each other."""
    loss: float = 0.0
    burst: float = 1.0
    """Mean number of packets lost in a row."""
    duplicates: float = 0.0
    sender_ppm: float = 0.0
    """How much faster the sender's sound card runs than the listener's."""
    tremble_s: float = 0.0
    """Mean lateness of the speaker's thread."""
    seed: int = 1


@dataclass(slots=True)
class Heard:
    """What came out, and how it stood at every pull."""

    path: Path
    sound: Samples
    delay_s: NDArray[np.float64]
    """After the fastest packet, as the playout believes; 0 in silence."""
    target_s: NDArray[np.float64]
    core: AudioPlayoutCore
    cpu_s: float = field(default=0.0)


def arrivals(path: Path, count: int) -> list[tuple[float, int]]:
    """When which packet arrives; the sender sends the first when it has recorded it, at 20 ms."""
    random = np.random.default_rng(path.seed)
    sent = PACKET_S * (1 + np.arange(count)) / (1 + path.sender_ppm * 1e-6)
    arrived = sent + path.delay_s + random.uniform(-path.jitter_s, path.jitter_s, count)
    came = [number for number, lost in enumerate(losses(path, count, random)) if not lost]
    twice = [number for number in came if random.random() < path.duplicates]
    late = [(float(arrived[number] + random.uniform(0, 0.1)), number) for number in twice]
    return sorted([(float(arrived[number]), number) for number in came] + late)


def losses(path: Path, count: int, random: np.random.Generator) -> list[bool]:
    """Gilbert's two states: the share `loss` in all, `burst` in a row on average."""
    leave = 1 / path.burst
    enter = path.loss * leave / (1 - path.loss) if path.loss < 1 else 1.0
    lost, losing = [], False
    for draw in random.random(count):
        losing = draw >= leave if losing else draw < enter
        lost.append(losing)
    return lost


def listen(
    path: Path, seconds: float, payload: Callable[[int], bytes], decoder: SoundDecoder | None = None
) -> Heard:
    """Send `payload(number)` every 20 ms, pull 10 ms at a time."""
    core = AudioPlayoutCore(decoder or OpusDecoder())
    # To the end, also when the sender's clock is the faster one.
    waiting = arrivals(path, int(seconds / PACKET_S * (1 + abs(path.sender_ppm) * 1e-6)) + 1)[::-1]
    random = np.random.default_rng(path.seed + 1)
    pulls = int(seconds * RATE_HZ / FRAME_SAMPLES)
    # Not in step with the packets, as no sound card is.
    beats = (np.arange(pulls) + 0.37) * FRAME_SAMPLES / RATE_HZ
    times = (
        np.maximum.accumulate(beats + random.exponential(path.tremble_s, pulls)) if path.tremble_s else beats
    )
    sound: Samples = np.zeros(pulls * FRAME_SAMPLES, np.int16)
    delay, target = np.zeros(pulls), np.zeros(pulls)
    began = time.process_time()
    for pull, now in enumerate(times.tolist()):
        while waiting and waiting[-1][0] <= now:
            arrived, number = waiting.pop()
            sender_time = number * PACKET_S
            core.put(ReceivedPacket(number, number * PACKET_SAMPLES, payload(number), arrived, sender_time))
        samples = core.take(now)
        if samples is not None:
            sound[pull * FRAME_SAMPLES : (pull + 1) * FRAME_SAMPLES] = samples
        delay[pull], target[pull] = core.delay_s, core.target_s
    return Heard(path, sound, delay, target, core, time.process_time() - began)


@dataclass(frozen=True, slots=True)
class Speech:
    """A stretch of speech, over and over, encoded once."""

    original: Samples
    packets: Sequence[bytes]

    def payload(self, number: int) -> bytes:
        return self.packets[number % len(self.packets)]


def speech(seconds: float = 10.0, expected_loss_percent: int = 10) -> Speech:
    original = voice(seconds)
    encoder = OpusEncoder(expected_loss_percent=expected_loss_percent)
    packets = [encoder.encode(piece) for piece in original.reshape(-1, PACKET_SAMPLES)]
    return Speech(original, [bytes(packet) for packet in packets if packet is not None])


def mouth_to_ear(heard: Heard, original: Samples, every_s: float = 1.0) -> NDArray[np.float64]:
    """Seconds from mouth to ear less the network's own delay, by looking for what is heard in what was said.

    One value per `every_s`, the codec's own look-ahead included, the devices' buffers not.
    """
    found = []
    looped = np.concatenate((original, original)).astype(np.float64)
    pace = 1 + heard.path.sender_ppm * 1e-6
    for start in range(RATE_HZ, len(heard.sound) - _WINDOW, int(every_s * RATE_HZ)):
        window = heard.sound[start : start + _WINDOW].astype(np.float64)
        # Where the window would lie without any delay; what is heard lies up to 0.8 s before.
        undelayed = int(start * pace)
        first = (undelayed - int(0.8 * RATE_HZ)) % len(original)
        said = looped[first : first + int(0.8 * RATE_HZ) + _WINDOW]
        lag = undelayed - (undelayed - int(0.8 * RATE_HZ) + _best_match(said, window))
        found.append(lag / (RATE_HZ * pace) - heard.path.delay_s)
    return np.array(found)


def _best_match(said: NDArray[np.float64], window: NDArray[np.float64]) -> int:
    """Where in `said` the window fits best (normalised correlation, by Fourier transform)."""
    size = 1 << (len(said) + len(window)).bit_length()
    product = np.fft.rfft(said, size) * np.conj(np.fft.rfft(window, size))
    places = len(said) - len(window) + 1
    correlation = np.fft.irfft(product, size)[:places]
    sums = np.concatenate(([0.0], np.cumsum(said**2)))
    energy = sums[len(window) :] - sums[:places]
    return int((correlation / np.sqrt(np.maximum(energy, 1.0))).argmax())


def longest_gap_s(heard: Heard, original: Samples, after_s: float = 1.0) -> float:
    """The longest silence in speech that has none: 5 ms blocks below 3 % of the speech's level."""
    level = np.sqrt(np.mean(original.astype(np.float64) ** 2))
    sound = heard.sound[int(after_s * RATE_HZ) :]
    blocks = sound[: len(sound) // _QUIET_BLOCK * _QUIET_BLOCK].reshape(-1, _QUIET_BLOCK).astype(np.float64)
    longest = run = 0
    for quiet in (np.sqrt(np.mean(blocks**2, axis=1)) < _QUIET * level).tolist():
        run = run + 1 if quiet else 0
        longest = max(longest, run)
    return longest * _QUIET_BLOCK / RATE_HZ


def harshest(sound: Samples, after_s: float = 1.0) -> float:
    """The most there is above 8 kHz in any 10 ms, where speech has little and a click has half of itself."""
    places = np.arange(int(after_s * RATE_HZ), len(sound) - FRAME_SAMPLES, FRAME_SAMPLES // 2)
    blocks = sound[places[:, None] + np.arange(FRAME_SAMPLES)] * np.hanning(FRAME_SAMPLES)
    spectra = np.abs(np.fft.rfft(blocks, axis=1))
    return float(np.sqrt((spectra[:, 80:] ** 2).sum(axis=1)).max())


def run(short: bool) -> Report:
    said = speech()
    clean = listen(Path(), 30 if short else 120, said.payload)
    bad_path = Path(loss=0.05, jitter_s=0.02)
    bad = listen(bad_path, 60 if short else 600, said.payload)
    bursts = listen(Path(loss=0.05, burst=2.0, jitter_s=0.02), 60 if short else 600, said.payload)
    figures = [
        _milliseconds("mouth to ear, clean network, p95", np.quantile(_settled(clean, said), 0.95), 60),
        _milliseconds("mouth to ear, 5 % loss, 20 ms jitter, p95", np.quantile(_settled(bad, said), 0.95)),
        _milliseconds(
            "longest gap, 5 % loss, 100 ms RTT, 20 ms jitter", longest_gap_s(bad, said.original), 60
        ),
        _milliseconds("longest gap, the same loss in bursts of 2", longest_gap_s(bursts, said.original)),
        Figure("clicks: harshest 10 ms, the same, times that of a clean network", "", _clicks(bad, clean)),
        Figure("lost packets that were heard by correction", "%", 100 * _recovered(bad), more_is_better=True),
        Figure("CPU of one voice, of a core", "%", 100 * clean.cpu_s / (len(clean.sound) / RATE_HZ)),
    ]
    for ppm in (200, -200):
        long = listen(Path(sender_ppm=ppm, jitter_s=0.005), 180 if short else 1800, said.payload)
        figures.append(_milliseconds(f"delay drift, clocks {ppm} ppm apart", drift_s(long, said), 20))
        figures.append(
            Figure(
                f"samples made up, clocks {ppm} ppm apart", "samples", long.core.counters.concealed_samples
            )
        )
    return Report("audio_network", figures)


def drift_s(heard: Heard, said: Speech) -> float:
    """How far the delay as heard wandered between any two 30 s after the first."""
    values = mouth_to_ear(heard, said.original)
    means = [float(np.median(values[start : start + 30])) for start in range(30, len(values) - 29, 30)]
    return max(means) - min(means)


def _settled(heard: Heard, said: Speech) -> NDArray[np.float64]:
    return mouth_to_ear(heard, said.original)[10:]


def _clicks(heard: Heard, clean: Heard) -> float:
    return harshest(heard.sound) / harshest(clean.sound)


def _recovered(heard: Heard) -> float:
    counters = heard.core.counters
    return counters.recovered / max(1, counters.lost)


def _milliseconds(name: str, seconds: float, target: float | None = None) -> Figure:
    return Figure(name, "ms", float(seconds) * 1000, target=target)
