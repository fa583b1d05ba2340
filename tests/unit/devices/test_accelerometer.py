# SPDX-License-Identifier: GPL-3.0-or-later
"""How a box is turned, from files as the kernel's industrial I/O lays them."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.devices.accelerometer import Tilt, Vector, mounted, parse_matrix, read_gravity, tilt_of
from callagent.devices.inventory import DeviceKind
from callagent.devices.records import inventory_of
from callagent.devices.udev_source import UdevRecord

TABLET = "0, -1, 0; -1, 0, 0; 0, 0, 1"
"""Of udev's 60-sensor.hwdb, for many tablets."""


@pytest.mark.parametrize(
    ("gravity", "tilt"),
    [
        ((0, -256, 0), Tilt.NORMAL),
        ((-256, 0, 0), Tilt.RIGHT_UP),
        ((256, 0, 0), Tilt.LEFT_UP),
        ((0, 256, 0), Tilt.BOTTOM_UP),
        # Leaning back on a desk.
        ((10, -170, -190), Tilt.NORMAL),
        ((0, 0, -256), None),
    ],
)
def test_which_edge_is_up(gravity: Vector, tilt: Tilt | None) -> None:
    assert tilt_of(gravity) is tilt


@pytest.mark.parametrize(
    ("raw", "tilt"),
    [
        # Readings of an Onda v975 and a Winbook TW100, held so (iio-sensor-proxy, test-orientation.c).
        ((523, 13, 5), Tilt.NORMAL),
        ((8, 521, -67), Tilt.RIGHT_UP),
        ((24, 0, -21), Tilt.NORMAL),
        ((15, -25, -14), Tilt.LEFT_UP),
    ],
)
def test_tablets_of_the_hardware_database(raw: Vector, tilt: Tilt) -> None:
    matrix = parse_matrix(TABLET)
    assert matrix is not None
    assert tilt_of(mounted(raw, matrix)) is tilt


def held(degrees: float, lean: float = 0.0) -> Vector:
    """Turned counter-clockwise from upright, leaning back."""
    angle, back = math.radians(degrees), math.radians(lean)
    return (-math.sin(angle) * math.cos(back), -math.cos(angle) * math.cos(back), -math.sin(back))


@given(st.sampled_from(Tilt), st.floats(0, 360), st.floats(0, 89))
def test_what_was_stays_until_another_edge_is_clearly_up(before: Tilt, degrees: float, lean: float) -> None:
    now = tilt_of(held(degrees, lean), before)
    ways = (Tilt.NORMAL, Tilt.RIGHT_UP, Tilt.BOTTOM_UP, Tilt.LEFT_UP)
    nearest = ways[round(degrees / 90) % 4]
    assert now in (before, nearest)
    off = abs((degrees + 45) % 90 - 45)
    if off < 30 and lean < 30:
        assert now is nearest
    if 36 < off < 54 and lean < 10:
        assert now is before
    if lean > 60:
        assert now is before


def test_a_turn_there_and_back_has_hysteresis() -> None:
    seen, tilt = [], None
    for degrees in (*range(91), *range(90, -1, -1)):
        tilt = tilt_of(held(degrees), tilt)
        seen.append(tilt)
    there, back = seen.index(Tilt.RIGHT_UP), 181 - seen[91:].index(Tilt.NORMAL) - 91
    assert there - back >= 15
    assert [each for each, next_ in zip(seen, [*seen[1:], None], strict=True) if each is not next_] == [
        Tilt.NORMAL,
        Tilt.RIGHT_UP,
        Tilt.NORMAL,
    ]


def folder(path: Path, **files: str) -> Path:
    axes = {"in_accel_x_raw": "0\n", "in_accel_y_raw": "-16384\n", "in_accel_z_raw": "0\n"}
    for name, text in (axes | files).items():
        (path / name).write_text(text)
    return path


def test_raw_values_are_scaled_and_turned(tmp_path: Path) -> None:
    chip = folder(tmp_path, in_accel_scale="0.000598\n")
    assert read_gravity(chip) == pytest.approx((0, -9.798, 0), abs=0.001)
    assert tilt_of(read_gravity(chip)) is Tilt.NORMAL
    # The kernel's matrix of the device tree; udev's goes before it; what is none counts for nothing.
    folder(tmp_path, in_mount_matrix="-1, 0, 0; 0, -1, 0; 0, 0, 1\n")
    assert tilt_of(read_gravity(chip)) is Tilt.BOTTOM_UP
    assert tilt_of(read_gravity(chip, "0, 1, 0; 1, 0, 0; 0, 0, 1")) is Tilt.RIGHT_UP
    assert tilt_of(read_gravity(chip, "0, 0, 0; 1, 0, 0; 0, 0, 1")) is Tilt.BOTTOM_UP
    folder(tmp_path, in_accel_mount_matrix="1, 0, 0; 0, 1, 0; 0, 0, 1\n")
    assert tilt_of(read_gravity(chip)) is Tilt.NORMAL


def test_without_a_scale_and_with_one_for_each_axis(tmp_path: Path) -> None:
    assert read_gravity(folder(tmp_path)) == (0, -16384, 0)
    assert read_gravity(folder(tmp_path, in_accel_y_scale="0.5", in_accel_scale="2")) == (0, -8192, 0)


def test_a_chip_that_is_gone_or_talks_nonsense(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="in_accel_x_raw"):
        read_gravity(tmp_path)
    with pytest.raises(ValueError, match="could not convert"):
        read_gravity(folder(tmp_path, in_accel_z_raw="?"))


@pytest.mark.parametrize("text", ["", "1, 0, 0", "1, 0, 0; 0, 1, 0; 0, 0", "a, 0, 0; 0, 1, 0; 0, 0, 1"])
def test_what_is_no_matrix(text: str) -> None:
    assert parse_matrix(text) is None


@given(st.text())
def test_any_text_is_a_matrix_or_none(text: str) -> None:
    assert parse_matrix(text) is None or text.count(";") == 2


def test_which_chips_count() -> None:
    def chip(number: int, **properties: str) -> UdevRecord:
        return UdevRecord(
            f"/devices/platform/iio:device{number}",
            "iio",
            f"/dev/iio:device{number}",
            properties,
            {"name": "bma253", "in_accel_x_raw": "12"},
        )

    light = UdevRecord("/devices/platform/iio:device9", "iio", "/dev/iio:device9", {}, {"name": "ltr559"})
    found = inventory_of(
        [light, chip(0, ACCEL_LOCATION="base"), chip(1, ACCEL_LOCATION="display", ACCEL_MOUNT_MATRIX=TABLET)]
    ).of(DeviceKind.ACCELEROMETER)
    assert [(each.path, each.mount_matrix) for each in found] == [
        ("/sys/devices/platform/iio:device1", TABLET)
    ]
