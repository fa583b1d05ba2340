# SPDX-License-Identifier: GPL-3.0-or-later
"""The clip of the screen's benchmark: one file of raw I420 for each picture, as multifilesrc plays them."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.scene import PICTURES, Scene

FPS = 30
PATTERN = "%02d.i420"


def write(folder: Path, width: int, height: int) -> None:
    scene = Scene(width, height)
    for number in range(PICTURES):
        (folder / (PATTERN % number)).write_bytes(scene.picture(number).tobytes())


def read(folder: Path) -> Iterator[bytes]:
    for number in range(PICTURES):
        yield (folder / (PATTERN % number)).read_bytes()
