# SPDX-License-Identifier: GPL-3.0-or-later
"""Which microphone and which speaker."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from callagent.config.base import FilePath, Section, Switch, Text, key_error
from callagent.config.camera import Controls
from callagent.config.selectors import DeviceSelector

Volume = Annotated[int, Field(ge=0, le=100)]
"""Per cent."""


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


def _kind(value: Any) -> str:
    return "<selectors>" if isinstance(value, list) else "<name>"


SoundDevice = Annotated[
    Annotated[Text, Tag("<name>")] | Annotated[list[DeviceSelector], Field(min_length=1), Tag("<selectors>")],
    Discriminator(_kind),
    BeforeValidator(_as_list),
]
"""`auto`, `none`, `virtual`, an ALSA name such as `plughw:CARD=C920,DEV=0`, or selectors."""


Period = Annotated[int, Field(ge=10, le=60, multiple_of=10)]
"""Milliseconds."""

_BUFFER_MS = 40


class VirtualMicrophoneConfig(Section):
    tone_hz: Annotated[float, Field(ge=20, le=20_000)] = 1000.0
    speech: Switch = False
    """A speech-like pattern in place of the tone."""


class MicrophoneConfig(Section):
    device: SoundDevice = "auto"
    follow: Switch = True
    level: Volume | None = None
    """Of the card's own capture control, set at each plug; None: the hardware profile's, else as it is."""
    controls: Controls = {}
    """Further mixer controls by name, set at each plug."""
    period_ms: Period = 10
    """How much sound comes at once: longer is less work for a slow machine, and so much more delay."""
    virtual: VirtualMicrophoneConfig = VirtualMicrophoneConfig()


class VirtualSpeakerConfig(Section):
    record: FilePath | None = None
    """A WAV file that gets everything played."""


class SpeakerConfig(Section):
    device: SoundDevice = "auto"
    follow: Switch = True
    volume: Volume = 80
    """Of the call, on top of the card's level."""
    level: Volume | None = None
    """Of the card's own playback control, set at each plug; None: the hardware profile's, else as it is."""
    controls: Controls = {}
    period_ms: Period = 10
    buffer_ms: Annotated[int, Field(ge=20, le=500)] | None = None
    """Of the card: what a slow machine may be late without a gap, and so much more delay. At least two
    periods; None: 40 ms, or two periods where that is more.
    """
    keep_open: Switch = False
    """Also while nothing sounds: for amplifiers that click when the card opens, or need long to wake."""
    virtual: VirtualSpeakerConfig = VirtualSpeakerConfig()

    @property
    def card_buffer_ms(self) -> int:
        """`buffer_ms`, or what stands for None."""
        return max(_BUFFER_MS, 2 * self.period_ms) if self.buffer_ms is None else self.buffer_ms

    @model_validator(mode="after")
    def _holds_two_periods(self) -> Self:
        if self.card_buffer_ms < 2 * self.period_ms:
            raise key_error("buffer_ms", f"must be at least two periods (period_ms), {2 * self.period_ms}")
        return self
