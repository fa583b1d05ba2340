# SPDX-License-Identifier: GPL-3.0-or-later
"""How a box with an accelerometer is turned, by the kernel's industrial I/O (IIO) in sysfs.

Attributes: Documentation/ABI/testing/sysfs-bus-iio. Axes, threshold and the names of the four ways are those
of iio-sensor-proxy (src/orientation.c), for which the mount matrices of udev's 60-sensor.hwdb are written.
The proxy itself is not asked: it speaks D-Bus alone.
"""

import math
from enum import StrEnum
from pathlib import Path

THRESHOLD_DEG = 35
"""An edge that points up by more than this is up; between the ways, and lying flat, nothing changes."""
_AXES = "xyz"
_MATRIX_FILES = ("in_accel_mount_matrix", "in_mount_matrix", "mount_matrix")

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]
_IDENTITY: Matrix = ((1, 0, 0), (0, 1, 0), (0, 0, 1))


class Tilt(StrEnum):
    """Which edge is up, for somebody in front of the screen."""

    NORMAL = "normal"
    LEFT_UP = "left-up"
    RIGHT_UP = "right-up"
    BOTTOM_UP = "bottom-up"


def tilt_of(gravity: Vector, before: Tilt | None = None) -> Tilt | None:
    """`gravity` points down, in any unit: x to the right, y to the top of the screen, z out of it.

    `before`: what it was, kept where the box lies flat or at a slant; None is unknown.
    """
    x, y, z = gravity
    across = round(math.degrees(math.atan2(x, math.hypot(y, z))))
    along = round(math.degrees(math.atan2(y, math.hypot(x, z))))
    lies_across, stands = abs(across) > THRESHOLD_DEG, abs(along) > THRESHOLD_DEG
    if lies_across == stands:
        return before
    if lies_across:
        return Tilt.LEFT_UP if across > 0 else Tilt.RIGHT_UP
    return Tilt.BOTTOM_UP if along > 0 else Tilt.NORMAL


def parse_matrix(text: str) -> Matrix | None:
    """Of `1, 0, 0; 0, 1, 0; 0, 0, 1`; None when it is none, or has an axis of nothing but zeros."""
    try:
        rows = [tuple(float(part) for part in row.split(",")) for row in text.split(";")]
    except ValueError:
        return None
    if len(rows) != 3 or any(
        len(row) != 3 or not any(row) or not all(map(math.isfinite, row)) for row in rows
    ):
        return None
    first, second, third = ((row[0], row[1], row[2]) for row in rows)
    return first, second, third


def mounted(raw: Vector, matrix: Matrix) -> Vector:
    """From the chip's axes to the screen's."""
    x, y, z = (sum(part * value for part, value in zip(row, raw, strict=True)) for row in matrix)
    return x, y, z


def read_gravity(folder: Path, udev_matrix: str = "") -> Vector:
    """In m/s^2 and the screen's axes. Blocks while the chip measures, some ms: for a worker thread.

    `folder`: the IIO device's in /sys; `udev_matrix`: ACCEL_MOUNT_MATRIX, which goes before the kernel's own.
    Raises OSError; ValueError for what is no number.
    """
    scale = _scale(folder)
    x, y, z = (float((folder / f"in_accel_{axis}_raw").read_text()) * scale[axis] for axis in _AXES)
    return mounted((x, y, z), parse_matrix(udev_matrix) or _kernel_matrix(folder) or _IDENTITY)


def _scale(folder: Path) -> dict[str, float]:
    """One for all axes, or one for each; a chip without any tells of the angle all the same."""
    shared = _number(folder / "in_accel_scale", 1.0)
    return {axis: _number(folder / f"in_accel_{axis}_scale", shared) for axis in _AXES}


def _number(path: Path, default: float) -> float:
    try:
        return float(path.read_text()) or default
    except FileNotFoundError:
        return default


def _kernel_matrix(folder: Path) -> Matrix | None:
    for name in _MATRIX_FILES:
        try:
            matrix = parse_matrix((folder / name).read_text())
        except FileNotFoundError:
            continue
        if matrix is not None:
            return matrix
    return None
