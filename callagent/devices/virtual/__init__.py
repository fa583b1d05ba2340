# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices made of software: the same contracts as real ones, for machines and tests without any.

They are a public part of the product. Integrators may plug them into their own
programs: the camera's picture carries a machine-readable counter and clock
(`framecode`), the microphone gives known tones, speaker and screen keep a record
of what reached them, and each can be made to fail on purpose.
"""

from callagent.devices.virtual import framecode
from callagent.devices.virtual.camera import VirtualCamera
from callagent.devices.virtual.framecode import FrameCode
from callagent.devices.virtual.microphone import VirtualMicrophone
from callagent.devices.virtual.screen import VirtualScreen
from callagent.devices.virtual.speaker import VirtualSpeaker

__all__ = [
    "FrameCode",
    "VirtualCamera",
    "VirtualMicrophone",
    "VirtualScreen",
    "VirtualSpeaker",
    "framecode",
]
