# SPDX-License-Identifier: GPL-3.0-or-later
"""udev itself as a source: its database and its netlink events, by pyudev, and what sound cards tell of the
displays at their outputs."""

import logging
import os
import re
import select
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyudev

from callagent.devices.sink_watch import SinkWatch
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
_OUTPUT = re.compile(r"pcmC(\d+)D(\d+)p")
_USB = re.compile(r"/usb\d+/")
_CONTROL = re.compile(r"controlC(\d+)")


class PyudevSource:
    """A `UdevSource`. `snapshot` for a worker thread, everything else on the loop.

    Events are those udev sends after its rules have run: permissions and names are in place then.
    A display that comes to or goes from an HDMI output is told of as a change of the output's PCM.
    """

    def __init__(self, sys: Path = Path("/sys"), sinks: SinkWatch | None = None) -> None:
        self._sys = sys
        self._sinks = sinks or SinkWatch()
        self._outputs: dict[str, UdevRecord] = {}
        """Playback PCMs as they were told of last; from the thread of `snapshot` and the loop."""
        self._due: deque[UdevEvent] = deque()
        self._poll: select.epoll | None = None
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
        self._poll = select.epoll()
        self._poll.register(monitor.fileno(), select.EPOLLIN)
        self._poll.register(self._sinks.open(), select.EPOLLIN)
        return self._poll.fileno()

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

    def paths(self) -> frozenset[str]:
        return frozenset(
            os.path.realpath(entry).removeprefix(str(self._sys))
            for subsystem in SUBSYSTEMS
            for folder in (self._sys / "class" / subsystem, self._sys / "bus" / subsystem / "devices")
            for entry in _entries(folder)
        )

    def receive(self) -> UdevEvent | None:
        if self._monitor is None:
            raise OSError("the event socket is not open")
        device = self._monitor.poll(timeout=0)
        if device is None:
            return self._next_sink_event()
        record = self._record(device)
        if device.action == "remove":
            self._outputs.pop(record.sysfs, None)
        elif control := _CONTROL.fullmatch(record.sysfs.rpartition("/")[2]):
            # A card's PCMs may be told of before its controls are permitted.
            self._look_again(int(control[1]))
        also = tuple(self._connectors(record)) if record.subsystem == "drm" else ()
        return UdevEvent(str(device.action or "change"), record, also)

    def close(self) -> None:
        if self._poll is not None:
            self._poll.close()
            self._poll = None
        self._sinks.close()
        self._outputs.clear()
        self._due.clear()
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
            attributes |= _pcm_name(sysfs.rpartition("/")[2]) | self._sink(sysfs)
        record = UdevRecord(sysfs, subsystem, device.device_node, properties, attributes)
        if _output_of(sysfs) is not None:
            self._outputs[sysfs] = record
        return record

    def _sink(self, sysfs: str) -> dict[str, str]:
        """Whether the display at an HDMI output takes sound, as an attribute; none of other devices."""
        output = _output_of(sysfs)
        return {} if output is None else _sink_attribute(self._sinks.look(output[0]), output[1])

    def _next_sink_event(self) -> UdevEvent | None:
        for card in self._sinks.changed():
            self._look_again(card)
        return self._due.popleft() if self._due else None

    def _look_again(self, card: int) -> None:
        """One reading for all outputs of the card."""
        sinks = self._sinks.look(card)
        for sysfs, record in tuple(self._outputs.items()):
            output = _output_of(sysfs)
            if output is not None and output[0] == card:
                attributes = {name: text for name, text in record.attributes.items() if name != "sink"}
                attributes |= _sink_attribute(sinks, output[1])
                self._outputs[sysfs] = now = replace(record, attributes=attributes)
                self._due.append(UdevEvent("change", now))

    def _connectors(self, card: UdevRecord) -> Iterator[UdevRecord]:
        """A hot-plugged display is an event of the graphics card; what changed is at its connectors."""
        folder = self._sys / card.sysfs.lstrip("/")
        name = card.sysfs.rpartition("/")[2]
        for connector in sorted(folder.glob(f"{name}-*")):
            attributes = {
                key: text for key in _ATTRIBUTES["drm"] if (text := _read(connector / key)) is not None
            }
            yield UdevRecord(f"{card.sysfs}/{connector.name}", "drm", None, {}, attributes)


def _entries(folder: Path) -> list[str]:
    try:
        return [entry.path for entry in os.scandir(folder) if entry.is_symlink()]
    except OSError:
        return []


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None


def _output_of(sysfs: str) -> tuple[int, int] | None:
    """Card and number of a playback PCM that may be an HDMI output.

    None on USB: those are no HDMI outputs, and while the mixer of one that hangs is being set, asking for its
    controls would wait five seconds, on the loop.
    """
    if _USB.search(sysfs):
        return None
    match = _OUTPUT.fullmatch(sysfs.rpartition("/")[2])
    return (int(match[1]), int(match[2])) if match else None


def _sink_attribute(sinks: Mapping[int, bool], number: int) -> dict[str, str]:
    return {"sink": str(int(sinks[number]))} if number in sinks else {}


def _pcm_name(name: str) -> dict[str, str]:
    """What the card's driver calls `pcmC1D3p`, such as `HDMI 0` (/proc/asound/card1/pcm3p/info)."""
    if not name.startswith("pcmC"):
        return {}
    card, _, rest = name.removeprefix("pcmC").partition("D")
    info = _read(_PROC_SOUND / f"card{card}" / f"pcm{rest}" / "info") or ""
    lines = dict(line.split(": ", 1) for line in info.splitlines() if ": " in line)
    return {"pcm_name": lines["name"]} if lines.get("name") else {}
