# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by test_pyudev_source under umockdev: `PyudevSource` on a paper /sys and udev socket, real libudev."""

import ctypes
import json
import select
import sys

from callagent.devices.udev import PyudevSource

DEADLINE_MS = 10_000


class Testbed:
    """libumockdev's testbed, by its C interface."""

    def __init__(self) -> None:
        self._lib = ctypes.CDLL("libumockdev.so.0")
        self._lib.umockdev_testbed_new.restype = ctypes.c_void_p
        self._bed = ctypes.c_void_p(self._lib.umockdev_testbed_new())

    def add(self, description: str) -> None:
        done = self._lib.umockdev_testbed_add_from_string(self._bed, description.encode(), None)
        assert done, "umockdev did not take the description"

    def uevent(self, sysfs: str, action: str) -> None:
        self._lib.umockdev_testbed_uevent(self._bed, f"/sys{sysfs}".encode(), action.encode())

    def remove(self, sysfs: str) -> None:
        self._lib.umockdev_testbed_remove_device(self._bed, f"/sys{sysfs}".encode())


def camera(number: int, port: str) -> tuple[str, str]:
    """The sysfs path and umockdev's description of a camera's node."""
    path = f"/devices/pci0000:00/0000:00:14.0/usb1/1-{port}/1-{port}:1.0/video4linux/video{number}"
    return path, "\n".join(
        (
            f"P: {path}",
            f"N: video{number}",
            f"E: DEVNAME=/dev/video{number}",
            "E: SUBSYSTEM=video4linux",
            "E: ID_V4L_CAPABILITIES=:capture:",
            "E: ID_SERIAL=Maker_Camera_A1",
            f"E: ID_PATH=pci-0000:00:14.0-usb-0:{port}:1.0",
            "E: USEC_INITIALIZED=12345",
            "A: index=0",
            "A: name=Camera",
            "",
        )
    )


def main() -> None:
    bed = Testbed()
    first, description = camera(0, "1")
    bed.add(description)
    source = PyudevSource()
    poll = select.poll()
    poll.register(source.open(), select.POLLIN)
    said: dict[str, object] = {
        "snapshot": [(r.sysfs, r.node, r.properties, r.attributes) for r in source.snapshot()]
    }
    while source.receive() is not None:
        pass
    _, description = camera(2, "2")
    bed.add(description)
    assert poll.poll(DEADLINE_MS)
    event = source.receive()
    assert event is not None
    said["added"] = (event.action, event.record.sysfs, event.record.node, event.record.attributes)
    said["then"] = source.receive() is None
    bed.uevent(first, "remove")
    assert poll.poll(DEADLINE_MS)
    event = source.receive()
    assert event is not None
    said["removed"] = (event.action, event.record.sysfs)
    bed.remove(first)
    said["left"] = [record.sysfs for record in source.snapshot()]
    source.close()
    json.dump(said, sys.stdout, default=dict)


if __name__ == "__main__":
    main()
