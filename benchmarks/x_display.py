# SPDX-License-Identifier: GPL-3.0-or-later
"""An X display in memory (Xvfb), and what stands on it."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

_XWD_FIELDS = 25
"""Words of the header (X11/XWDFile.h), most significant byte first."""
_HEADER_SIZE, _WIDTH, _HEIGHT, _BYTES_PER_LINE, _COLOURS = 0, 4, 5, 12, 19
_COLOUR_BYTES = 12
_READY_S = 10.0


@dataclass(frozen=True, slots=True)
class XDisplay:
    name: str
    """For DISPLAY."""
    server: int
    """The process that serves it."""
    folder: Path

    def picture(self) -> npt.NDArray[np.uint8]:
        """What stands there at this moment: height, width, and blue, green, red and nothing of each pixel."""
        dump = np.memmap(self.folder / "Xvfb_screen0", np.uint8, "r")
        header = dump[: 4 * _XWD_FIELDS].view(">u4")
        width, height, line = (int(header[each]) for each in (_WIDTH, _HEIGHT, _BYTES_PER_LINE))
        begin = int(header[_HEADER_SIZE]) + int(header[_COLOURS]) * _COLOUR_BYTES
        rows = dump[begin : begin + height * line].reshape(height, line)
        return np.array(rows[:, : 4 * width]).reshape(height, width, 4)


def screen_environment(display: XDisplay) -> dict[str, str]:
    """This process', without the allocator's settings, which are for the agent, and without Qt's."""
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "QT_", "QSG_"))
    }
    return own | {"DISPLAY": display.name}


@contextlib.contextmanager
def x_display(size: tuple[int, int], folder: Path) -> Iterator[XDisplay]:
    """Of this size; `folder` is where its memory is mapped."""
    geometry = f"{size[0]}x{size[1]}x24"
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", geometry, "-nolisten", "tcp", "-fbdir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            display = XDisplay(f":{server.stdout.readline().strip()}", server.pid, folder)
            _wait_for(display)
            yield display
        finally:
            server.terminate()


def _wait_for(display: XDisplay) -> None:
    """The server listens before its memory has its size."""
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            display.picture()
        except (OSError, ValueError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
