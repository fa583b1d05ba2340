# SPDX-License-Identifier: GPL-3.0-or-later
"""How devices are to be set when they are opened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from callagent.ports import PixelFormat


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """How a camera is to be opened, apart from the mode a call wants."""

    formats: Sequence[PixelFormat] = ()
    """Formats to use, in order of preference; empty: as the camera, USB and the CPU suggest."""
    controls: Mapping[str, int | str | bool] = field(default_factory=dict)
    """V4L2 controls by name, such as `brightness: 128` or `power_line_frequency: 50 Hz`."""
    economy: int = 0
    """0: the best mode; 1: a smaller one, for a camera that failed in the best."""
    coded: bool = False
    """H.264 is preferred where the camera gives it in the very size and rate."""


@dataclass(frozen=True, slots=True)
class SoundSettings:
    """How a sound card is to be set when it is opened."""

    level: int | None = None
    """Per cent of the card's own volume control; None: as it is, unmuted."""
    controls: Mapping[str, int | str | bool] = field(default_factory=dict)
    """Further mixer controls by name, per cent, item or switch."""
    period_ms: int = 10
    """How much sound the card carries at once, a multiple of 10: longer is fewer wake-ups and more delay."""
    playback_buffer_ms: int = 40
    """What a speaker may be late without a gap; so much delay it adds."""
