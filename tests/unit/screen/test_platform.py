# SPDX-License-Identifier: GPL-3.0-or-later
"""How Qt gets onto the display."""

from pathlib import Path
from typing import Literal

import pytest

from callagent.screen.compositor import belongs_under, compositor_environment
from callagent.screen.main import has_gpu
from callagent.screen.platform import Machine, NoDisplay, PlatformName, choose, page_turn


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        (Machine({"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, framebuffer=True), "wayland"),
        (Machine({"DISPLAY": ":0"}, framebuffer=True), "xcb"),
        (Machine({}, framebuffer=True), "linuxfb"),
        (Machine({"QT_QPA_PLATFORM": "linuxfb:fb=/dev/fb1", "DISPLAY": ":0"}), "linuxfb"),
    ],
)
def test_the_best_there_is(machine: Machine, name: str) -> None:
    chosen = choose(machine)
    assert chosen.name == name
    assert chosen.environment["QSG_RENDER_LOOP"] == "basic"
    assert chosen.environment["QT_WAYLAND_DISABLE_WINDOWDECORATION"] == "1"
    # What the operator has set stays as it is.
    assert chosen.environment["QT_QPA_PLATFORM"] == machine.environment.get("QT_QPA_PLATFORM", name)


def test_nothing_to_draw_on_says_what_to_do() -> None:
    with pytest.raises(NoDisplay, match="group video"):
        choose(Machine())
    with pytest.raises(NoDisplay, match="Debian's PySide6"):
        choose(Machine(wheels=True), "eglfs")
    assert choose(Machine(wheels=False), "eglfs").environment["QT_QPA_EGLFS_HIDECURSOR"] == "1"


@pytest.mark.parametrize(
    ("wanted", "gpu", "renderer", "software"),
    [
        ("linuxfb", True, "gpu", True),  # it has no GPU whatever one wishes
        ("wayland", True, "auto", False),
        ("wayland", False, "auto", True),
        ("wayland", True, "software", True),
        ("xcb", False, "gpu", False),
        ("offscreen", True, "auto", True),
    ],
)
def test_who_draws(wanted: PlatformName, gpu: bool, renderer: str, software: bool) -> None:
    chosen = choose(Machine(gpu=gpu), wanted, renderer)
    assert chosen.software is software
    assert (chosen.environment.get("QT_QUICK_BACKEND") == "software") is software


def test_a_backend_the_operator_has_set_counts() -> None:
    assert choose(Machine({"QT_QUICK_BACKEND": "software"}, gpu=True), "wayland").software


@pytest.mark.parametrize(
    ("wanted", "standing", "size", "turn"),
    [
        ("auto", "landscape", (800, 480), 0),
        ("auto", "portrait", (800, 480), 90),
        ("auto", "portrait", (480, 800), 0),
        ("auto", "landscape", (480, 800), 90),
        ("auto", "", (800, 480), 0),
        ("auto", "portrait", (0, 0), 0),
        (270, "landscape", (800, 480), 270),
        (0, "portrait", (800, 480), 0),
    ],
)
def test_how_far_the_page_is_turned(
    wanted: Literal["auto", 0, 90, 180, 270], standing: str, size: tuple[int, int], turn: int
) -> None:
    assert page_turn(wanted, standing, *size) == turn


CAGE = "/usr/bin/cage"


@pytest.mark.parametrize(
    ("environment", "compositor", "wanted", "under"),
    [
        ({}, CAGE, "auto", True),
        ({}, CAGE, "wayland", True),
        ({}, "", "auto", False),
        ({}, CAGE, "linuxfb", False),
        ({}, CAGE, "offscreen", False),
        ({"WAYLAND_DISPLAY": "wayland-0"}, CAGE, "auto", False),  # it is running under one already
        ({"DISPLAY": ":0"}, CAGE, "auto", False),
        ({"QT_QPA_PLATFORM": "linuxfb"}, CAGE, "auto", False),
    ],
)
def test_when_the_page_goes_under_a_compositor(
    environment: dict[str, str], compositor: str, wanted: PlatformName, under: bool
) -> None:
    assert belongs_under(Machine(environment, compositor=compositor), wanted) is under


@pytest.mark.parametrize(
    ("gpu", "renderer", "given", "drawn_by"),
    [
        (False, "auto", {}, "pixman"),
        (True, "auto", {}, None),
        (True, "software", {}, "pixman"),
        (False, "auto", {"WLR_RENDERER": "gles2"}, "gles2"),
    ],
)
def test_what_the_compositor_finds(
    gpu: bool, renderer: str, given: dict[str, str], drawn_by: str | None
) -> None:
    found = compositor_environment(Machine({"HOME": "/"} | given, gpu=gpu), renderer)
    assert found.get("WLR_RENDERER") == drawn_by
    assert found["WLR_LIBINPUT_NO_DEVICES"] == "1", "a kiosk may have no touch screen"
    assert found["HOME"] == "/"


@pytest.mark.parametrize(
    ("drivers", "gpu"),
    [([], False), (["virtio_gpu"], False), (["i915"], True), (["vkms", "v3d"], True)],
)
def test_what_is_a_gpu(tmp_path: Path, drivers: list[str], gpu: bool) -> None:
    for number, driver in enumerate(drivers, 128):
        node = tmp_path / f"renderD{number}" / "device"
        node.mkdir(parents=True)
        (tmp_path / "drivers" / driver).mkdir(parents=True)
        (node / "driver").symlink_to(tmp_path / "drivers" / driver)
    assert has_gpu(tmp_path) is gpu
