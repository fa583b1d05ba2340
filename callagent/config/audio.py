# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to the microphone's sound, echo, noise, gain, rumble; and how it is encoded."""

from typing import Annotated, Literal

from pydantic import Field

from callagent.config.base import Section, Switch


class AudioConfig(Section):
    echo_cancellation: Literal["auto", "off", "half_duplex"] = "auto"
    """`auto`: the best this machine has; `off`: for microphones that cancel echo by themselves.

    `half_duplex` turns the microphone down while the other side talks.
    """
    noise_suppression: Literal["off", "normal", "strong"] = "normal"
    """`strong` needs RNNoise; without it `normal` takes its place and `status` says so."""
    gain_control: Switch = True
    high_pass: Switch = True
    """Takes away rumble below the voice."""
    application: Literal["voip", "low_delay"] = "voip"
    """Of the Opus encoder. `low_delay`: a quarter of its work, no repair of lost packets."""
    packet_ms: Literal[20, 40, 60] = 20
    """Sound in one packet: longer is fewer packets to make and send, and so much more delay."""
    complexity: Annotated[int, Field(ge=0, le=10)] = 5
    """Of the Opus encoder: 0 is half the work of 5 and sounds a little worse."""
    dtx: Switch = False
    """Send nothing while nobody speaks."""
