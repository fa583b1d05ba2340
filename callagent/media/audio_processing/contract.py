# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to the microphone's sound before anybody hears it, and what of it can be switched."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from callagent.media.sound import Samples

Wave = NDArray[np.float32]
"""Samples at the scale of 16 bit, not rounded: 32767.0 is full scale."""


class EchoCancellation(StrEnum):
    AUTO = "auto"
    """The best this machine has: cancellation, else half duplex."""
    OFF = "off"
    """For boxes whose microphone cancels by itself."""
    HALF_DUPLEX = "half_duplex"
    """The microphone is turned down while the other side talks."""


class NoiseSuppression(StrEnum):
    OFF = "off"
    NORMAL = "normal"
    STRONG = "strong"
    """A neural network, where it is installed."""


class Effort(IntEnum):
    """How much of what is wanted a machine has the time for; each one leaves out more than the next."""

    HALF_DUPLEX = 0
    """No library at all."""
    MODULE = 1
    """WebRTC's module alone."""
    FILTER = 2
    """And the linear echo canceller in front of it."""
    NETWORK = 3
    """And a neural network."""


@dataclass(frozen=True, slots=True)
class ProcessingSettings:
    echo_cancellation: EchoCancellation = EchoCancellation.AUTO
    noise_suppression: NoiseSuppression = NoiseSuppression.NORMAL
    gain_control: bool = True
    high_pass: bool = True

    @property
    def nothing(self) -> bool:
        """Whether the sound is to be left as it is."""
        off = (
            self.echo_cancellation is EchoCancellation.OFF and self.noise_suppression is NoiseSuppression.OFF
        )
        return off and not self.gain_control and not self.high_pass


class ProcessingError(Exception):
    """A part of the processing is not on this machine, or failed; the text is for a person."""


class SoundProcessor(Protocol):
    """Turns what the microphone heard into what the other side should hear.

    Stretches of 10 ms, mono, 48 kHz. For each one `far_end` is called first, then
    `capture`; all calls are made on one thread.
    """

    @property
    def name(self) -> str:
        """What it is, for status: `full duplex`, `half duplex`, `no echo cancellation`."""
        ...

    @property
    def latency_s(self) -> float:
        """How much later sound comes out than it went in."""
        ...

    def far_end(self, samples: Wave) -> None:
        """480 samples of what the speaker plays, resampled to the microphone's clock."""
        ...

    def capture(self, samples: Samples) -> Samples:
        """480 samples of the microphone; returns as many. Raises ProcessingError."""
        ...

    def set_delay_ms(self, delay_ms: int) -> None:
        """How much later the microphone hears the stretch than `far_end` gets it, as the devices tell."""
        ...

    def reset(self) -> None:
        """Another microphone or speaker: what was learned of the room is void. Raises ProcessingError."""
        ...

    def figures(self) -> dict[str, float | int | str]:
        """What it does now; callable from any thread."""
        ...
