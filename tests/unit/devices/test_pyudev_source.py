# SPDX-License-Identifier: GPL-3.0-or-later
"""The real pyudev and libudev, on umockdev's /sys and netlink socket."""

import json
import shutil
import subprocess
import sys

import pytest

from callagent.devices.udev import PyudevSource, _output_of


def test_snapshot_and_events_through_libudev() -> None:
    wrapper = shutil.which("umockdev-wrapper")
    assert wrapper is not None, "Debian's package umockdev is missing; make test installs it"
    command = [wrapper, sys.executable, "-W", "error", "-m", "tests.unit.devices.umockdev_script"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    folder = "/devices/pci0000:00/0000:00:14.0/usb1/{}/video4linux/video{}".format
    first, second = folder("1-1/1-1:1.0", 0), folder("1-2/1-2:1.0", 2)
    ((sysfs, node, properties, attributes),) = said["snapshot"]
    assert (sysfs, node) == (first, "/dev/video0")
    assert (properties["ID_SERIAL"], properties["ID_V4L_CAPABILITIES"]) == ("Maker_Camera_A1", ":capture:")
    assert attributes == {"index": "0", "name": "Camera"}
    assert said["added"] == ["add", second, "/dev/video2", {"index": "0", "name": "Camera"}]
    assert said["then"] is True
    assert said["removed"] == ["remove", first]
    assert said["left"] == [second]


def test_a_closed_source_says_so_and_the_real_machine_can_be_listed() -> None:
    source = PyudevSource()
    with pytest.raises(OSError, match="not open"):
        source.receive()
    assert source.open() >= 0
    assert source.receive() is None
    assert all(record.sysfs.startswith("/") for record in source.snapshot())
    source.close()
    source.close()


def test_the_controls_of_usb_cards_are_never_asked_for() -> None:
    """On the loop that would wait for a card that hangs."""
    pci = "/devices/pci0000:00/0000:00:1f.3/sound/card0/pcmC0D3p"
    usb = "/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/sound/card1/pcmC1D0p"
    assert _output_of(pci) == (0, 3)
    assert _output_of(usb) is None
