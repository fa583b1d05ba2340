# SPDX-License-Identifier: GPL-3.0-or-later
"""Which microphone and which speaker."""

from typing import Annotated

from pydantic import Field

from callagent.config.base import FilePath, Section, Switch, Text

Volume = Annotated[int, Field(ge=0, le=100)]
"""Per cent."""


class VirtualMicrophoneConfig(Section):
    tone_hz: Annotated[float, Field(ge=20, le=20_000)] = 1000.0
    speech: Switch = False
    """A speech-like pattern in place of the tone."""


class MicrophoneConfig(Section):
    device: Text = "auto"
    """`auto`, `none`, `virtual`, or an ALSA name such as `plughw:CARD=C920,DEV=0`."""
    virtual: VirtualMicrophoneConfig = VirtualMicrophoneConfig()


class VirtualSpeakerConfig(Section):
    record: FilePath | None = None
    """A WAV file that gets everything played."""


class SpeakerConfig(Section):
    device: Text = "auto"
    """As for the microphone."""
    volume: Volume = 80
    virtual: VirtualSpeakerConfig = VirtualSpeakerConfig()
