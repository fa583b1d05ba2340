# SPDX-License-Identifier: GPL-3.0-or-later
"""The sounds of a call: dialing, ringing, hang-up."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from callagent.config.base import FilePath, Section, Switch
from callagent.config.sound_devices import SoundDevice, Volume


def _empty_is_built_in(value: Any) -> Any:
    return None if value == "" else value


SoundFile = Annotated[FilePath | None, BeforeValidator(_empty_is_built_in), Field(validate_default=False)]
"""An mp3, wav, m4a or flac file; empty or None: the built-in sound."""


class RingConfig(Section):
    device: SoundDevice | None = None
    """As for the speaker; None: the call's speaker."""
    volume: Volume = 100


class SoundConfig(Section):
    dialing: SoundFile = None
    ringing: SoundFile = None
    hangup: SoundFile = None
    ring: RingConfig = RingConfig()
    mute_ring: Switch = False

    @property
    def files(self) -> dict[str, Path | None]:
        """The three files by name."""
        return {"dialing": self.dialing, "ringing": self.ringing, "hangup": self.hangup}
