# SPDX-License-Identifier: GPL-3.0-or-later
"""In the guest: `uevents.py FILE` writes each event of the kernel, not of udev, with its time as a JSON line.

Standard library only. Kernel: NETLINK_KOBJECT_UEVENT, group 1.
"""

import json
import socket
import sys
import time

NETLINK_KOBJECT_UEVENT = 15
KERNEL_GROUP = 1


def main(path: str) -> None:
    with (
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT) as events,
        open(path, "w", buffering=1) as lines,
    ):
        events.bind((0, KERNEL_GROUP))
        lines.write("\n")
        while True:
            message = events.recv(65536)
            now = time.monotonic()
            pairs = (part.partition("=") for part in message.decode(errors="replace").split("\0")[1:])
            properties = {name: value for name, _, value in pairs if name}
            if properties.get("SUBSYSTEM") in ("video4linux", "sound", "input", "usb", "drm"):
                event = {
                    "time": now,
                    "action": properties.get("ACTION"),
                    "subsystem": properties["SUBSYSTEM"],
                    "device": properties.get("DEVPATH", ""),
                }
                lines.write(json.dumps(event) + "\n")


main(sys.argv[1])
