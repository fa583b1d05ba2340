# SPDX-License-Identifier: GPL-3.0-or-later
"""How much slower the guest is: one fixed workload, there and here."""

import subprocess

from tests.lab.machine import Machine

_WORK = (
    "import time; t = time.perf_counter(); sum(i * i % 7 for i in range(600_000)); "
    "print(time.perf_counter() - t)"
)


def slowdown(machine: Machine) -> float:
    """Time in the guest over time here, at least 1; of three rounds the best of each."""
    guest = min(float(machine.run(f'python3 -c "{_WORK}"').out) for _ in range(3))
    here = min(float(_here()) for _ in range(3))
    return max(1.0, guest / here)


def _here() -> str:
    return subprocess.run(
        ["/usr/bin/python3", "-c", _WORK], check=True, capture_output=True, text=True, timeout=60
    ).stdout
