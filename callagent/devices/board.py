# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine says of itself: firmware (DMI), device tree, processor. Reads a few small files.

Kernel: Documentation/ABI/testing/sysfs-class-dmi, Documentation/devicetree/usage-model.rst.
"""

import platform
from collections.abc import Sequence
from pathlib import Path

_DMI = Path("sys/class/dmi/id")
_DEVICE_TREE = Path("proc/device-tree")


def board_facts(root: Path = Path("/"), machine: str | None = None) -> dict[str, Sequence[str]]:
    """By `architecture`, `cpu`, `dmi.sys_vendor`, `device_tree.compatible` and so on; what it does not say
    is left out. `root`: in place of /, `machine`: of `uname -m`."""
    found: dict[str, Sequence[str]] = {"architecture": [machine or platform.machine()]}
    found["cpu"] = [
        value.strip()
        for line in _read(root / "proc/cpuinfo").splitlines()
        for key, _, value in [line.partition(":")]
        if key.strip() == "model name"
    ][:1]
    for name in ("sys_vendor", "product_name", "board_name"):
        found[f"dmi.{name}"] = _texts(root / _DMI / name)
    for name in ("model", "compatible"):
        found[f"device_tree.{name}"] = _texts(root / _DEVICE_TREE / name)
    return {key: texts for key, texts in found.items() if texts}


def _texts(path: Path) -> list[str]:
    """The device tree ends each of its texts with a zero byte."""
    return [text.strip() for text in _read(path).split("\0") if text.strip()]


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
