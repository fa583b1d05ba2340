# SPDX-License-Identifier: GPL-3.0-or-later
"""When the guest's kernel saw devices come and go, on the guest's monotonic clock."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.lab.machine import Machine

_FILE = "uevents.jsonl"


@dataclass(frozen=True, slots=True)
class KernelEvent:
    time: float
    action: str
    subsystem: str
    device: str
    """Its folder below /sys."""


class KernelEvents:
    """All since `start`."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def start(self) -> None:
        self._machine.background(f"exec python3 -IS /share/guest/uevents.py /share/{_FILE}", "uevents.log")
        self._machine.run(f"timeout 20 sh -c 'until [ -s /share/{_FILE} ]; do sleep 0.05; done'")

    def stop(self) -> None:
        self._machine.run("pkill -f guest/uevents.py", check=False)

    def __iter__(self) -> Iterator[KernelEvent]:
        for line in (self._machine.share / _FILE).read_text().splitlines():
            if line.endswith("}"):
                yield KernelEvent(**json.loads(line))

    def last(self, action: str, device: str, *, deadline_s: float = 20.0) -> float:
        """Time of the newest such event; `device` is searched for in the folder, as a regular expression.

        Waits for the first one. Raises AssertionError.
        """
        deadline = time.monotonic() + deadline_s
        while True:
            found = [
                event.time for event in self if event.action == action and re.search(device, event.device)
            ]
            if found:
                return found[-1]
            assert time.monotonic() < deadline, f"the kernel told of no {action} of {device}"
            time.sleep(0.05)
