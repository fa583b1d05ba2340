# SPDX-License-Identifier: GPL-3.0-or-later
"""In the guest: `keys.py NAME KEY FIFO` plugs in an input device with one key or switch, by uinput.

It obeys the FIFO's lines: down, up. Its end pulls the device out.
"""

import os
import sys

from evdev import UInput, ecodes


def main(name: str, key: str, fifo: str) -> None:
    code = ecodes.ecodes[key]
    kind = ecodes.EV_SW if key.startswith("SW_") else ecodes.EV_KEY
    if not os.path.exists(fifo):
        os.mkfifo(fifo)
    # Opened both ways, so that the file never ends between two writers.
    with UInput({kind: [code]}, name=name) as device, os.fdopen(os.open(fifo, os.O_RDWR)) as lines:
        for line in lines:
            device.write(kind, code, int(line.strip() == "down"))
            device.syn()


main(*sys.argv[1:])
