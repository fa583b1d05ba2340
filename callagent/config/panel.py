# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons, switches, lights and the door of the box."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from callagent.config.answer import ANYONE, Callers
from callagent.config.base import Section, Switch, Text, UserName, key_error
from callagent.config.selectors import Selectors

ButtonName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$"),
    Field(description="a name of 1 to 32 letters, digits, _ or -"),
]
KeyName = Annotated[
    str,
    StringConstraints(pattern=r"^(KEY|BTN|SW)_[A-Z0-9_]{1,40}$"),
    Field(description="the kernel's name of a key or switch, such as KEY_F13 or SW_CAMERA_LENS_COVER"),
]
Action = Literal[
    "call",
    "answer",
    "hangup",
    "dial",
    "mute",
    "camera",
    "switch_camera",
    "privacy",
    "door",
    "volume_up",
    "volume_down",
    "none",
]
"""`call`: accepts when it rings, hangs up in a call, dials `dial` when idle."""
Shows = Literal["ring", "in_call", "on_air", "error", "missed_call", "privacy", "online"]
Pattern = Literal["on", "blink_slow", "blink_fast", "flash"]


class LineConfig(Section):
    """One line of a GPIO chip."""

    line: Annotated[int, Field(ge=0, le=1023)] | Text
    """Its number on the chip, or its name (`gpioinfo` lists them), or `PIN_11` for a pin of the header where
    the hardware profile knows it."""
    chip: Text | None = None
    """Path, name or label; None: that of `gpio.chip`, else for a number the hardware profile's, for a name
    the chip that has a line of that name."""
    active_low: Switch = False
    bias: Literal["as_is", "pull_up", "pull_down", "disabled"] = "as_is"


class GpioConfig(Section):
    chip: Text | None = None
    """For all lines that name none; None: for numbers the hardware profile's."""


class DialConfig(Section):
    """Whom a button calls."""

    users: list[UserName] = []
    """All at once."""
    hunt: list[UserName] = []
    """One after the other, until somebody answers."""
    step_timeout_s: Annotated[int, Field(ge=10, le=120)] = 20
    """How long each of `hunt` rings."""
    media_type: Literal["video", "audio"] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.users) == bool(self.hunt):
            raise key_error("", "needs either users or hunt")
        return self


class ButtonConfig(Section):
    name: ButtonName
    gpio: LineConfig | None = None
    key: KeyName | None = None
    device: Selectors | None = None
    """Which input devices the key is listened for on; None: all that have it."""
    exclusive: Switch = False
    """Whether the input device is kept from everybody else: what a keypad types then lands nowhere."""
    press: Action = "call"
    long: Action = "hangup"
    double: Action = "none"
    switch: Literal["privacy"] | None = None
    """A switch rather than a button: while it is closed, privacy is on."""
    dial: DialConfig | None = None
    hold_s: Annotated[float, Field(ge=0.3, le=10)] = 2.0
    debounce_ms: Annotated[int, Field(ge=0, le=500)] = 20

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.gpio is None) == (self.key is None):
            raise key_error("", "needs either gpio or key")
        if self.device is not None and self.key is None:
            raise key_error("device", "belongs to a key, not to a GPIO line")
        if self.dial is None and "dial" in (self.press, self.long, self.double):
            raise key_error("dial", "is required: whom does this button call?")
        return self


class LightConfig(Section):
    name: ButtonName
    gpio: LineConfig
    shows: Shows
    pattern: Pattern | None = None
    """None: what suits what it shows."""


class DoorConfig(Section):
    """A line that opens a door when somebody in a call, or a button, asks for it."""

    gpio: LineConfig
    allow: Callers
    """Who may open it from afar: user ids, or anyone. Required."""
    only_in_call: Switch = True
    pulse_s: Annotated[float, Field(ge=0.1, le=10)] = 3.0
    """How long the line is active."""
    min_interval_s: Annotated[float, Field(ge=0, le=600)] = 5.0
    """Between one opening and the next."""

    def allows(self, user_id: str) -> bool:
        return ANYONE in self.allow or user_id in self.allow
