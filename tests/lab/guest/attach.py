# SPDX-License-Identifier: GPL-3.0-or-later
"""In the guest: `attach.py HOST PORT USB_PORT SPEED` plugs in a USB device that is served over TCP.

The connection is handed to the virtual USB host controller, which keeps it when this ends.
Standard library only.
"""

import socket
import subprocess
import sys
import time
from pathlib import Path

VHCI = Path("/sys/devices/platform/vhci_hcd.0")
FREE = "004"
"""VDEV_ST_NULL in the status file."""
DEADLINE_S = 20.0


def is_free(port: int) -> bool:
    lines = (VHCI / "status").read_text().splitlines()[1:]
    return any(words[1:3] == [f"{port:04d}", FREE] for words in map(str.split, lines))


def main(host: str, tcp_port: int, usb_port: int, speed: int) -> None:
    if not VHCI.exists():
        subprocess.run(["modprobe", "vhci-hcd"], check=True)
    deadline = time.monotonic() + DEADLINE_S
    # What was there a moment ago may still be on its way out.
    while not is_free(usb_port):
        if time.monotonic() > deadline:
            raise SystemExit(f"USB port {usb_port} is not free")
        time.sleep(0.02)
    with socket.create_connection((host, tcp_port)) as connection:
        device_id = 0x10000 | usb_port + 1
        (VHCI / "attach").write_text(f"{usb_port} {connection.fileno()} {device_id} {speed}")


main(sys.argv[1], *map(int, sys.argv[2:]))
