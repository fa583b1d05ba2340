# SPDX-License-Identifier: GPL-3.0-or-later
"""udev itself as a source: its database and its netlink events, by pyudev."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyudev

from callagent.devices.udev_source import SUBSYSTEMS, UdevEvent, UdevRecord

log = logging.getLogger(__name__)

RECEIVE_BUFFER_BYTES = 1 << 20
_ATTRIBUTES = {
    "video4linux": ("index", "name"),
    "sound": ("id",),
    "drm": ("status", "modes", "enabled"),
    "input": ("device/name",),
    "iio": ("name", "in_accel_x_raw"),
}
"""By subsystem. None of them asks the device itself, which may be dying, but the accelerometer's."""
_RULED = frozenset({"video4linux", "sound", "input"})
"""Subsystems for whose every device udev's own rules note something."""
_PROC_SOUND = Path("/proc/asound")


class PyudevSource:
    """A `UdevSource`. `snapshot` for a worker thread, everything else on the loop.

    Events are those udev sends after its rules have run: permissions and names are in place then.
    """

    def __init__(self, sys: Path = Path("/sys")) -> None:
        self._sys = sys
        self._context: pyudev.Context | None = None
        self._monitor: pyudev.Monitor | None = None

    def open(self) -> int:
        self.close()
        try:
            self._context = pyudev.Context()
        except ImportError as error:  # pyudev's word for: there is no libudev
            raise OSError(str(error)) from error
        monitor = pyudev.Monitor.from_netlink(self._context)
        for subsystem in SUBSYSTEMS:
            monitor.filter_by(subsystem)
        try:
            monitor.set_receive_buffer_size(RECEIVE_BUFFER_BYTES)
        except OSError:
            # Needs CAP_NET_ADMIN. The kernel's own size holds some hundred events; an overflow is noticed.
            log.debug("the receive buffer for device events keeps the kernel's size")
        monitor.start()
        self._monitor = monitor
        return int(monitor.fileno())

    def snapshot(self) -> Sequence[UdevRecord]:
        context = pyudev.Context()
        found = []
        for subsystem in SUBSYSTEMS:
            for device in context.list_devices(subsystem=subsystem):
                record = self._record(device)
                # What udev has not finished with yet comes as an event. Of what has no rule it knows nothing.
                known = device.is_initialized or any(key.startswith("ID_") for key in record.properties)
                if known or subsystem not in _RULED:
                    found.append(record)
        return found

    def receive(self) -> UdevEvent | None:
        if self._monitor is None:
            raise OSError("the event socket is not open")
        device = self._monitor.poll(timeout=0)
        if device is None:
            return None
        record = self._record(device)
        also = tuple(self._connectors(record)) if record.subsystem == "drm" else ()
        return UdevEvent(str(device.action or "change"), record, also)

    def close(self) -> None:
        # pyudev closes the socket when the monitor goes.
        self._monitor = None
        self._context = None

    def _record(self, device: pyudev.Device) -> UdevRecord:
        sysfs, subsystem = str(device.device_path), str(device.subsystem)
        properties = {str(key): str(device.properties[key]) for key in device.properties}
        attributes = {
            name: text
            for name in _ATTRIBUTES.get(subsystem, ())
            if (text := _read(self._sys / sysfs.lstrip("/") / name)) is not None
        }
        if subsystem == "sound":
            attributes |= _pcm_name(sysfs.rpartition("/")[2])
        return UdevRecord(sysfs, subsystem, device.device_node, properties, attributes)

    def _connectors(self, card: UdevRecord) -> Iterator[UdevRecord]:
        """A hot-plugged display is an event of the graphics card; what changed is at its connectors."""
        folder = self._sys / card.sysfs.lstrip("/")
        name = card.sysfs.rpartition("/")[2]
        for connector in sorted(folder.glob(f"{name}-*")):
            attributes = {
                key: text for key in _ATTRIBUTES["drm"] if (text := _read(connector / key)) is not None
            }
            yield UdevRecord(f"{card.sysfs}/{connector.name}", "drm", None, {}, attributes)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None


def _pcm_name(name: str) -> dict[str, str]:
    """What the card's driver calls `pcmC1D3p`, such as `HDMI 0` (/proc/asound/card1/pcm3p/info)."""
    if not name.startswith("pcmC"):
        return {}
    card, _, rest = name.removeprefix("pcmC").partition("D")
    info = _read(_PROC_SOUND / f"card{card}" / f"pcm{rest}" / "info") or ""
    lines = dict(line.split(": ", 1) for line in info.splitlines() if ": " in line)
    return {"pcm_name": lines["name"]} if lines.get("name") else {}
