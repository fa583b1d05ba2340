# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by test_hdmi_sound under umockdev: real libudev, a card with HDMI outputs, its controls on a pipe."""

import json
import select
import sys

from callagent.devices.sink_watch import SinkWatch
from callagent.devices.udev import PyudevSource
from tests.unit.devices.control_node import intel
from tests.unit.devices.umockdev_script import DEADLINE_MS, Testbed

CARD = "/devices/pci0000:00/0000:00:1f.3/sound/card0"


def described(name: str, node: str | None) -> str:
    path = f"{CARD}/{name}" if name else CARD
    lines = [f"P: {path}", *([f"N: snd/{node}", f"E: DEVNAME=/dev/snd/{node}"] if node else [])]
    return "\n".join(
        [*lines, "E: SUBSYSTEM=sound", "E: USEC_INITIALIZED=1", "E: ID_PATH=pci-0000:00:1f.3", ""]
    )


def main() -> None:
    bed = Testbed()
    for name in ("", "pcmC0D0p", "pcmC0D3p", "pcmC0D7p"):
        bed.add(described(name, name or None))
    controls = intel()
    source = PyudevSource(sinks=SinkWatch(controls.open))
    poll = select.poll()
    poll.register(source.open(), select.POLLIN)

    def told() -> dict[str, str | None]:
        assert poll.poll(DEADLINE_MS)
        found = {}
        while (event := source.receive()) is not None:
            if event.action == "change":
                found[event.record.sysfs.rpartition("/")[2]] = event.record.attributes.get("sink")
        return found

    records = {record.sysfs.rpartition("/")[2]: record for record in source.snapshot()}
    while source.receive() is not None:
        pass
    said: dict[str, object] = {
        "snapshot": {
            name: records[name].attributes.get("sink") for name in sorted(records) if name != "card0"
        }
    }
    controls.set("HDMI/DP,pcm=7 Jack", False)
    said["pulled"] = told()
    controls.set("HDMI/DP,pcm=7 Jack", True)
    said["plugged"] = told()
    said["quiet"] = not poll.poll(0)
    source.close()
    controls.close()
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
