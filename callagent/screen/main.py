# SPDX-License-Identifier: GPL-3.0-or-later
"""`callagent screen`: looks at the machine, sets what Qt must find in the environment, then starts it."""

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

from callagent.screen.compositor import become_compositor, belongs_under, find_compositor
from callagent.screen.platform import Machine, NoDisplay, PlatformName, choose
from callagent.screen.settings import ScreenSettings
from callagent.screen.texts import load_texts

__all__ = ["NoDisplay", "NoQt", "run_screen"]

_RENDER_NODES = Path("/sys/class/drm")
_NO_GPU = frozenset({"virtio-pci", "virtio_gpu", "vgem", "vkms"})
"""Drivers of render nodes on which Mesa draws by the processor."""


class NoQt(Exception):
    """PySide6 is not installed; the message says how to."""


def run_screen(
    settings: ScreenSettings,
    *,
    socket_path: Path | None = None,
    platform: PlatformName = "auto",
    renderer: str = "auto",
    full_screen: bool = True,
) -> int:
    """Show the page until SIGTERM or SIGINT; returns the exit code, or becomes the compositor that does.

    Raises NoQt, NoDisplay and NoSuchLanguage before anything is shown.
    """
    texts = load_texts(settings.language)
    machine = find_machine(os.environ)
    if full_screen and belongs_under(machine, platform):
        become_compositor(machine, renderer)
    chosen = choose(machine, platform, renderer)
    os.environ.update(chosen.environment)
    # Qt reads the environment while it is imported and when its first object is made.
    from callagent.screen.program import run

    return run(settings, texts, chosen, socket_path, full_screen=full_screen)


def find_machine(environment: Mapping[str, str]) -> Machine:
    """What decides how Qt gets onto the display. Raises NoQt."""
    found = importlib.util.find_spec("PySide6")
    if found is None or found.origin is None:
        raise NoQt("PySide6 is missing; install it with: pip install 'callagent[screen]'")
    return Machine(
        environment=environment,
        framebuffer=os.access("/dev/fb0", os.W_OK),
        # The wheels bring their own Qt with them, Debian's package uses the system's.
        wheels=(Path(found.origin).parent / "Qt").is_dir(),
        gpu=has_gpu(),
        compositor=find_compositor(environment),
    )


def has_gpu(nodes: Path = _RENDER_NODES) -> bool:
    """Whether a render node has a driver that draws by itself (`nodes`: of sysfs)."""
    drivers = [(node / "device/driver").resolve().name for node in nodes.glob("renderD*")]
    return any(driver not in _NO_GPU for driver in drivers)
