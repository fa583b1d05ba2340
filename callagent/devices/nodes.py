# SPDX-License-Identifier: GPL-3.0-or-later
"""From an entry of the inventory to the object that opens it. The second seam beside `UdevSource`: with both
replaced, everything else of the agent runs on devices made of software."""

from typing import Protocol

from callagent.devices.alsa import AlsaMicrophone, AlsaSpeaker
from callagent.devices.inventory import DeviceInfo
from callagent.devices.settings import CameraSettings, SoundSettings
from callagent.devices.video4linux import V4l2Camera
from callagent.ports import AudioOutput, AudioSource, VideoSource


class Nodes(Protocol):
    """Makes the object for a device; it is opened later, by the slot. Callable from any thread."""

    def camera(self, device: DeviceInfo, settings: CameraSettings) -> VideoSource: ...

    def microphone(self, device: DeviceInfo, settings: SoundSettings) -> AudioSource: ...

    def speaker(self, device: DeviceInfo, settings: SoundSettings) -> AudioOutput: ...


class KernelNodes:
    """The kernel's own: V4L2 cameras and ALSA cards."""

    def camera(self, device: DeviceInfo, settings: CameraSettings) -> VideoSource:
        return V4l2Camera(device.path, device.id, settings)

    def microphone(self, device: DeviceInfo, settings: SoundSettings) -> AudioSource:
        return AlsaMicrophone(device.path, device.id, settings)

    def speaker(self, device: DeviceInfo, settings: SoundSettings) -> AudioOutput:
        return AlsaSpeaker(device.path, device.id, settings)
