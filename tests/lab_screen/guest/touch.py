# SPDX-License-Identifier: GPL-3.0-or-later
"""A touch screen made with uinput (Linux' multi-touch protocol B), as large as WIDTH HEIGHT say.

touch.py WIDTH HEIGHT; lines "X Y" on standard input are taps. It is pulled out when its input ends.
"""

import sys
import time
from typing import Any

from evdev import AbsInfo, UInput
from evdev import ecodes as e

HELD_S = 0.15
"""A guest this slow must see the finger before it is gone."""


def main() -> None:
    width, height = int(sys.argv[1]), int(sys.argv[2])
    across, down = AbsInfo(0, 0, width - 1, 0, 0, 0), AbsInfo(0, 0, height - 1, 0, 0, 0)
    axes: list[Any] = [
        *((e.ABS_X, across), (e.ABS_Y, down), (e.ABS_MT_SLOT, AbsInfo(0, 0, 9, 0, 0, 0))),
        (e.ABS_MT_TRACKING_ID, AbsInfo(0, 0, 65535, 0, 0, 0)),
        *((e.ABS_MT_POSITION_X, across), (e.ABS_MT_POSITION_Y, down)),
    ]
    with UInput(
        {e.EV_KEY: [e.BTN_TOUCH], e.EV_ABS: axes},
        name="Lab Touch Screen",
        bustype=e.BUS_USB,
        input_props=[e.INPUT_PROP_DIRECT],
    ) as screen:
        for number, line in enumerate(sys.stdin, 1):
            x, y = map(int, line.split())
            tap(screen, number, x, y)


def tap(screen: UInput, number: int, x: int, y: int) -> None:
    # The kernel drops a position that is what it was: be beside it first, within the same report.
    for code, at in ((e.ABS_MT_POSITION_X, x), (e.ABS_MT_POSITION_Y, y), (e.ABS_X, x), (e.ABS_Y, y)):
        screen.write(e.EV_ABS, code, at ^ 1)
    screen.write(e.EV_ABS, e.ABS_MT_TRACKING_ID, number)
    for code, at in ((e.ABS_MT_POSITION_X, x), (e.ABS_MT_POSITION_Y, y), (e.ABS_X, x), (e.ABS_Y, y)):
        screen.write(e.EV_ABS, code, at)
    screen.write(e.EV_KEY, e.BTN_TOUCH, 1)
    screen.syn()
    time.sleep(HELD_S)
    screen.write(e.EV_ABS, e.ABS_MT_TRACKING_ID, -1)
    screen.write(e.EV_KEY, e.BTN_TOUCH, 0)
    screen.syn()


if __name__ == "__main__":
    main()
