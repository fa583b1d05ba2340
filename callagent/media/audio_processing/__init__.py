# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the microphone hears to what the other side should hear: echo, noise, gain, rumble."""

from callagent.media.audio_processing.contract import (
    EchoCancellation,
    NoiseSuppression,
    ProcessingSettings,
    SoundProcessor,
)
from callagent.media.audio_processing.processing import SoundProcessing

__all__ = [
    "EchoCancellation",
    "NoiseSuppression",
    "ProcessingSettings",
    "SoundProcessing",
    "SoundProcessor",
]
