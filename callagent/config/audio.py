# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to the microphone's sound: echo, noise, gain, rumble."""

from typing import Literal

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
