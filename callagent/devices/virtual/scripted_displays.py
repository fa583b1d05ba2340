# SPDX-License-Identifier: GPL-3.0-or-later
"""Connectors and accelerometers by script; made by `ScriptedHardware`."""

from callagent.devices.accelerometer import Vector
from callagent.devices.displays import Connector, PanelOrientation, size_of
from callagent.devices.udev_source import UdevRecord
from callagent.devices.virtual.scripted_udev import ScriptedUdev

_CARD = "/devices/pci0000:00/0000:00:02.0/drm/card0"
UPRIGHT: Vector = (0.0, -9.81, 0.0)


class ScriptedDisplay:
    """A connector of a graphics card, without a display at first. Thread-safe as the udev is."""

    def __init__(self, udev: ScriptedUdev, name: str, panel: PanelOrientation | None) -> None:
        self._udev = udev
        self.sysfs = f"{_CARD}/card0-{name}"
        self._panel = panel
        self._mode = ""
        self.readable = True
        """Cleared: mode setting cannot be asked, as without permission."""
        self._tell("add")

    def plug(self, mode: str) -> None:
        """A display that prefers this mode, in place of what was there."""
        self._mode = mode
        self._tell("change")

    def unplug(self) -> None:
        self.plug("")

    def connector(self) -> Connector:
        """For the nodes. Raises OSError."""
        if not self.readable:
            raise PermissionError(13, "Permission denied")
        return Connector(size_of(self._mode), self._panel)

    def _tell(self, action: str) -> None:
        status = "connected" if self._mode else "disconnected"
        attributes = {"status": status, "modes": self._mode, "enabled": "disabled"}
        self._udev.tell(action, UdevRecord(self.sysfs, "drm", None, {}, attributes))


class ScriptedAccelerometer:
    """A chip of the box, there from the beginning."""

    def __init__(self, udev: ScriptedUdev, gravity: Vector = UPRIGHT) -> None:
        self.sysfs = "/devices/platform/i2c-1/1-0018/iio:device0"
        self._udev = udev
        self._record = UdevRecord(
            self.sysfs, "iio", "/dev/iio:device0", {}, {"name": "scripted", "in_accel_x_raw": "0"}
        )
        self.gravity = gravity
        """Which way is down: x to the right, y to the top of the screen, z out of it."""
        self.broken = False
        """Set: it does not answer."""
        udev.tell("add", self._record)

    def unplug(self) -> None:
        self._udev.tell("remove", self._record)

    def ask(self) -> Vector:
        """For the nodes. Raises OSError."""
        if self.broken:
            raise OSError(5, "Input/output error")
        return self.gravity
