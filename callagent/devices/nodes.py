# SPDX-License-Identifier: GPL-3.0-or-later
"""From an entry of the inventory to the object that opens it, or to what it says at this moment.

The second seam beside `UdevSource`: with both replaced, everything else of the agent runs on devices made of
software.
"""

import logging
from pathlib import Path
from typing import Protocol

from callagent.devices.accelerometer import Vector, read_gravity
from callagent.devices.alsa import AlsaMicrophone, AlsaSpeaker
from callagent.devices.displays import Connector
from callagent.devices.edid import read_preferred_size
from callagent.devices.inventory import DeviceInfo
from callagent.devices.kms import read_connector
from callagent.devices.settings import CameraSettings, SoundSettings
from callagent.devices.video4linux import V4l2Camera
from callagent.ports import AudioOutput, AudioSource, VideoSource

log = logging.getLogger(__name__)


class Nodes(Protocol):
    """Makes the object for a device; it is opened later, by the slot. Callable from any thread."""

    def camera(self, device: DeviceInfo, settings: CameraSettings) -> VideoSource: ...

    def microphone(self, device: DeviceInfo, settings: SoundSettings) -> AudioSource: ...

    def speaker(self, device: DeviceInfo, settings: SoundSettings) -> AudioOutput: ...

    def connector(self, device: DeviceInfo) -> Connector | None:
        """What mode setting tells of a display's connector; blocks. Raises OSError."""
        ...

    def gravity(self, device: DeviceInfo) -> Vector:
        """Which way is down, for an accelerometer; blocks. Raises OSError, ValueError."""
        ...


class KernelNodes:
    """The kernel's own: V4L2 cameras, ALSA cards, KMS connectors, IIO accelerometers."""

    def camera(self, device: DeviceInfo, settings: CameraSettings) -> VideoSource:
        return V4l2Camera(device.path, device.id, settings)

    def microphone(self, device: DeviceInfo, settings: SoundSettings) -> AudioSource:
        return AlsaMicrophone(device.path, device.id, settings)

    def speaker(self, device: DeviceInfo, settings: SoundSettings) -> AudioOutput:
        return AlsaSpeaker(device.path, device.id, settings)

    def connector(self, device: DeviceInfo) -> Connector | None:
        card = device.sysfs.rpartition("/")[0].rpartition("/")[2]
        # At a hot-plug the kernel's console leaves of the list of modes what fits the display before.
        size = read_preferred_size(Path(f"/sys{device.sysfs}/edid"))
        try:
            told = read_connector(f"/dev/dri/{card}", device.name) or Connector()
        except OSError as error:
            if size is None:
                raise
            log.info("connector %s tells only its size: %s", device.name, error)
            return Connector(size)
        return Connector(size or told.size, told.panel)

    def gravity(self, device: DeviceInfo) -> Vector:
        return read_gravity(Path(device.path), device.mount_matrix)
