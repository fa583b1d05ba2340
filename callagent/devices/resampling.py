# SPDX-License-Identifier: GPL-3.0-or-later
"""Between what a sound card or a decoder gives and mono at 48 kHz, by libswresample."""

import av
import numpy as np
from numpy.typing import NDArray

RATE_HZ = 48_000

Samples = NDArray[np.int16]


class RateConverter:
    """Mono signed 16 bit from one rate to another, as a stream. Not thread-safe."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._from_hz = from_hz
        self._resampler = (
            None if from_hz == to_hz else av.AudioResampler(format="s16", layout="mono", rate=to_hz)
        )

    def convert(self, samples: Samples) -> Samples:
        """The samples at the new rate; some arrive only with the next call (the filter's delay)."""
        if self._resampler is None:
            return samples
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples)[None, :], "s16", "mono")
        frame.sample_rate = self._from_hz
        parts = [part.to_ndarray()[0].astype(np.int16) for part in self._resampler.resample(frame)]
        return np.concatenate(parts) if parts else np.empty(0, np.int16)


class MonoResampler:
    """Any rate and channel count to mono 48 kHz, as a stream. Not thread-safe."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._rate_hz = rate_hz
        self._channels = channels
        self._converter = RateConverter(rate_hz, RATE_HZ)

    def fits(self, rate_hz: int, channels: int) -> bool:
        """Whether it was made for this kind of sound."""
        return (rate_hz, channels) == (self._rate_hz, self._channels)

    def convert(self, samples: Samples) -> Samples:
        """Interleaved samples to mono: channels are averaged, since a card's channels are
        microphones side by side rather than a surround layout."""
        if self._channels > 1:
            samples = _average(samples, self._channels)
        return self._converter.convert(samples)


def _average(samples: Samples, channels: int) -> Samples:
    """Channel by channel, a fifth of the time of `mean` along them; what is no whole frame is left out."""
    whole = len(samples) - len(samples) % channels
    total = samples[:whole:channels].astype(np.int32)
    for channel in range(1, channels):
        total += samples[channel:whole:channels]
    return (total // channels).astype(np.int16)
