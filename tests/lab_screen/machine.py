# SPDX-License-Identifier: GPL-3.0-or-later
"""The screen's guest: its image, and callagent with its screen installed as README says."""

import shutil
import subprocess
from pathlib import Path

from tests.lab import kiosk
from tests.lab.machine import Machine

HERE = Path(__file__).parent


def image() -> Path:
    """Built when there is none for the present inputs, which takes a minute beside the laboratory's own."""
    done = subprocess.run([HERE / "build"], check=True, stdout=subprocess.PIPE, text=True)
    return Path(done.stdout.strip())


def install(machine: Machine) -> None:
    kiosk.install(machine)
    shutil.copytree(HERE / "guest", machine.share / "screen")
    machine.run("cp /share/systemd/callagent-screen.service /etc/systemd/system/ && systemctl daemon-reload")
