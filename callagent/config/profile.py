# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema of a hardware profile: by what a board is known, and what is good for it."""

import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from callagent.config.base import FILE, Section, Switch, Text, key_error
from callagent.config.camera import Controls
from callagent.config.encoders import Encoder, named_once
from callagent.config.sound_devices import Volume

ProfileName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$"),
    Field(description="the name of a hardware profile: 1 to 40 small letters, digits or -"),
]


AUTO, NO_PROFILE = RESERVED = ("auto", "none")
"""What stands for the best fitting profile and for none."""


def _one_is_a_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Globs = Annotated[list[Text], Field(min_length=1), BeforeValidator(_one_is_a_list)]
"""Patterns such as `Intel(R) N1*`, capitals or not; one of them must fit."""
WebSource = Annotated[
    str, StringConstraints(pattern=r"^https://\S+$"), Field(description="an https:// address")
]


class DmiRules(Section):
    """Of /sys/class/dmi/id: what the firmware of a PC says."""

    sys_vendor: Globs | None = None
    product_name: Globs | None = None
    board_name: Globs | None = None


class DeviceTreeRules(Section):
    """Of /proc/device-tree: what the boot loader of a board says."""

    model: Globs | None = None
    compatible: Globs | None = None
    """One pattern must fit one of the entries."""


class MatchRules(Section):
    """All given rules must hold."""

    architecture: Globs | None = None
    """As `uname -m`: x86_64, aarch64."""
    cpu: Globs | None = None
    """`model name` of /proc/cpuinfo."""
    dmi: DmiRules = DmiRules()
    device_tree: DeviceTreeRules = DeviceTreeRules()

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.rules:
            raise key_error("", "needs at least one rule, or the profile would never be chosen")
        return self

    @property
    def rules(self) -> dict[str, list[str]]:
        """The patterns by rule: architecture, cpu, dmi.sys_vendor, device_tree.model, ..."""
        groups: list[tuple[str, Section]] = [
            ("", self),
            ("dmi.", self.dmi),
            ("device_tree.", self.device_tree),
        ]
        return {
            prefix + key: value for prefix, group in groups for key, value in group if isinstance(value, list)
        }


class HeaderPin(Section):
    line: Annotated[int, Field(ge=0, le=1023)] | Text
    """The line's number on its chip, or its name."""
    chip: Text | None = None
    """None: that of the section."""


def _line_alone(value: Any) -> Any:
    return {"line": value} if isinstance(value, int | str) and not isinstance(value, bool) else value


_PIN_NUMBER = re.compile("[1-9][0-9]?")
PIN_PREFIX = "PIN_"
"""`line: PIN_11` in the agent's configuration is pin 11 of the header."""


class GpioProfile(Section):
    chip: Text | None = None
    """Label, name or path of the header's chip. Numbers of chips change with the kernel, labels do not."""
    pins: dict[Text, Annotated[HeaderPin, BeforeValidator(_line_alone)]] = {}
    """The header's pins that are GPIO lines: a number or name on `chip`, or `{chip: ..., line: ...}`."""

    @model_validator(mode="after")
    def _pins_are_numbered(self) -> Self:
        for number in self.pins:
            if not _PIN_NUMBER.fullmatch(number):
                raise key_error("pins", f"{number} is no pin: they are numbered from 1 to 99")
        return self

    def header_pin(self, name: str) -> HeaderPin | None:
        """Of `PIN_11`, with its chip; None where the header has no such line."""
        pin = self.pins.get(name.removeprefix(PIN_PREFIX)) if name.startswith(PIN_PREFIX) else None
        return pin and HeaderPin(line=pin.line, chip=pin.chip or self.chip)


class CardProfile(Section):
    """How a sound card that is part of the board is to be set."""

    name: Globs = ["*"]
    """The cards this is about, by the name `callagent devices` shows."""
    level: Volume | None = None
    controls: Controls = {}


class SoundProfile(Section):
    microphone: CardProfile = CardProfile()
    speaker: CardProfile = CardProfile()


class DisplayProfile(Section):
    connectors: list[Text] = []
    """DRM connectors by preference, as globs."""


class HardwareProfile(Section):
    """One file of hw-profiles/."""

    name: ProfileName
    """The file's own, without .yaml."""
    title: Text
    untested: Switch = True
    """Nobody has run callagent on this board yet: the values are those of its documentation."""
    sources: list[WebSource] = []
    """Public documentation the values are from."""
    match: MatchRules
    encoders: list[Encoder] = []
    """H.264 and VP8 encoders to try, best first; empty: as the agent thinks best. `video.encoders` wins."""
    gpio: GpioProfile = GpioProfile()
    sound: SoundProfile = SoundProfile()
    display: DisplayProfile = DisplayProfile()
    notes: list[Text] = []
    """What a person who builds a kiosk with it should know."""

    @field_validator("name")
    @classmethod
    def _is_the_files(cls, name: str, info: ValidationInfo) -> str:
        if name in RESERVED:
            raise ValueError(f"must not be {name}, which means something else in hardware.profile")
        file = (info.context or {}).get(FILE)
        if file is not None and name != Path(file).stem:
            raise ValueError(f"must be {Path(file).stem}, as the file is called")
        return name

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        named_once(self.encoders)
        if self.gpio.pins and not self.sources:
            raise key_error("sources", "is required: where do the header's pins stand?")
        return self
