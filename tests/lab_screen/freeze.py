# SPDX-License-Identifier: GPL-3.0-or-later
"""Boots the screen's guest and saves it with what Qt reads at every start in the page cache.

`python -m tests.lab_screen.freeze IMAGE` (tests/lab_screen/build does).
"""

import sys
from pathlib import Path

from tests.lab.machine import BOOT_S, Machine

_WARM_UP = (
    "QT_QPA_PLATFORM=offscreen QT_QUICK_BACKEND=software /opt/callagent/bin/python -c "
    "'import av, aiohttp, pydantic; from PySide6 import QtGui, QtQml, QtQuick; QtGui.QGuiApplication([]); "
    "print(len(QtGui.QFontDatabase.families()))'; "
    "cat /usr/bin/cage /usr/lib/x86_64-linux-gnu/libwlroots* >/dev/null"
)


def main() -> None:
    with Machine(Path(sys.argv[1]), boot="") as machine:
        machine.run("systemctl is-system-running --wait; udevadm settle", check=False, timeout_s=BOOT_S)
        machine.run(_WARM_UP, timeout_s=180)
        machine.save()


if __name__ == "__main__":
    main()
