# SPDX-License-Identifier: GPL-3.0-or-later
"""In the guest: `jack.py CARD FIFO` gives a sound card the control of an HDMI jack.

It obeys the FIFO's lines plug and pull. The kernel tells of its changes as of any other control's
(SNDRV_CTL_IOCTL_ELEM_ADD, sound/asound.h).
"""

import fcntl
import os
import sys

from callagent.devices.alsa_control import ElementId, ElementInfo, ElementValue

ELEM_ADD = 0xC1105517
ELEM_WRITE = 0xC4C85513
BOOLEAN, READ_WRITE = 1, 3


def main(card: str, fifo: str) -> None:
    number = os.path.basename(os.readlink(f"/proc/asound/{card}")).removeprefix("card")
    jack = ElementId(iface=0, name=b"HDMI/DP,pcm=0 Jack")
    control = os.open(f"/dev/snd/controlC{number}", os.O_RDWR)
    fcntl.ioctl(control, ELEM_ADD, ElementInfo(id=jack, type=BOOLEAN, access=READ_WRITE, count=1))
    os.mkfifo(fifo)
    # Opened both ways, so that the file never ends between two writers.
    with os.fdopen(os.open(fifo, os.O_RDWR)) as lines:
        for line in lines:
            value = ElementValue(id=jack)
            value.integers[0] = int(line.strip() == "plug")
            fcntl.ioctl(control, ELEM_WRITE, value)


main(*sys.argv[1:])
