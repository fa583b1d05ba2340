# SPDX-License-Identifier: GPL-3.0-or-later
"""What is plugged in at one moment: one entry for each device, however many nodes it has. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class DeviceKind(StrEnum):
    """What a device can do for us; a headset is a microphone and a speaker."""

    CAMERA = "camera"
    MICROPHONE = "microphone"
    SPEAKER = "speaker"
    DISPLAY = "display"
    """A connector of a graphics card, plugged in or not (`DeviceInfo.plugged`)."""
    KEYS = "keys"
    """An input device with keys or switches: USB button, headset hook, keypad."""
    GPIO_CHIP = "gpio_chip"
    ACCELEROMETER = "accelerometer"


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """One device that is present. Empty texts are unknown to udev."""

    kind: DeviceKind
    id: str
    """udev's ID_SERIAL and ID_PATH, joined by @: the same for a device in its port, over reboots."""
    name: str
    """For people, such as `HD Pro Webcam C920`."""
    path: str
    """What to open now, never an identity: /dev/videoN, an ALSA PCM, /dev/input/eventN, a connector."""
    description: str = ""
    """One line for people: how it is connected, or why it cannot be used."""
    instance: str = ""
    """Another one each time the device is plugged in, so that out and in again is noticed."""
    serial: str = ""
    """The serial number alone (ID_SERIAL_SHORT)."""
    port: str = ""
    """The place it is plugged into (ID_PATH)."""
    vendor: str = ""
    model: str = ""
    usb_id: str = ""
    """`vvvv:pppp`, lower case."""
    bus: str = ""
    """`usb`, `pci`, `platform`, ..."""
    driver: str = ""
    sysfs: str = ""
    """The device's folder below /sys, without that."""
    links: tuple[str, ...] = ()
    """Names udev gave the node, such as /dev/v4l/by-path/..."""
    mode: str = ""
    """Of a connector: the mode its display prefers, such as `1920x1080`."""
    mount_matrix: str = ""
    """Of an accelerometer: how it is built in (ACCEL_MOUNT_MATRIX of udev's 60-sensor.hwdb)."""
    plugged: bool = True
    """False for what is there without anything connected: a connector without display, an HDMI output
    whose display takes no sound."""


class ChangeKind(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two moments; of a removed device its last description."""

    kind: ChangeKind
    device: DeviceInfo


@dataclass(frozen=True, slots=True)
class Inventory:
    """All devices present at one moment, in the order a person would count them (by port)."""

    devices: tuple[DeviceInfo, ...] = ()

    def of(self, kind: DeviceKind) -> tuple[DeviceInfo, ...]:
        return tuple(device for device in self.devices if device.kind is kind)

    def get(self, kind: DeviceKind, device_id: str) -> DeviceInfo | None:
        return next((device for device in self.of(kind) if device.id == device_id), None)

    def __iter__(self) -> Iterator[DeviceInfo]:
        return iter(self.devices)


def changes(before: Inventory, after: Inventory) -> tuple[Change, ...]:
    """Removed devices first. Out and in again between the two is a removal and an addition."""
    old = {(device.kind, device.id, device.instance): device for device in before}
    new = {(device.kind, device.id, device.instance): device for device in after}
    return (
        *_each(ChangeKind.REMOVED, (old[key] for key in old if key not in new)),
        *_each(ChangeKind.ADDED, (new[key] for key in new if key not in old)),
        *_each(ChangeKind.CHANGED, (new[key] for key in new if key in old and old[key] != new[key])),
    )


def _each(kind: ChangeKind, devices: Iterable[DeviceInfo]) -> Iterator[Change]:
    return (Change(kind, device) for device in devices)
