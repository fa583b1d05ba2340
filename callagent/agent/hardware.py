# SPDX-License-Identifier: GPL-3.0-or-later
"""The hardware profile of this machine, and its values where the configuration says nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from callagent.config import AgentConfig, HardwareProfile
from callagent.config.matching import matching
from callagent.config.panel import LineConfig
from callagent.config.profile import AUTO, NO_PROFILE, GpioProfile
from callagent.config.profiles import ProfileFile, load_profiles
from callagent.devices.board import board_facts
from callagent.protocol.errors import CallAgentError, ErrorCode

KEY = "hardware.profile"


def find_hardware(config: AgentConfig) -> HardwareProfile | None:
    """The profile to use on this machine. Blocks on some small files.

    Raises ConfigError for a mistake in a profile, CallAgentError (PARAM_INVALID) for a name no profile has
    and for profiles that fit equally well.
    """
    if config.hardware.profile == NO_PROFILE:
        return None
    return choose(config.hardware.profile, load_profiles(), board_facts())


def choose(
    wanted: str, files: Sequence[ProfileFile], facts: Mapping[str, Sequence[str]]
) -> HardwareProfile | None:
    """`wanted`: as `hardware.profile`. Pure. Raises CallAgentError (PARAM_INVALID)."""
    if wanted == NO_PROFILE:
        return None
    if wanted == AUTO:
        match = matching(files, facts)
        if match.conflict:
            raise CallAgentError(ErrorCode.PARAM_INVALID, match.problem, KEY)
        return match.profile
    named = next((file.profile for file in files if file.profile.name == wanted), None)
    if named is None:
        known = ", ".join(file.profile.name for file in files)
        message = f"There is no hardware profile {wanted}; there are {known}"
        raise CallAgentError(ErrorCode.PARAM_INVALID, message, KEY)
    return named


def with_profile(config: AgentConfig, profile: HardwareProfile) -> AgentConfig:
    """The configuration with the profile's GPIO chip and header where it names no chip itself."""
    if config.gpio.chip is not None:
        return config

    def placed(part: Any) -> Any:
        if part is None or part.gpio is None:
            return part
        return part.model_copy(update={"gpio": _placed(part.gpio, profile.gpio)})

    return config.model_copy(
        update={
            "buttons": [placed(button) for button in config.buttons],
            "lights": [placed(light) for light in config.lights],
            "door": placed(config.door),
        }
    )


def _placed(line: LineConfig, gpio: GpioProfile) -> LineConfig:
    """A name that is not the header's stays as it is: it may be on any chip."""
    if line.chip is not None:
        return line
    if isinstance(line.line, int):
        return line.model_copy(update={"chip": gpio.chip})
    pin = gpio.header_pin(line.line)
    return line if pin is None else line.model_copy(update={"line": pin.line, "chip": pin.chip})
