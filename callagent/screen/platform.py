# SPDX-License-Identifier: GPL-3.0-or-later
"""How Qt gets onto the display: which platform, and the environment that makes it work there. Pure.

What stands here was measured on real kernels: the PyPI wheels have no working eglfs, a threaded render loop
deadlocks with painting written in Python, cage shows a title bar unless told not to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

PlatformName = Literal["auto", "wayland", "linuxfb", "eglfs", "xcb", "offscreen"]


class NoDisplay(Exception):
    """There is nothing to draw on; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides, as it is found on this machine."""

    environment: Mapping[str, str] = field(default_factory=dict)
    framebuffer: bool = False
    """/dev/fb0 may be written."""
    wheels: bool = True
    """Qt is that of the PyPI wheels, not Debian's."""
    gpu: bool = False
    """There is a render node with a GPU behind it."""
    compositor: str = ""
    """Path of cage, where it could drive a display."""


@dataclass(frozen=True, slots=True)
class Platform:
    name: str
    """Of Qt's plug-in."""
    environment: Mapping[str, str]
    """To set before the first Qt object is made; what the operator has set stays."""
    software: bool
    """The scene graph draws without a GPU."""


def choose(machine: Machine, wanted: PlatformName = "auto", renderer: str = "auto") -> Platform:
    """`renderer`: `software`, `gpu` or `auto`. Raises NoDisplay."""
    name = _name(machine, wanted)
    software = _software(name, machine, renderer)
    environment = {
        "QT_QPA_PLATFORM": name,
        # The threaded loop and paint() in Python wait for each other for ever.
        "QSG_RENDER_LOOP": "basic",
        "QT_WAYLAND_DISABLE_WINDOWDECORATION": "1",
        "QT_QUICK_CONTROLS_STYLE": "Basic",
        "QT_ENABLE_HIGHDPI_SCALING": "0",
    }
    if software:
        environment["QT_QUICK_BACKEND"] = "software"
    if given_backend := machine.environment.get("QT_QUICK_BACKEND"):
        software = given_backend == "software"
    if name == "eglfs":
        environment["QT_QPA_EGLFS_HIDECURSOR"] = "1"
        environment["QT_QPA_EGLFS_INTEGRATION"] = "eglfs_kms"
    if name == "linuxfb":
        environment["QT_QPA_FB_HIDECURSOR"] = "1"
    given = {key: value for key, value in machine.environment.items() if key in environment}
    return Platform(name, environment | given, software)


def _name(machine: Machine, wanted: PlatformName) -> str:
    if wanted == "eglfs" and machine.wheels:
        raise NoDisplay(
            "eglfs needs Debian's PySide6 (python3-pyside6.qtquick): the PyPI wheels lack its KMS library; "
            "use linuxfb or a compositor"
        )
    if wanted != "auto":
        return wanted
    if given := machine.environment.get("QT_QPA_PLATFORM"):
        return given.split(":")[0]
    if machine.environment.get("WAYLAND_DISPLAY"):
        return "wayland"
    if machine.environment.get("DISPLAY"):
        return "xcb"
    if machine.framebuffer:
        return "linuxfb"
    raise NoDisplay(
        "no display: neither WAYLAND_DISPLAY nor DISPLAY is set and /dev/fb0 cannot be written "
        "(is the user in group video?); start it under cage, or name a platform"
    )


def _software(name: str, machine: Machine, renderer: str) -> bool:
    if name in ("linuxfb", "offscreen"):
        return True
    if renderer != "auto":
        return renderer == "software"
    return not machine.gpu


def page_turn(wanted: Literal["auto", 0, 90, 180, 270], standing: str, width: float, height: float) -> int:
    """Degrees clockwise the page is turned in its window.

    `standing`: how the agent says the screen stands, `portrait` or `landscape`. auto turns a quarter where
    the window lies the other way; which of the two quarters it is nobody can know: 270 has to be configured.
    """
    if wanted != "auto":
        return wanted
    if width <= 0 or height <= 0 or width == height or standing not in ("portrait", "landscape"):
        return 0
    return 90 if (height > width) != (standing == "portrait") else 0
