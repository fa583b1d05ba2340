# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the registry learns what the kernel knows: udev's database and its events. One seam, so that
tests can put a script in place of the kernel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

SUBSYSTEMS = ("video4linux", "sound", "drm", "input", "gpio", "iio", "usb")
"""What the registry watches (`usb`: the physical devices behind the others)."""


@dataclass(frozen=True, slots=True)
class UdevRecord:
    """One device of udev's database."""

    sysfs: str
    """DEVPATH: the key."""
    subsystem: str
    node: str | None = None
    """DEVNAME, such as /dev/video0."""
    properties: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    """The sysfs attributes the registry needs, read when the record was made."""


@dataclass(frozen=True, slots=True)
class UdevEvent:
    """`action` is the kernel's: add, remove, change, move, bind, unbind, online, offline."""

    action: str
    record: UdevRecord
    also: tuple[UdevRecord, ...] = ()
    """Other devices that changed with it: of a graphics card, its connectors."""


class UdevSource(Protocol):
    """Snapshot, then events: `open` subscribes before `snapshot` is asked, so that nothing falls between."""

    def open(self) -> int:
        """Subscribe; returns a descriptor that is readable when an event waits. Raises OSError."""
        ...

    def snapshot(self) -> Sequence[UdevRecord]:
        """Everything present. Blocks for some 10 ms: for a worker thread. Raises OSError."""
        ...

    def paths(self) -> frozenset[str]:
        """DEVPATHs of everything present, far cheaper than a snapshot. Blocks: for a worker thread."""
        ...

    def receive(self) -> UdevEvent | None:
        """The next event, None when none waits; never blocks.

        Raises OSError when events were lost (ENOBUFS) or the socket broke: open anew, take a new snapshot.
        """
        ...

    def close(self) -> None:
        """Idempotent."""
        ...
