# SPDX-License-Identifier: GPL-3.0-or-later
"""Who this machine is: a device id that stays the same over restarts and re-installations of the agent."""

import hashlib
import platform
from pathlib import Path

_MACHINE_ID = Path("/etc/machine-id")
_MODEL_FILES = (Path("/proc/device-tree/model"), Path("/sys/class/dmi/id/product_name"))


def device_id(user_id: str, machine_id_file: Path = _MACHINE_ID) -> str:
    """A stable id for this user's agent on this machine.

    A hash, because machine-id(5) must not leave the machine as it is. Without a
    machine id the host's name stands in.
    """
    try:
        machine = machine_id_file.read_text().strip()
    except OSError:
        machine = ""
    seed = f"callagent\0{machine or platform.node()}\0{user_id}"
    return "linux-" + hashlib.sha256(seed.encode()).hexdigest()[:24]


def model() -> str:
    """The board's or computer's product name, empty where the kernel does not tell."""
    for path in _MODEL_FILES:
        try:
            name = path.read_text().strip("\0 \n")
        except OSError:
            continue
        if name:
            return name
    return ""
