# SPDX-License-Identifier: GPL-3.0-or-later
"""The displays that are connected, and how each stands.

Of a panel that is built in turned, the kernel's drm_panel_orientation_quirks and device trees know
(Documentation/gpu/drm-kms.rst, "panel orientation"); its modes are those of the glass, before turning.
"""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from callagent.devices.inventory import DeviceInfo

log = logging.getLogger(__name__)

_BUILT_IN = ("eDP", "DSI", "LVDS", "DPI")


class PanelOrientation(StrEnum):
    """Values of the KMS property: which side of the panel is at the top of the box."""

    NORMAL = "Normal"
    UPSIDE_DOWN = "Upside Down"
    LEFT_UP = "Left Side Up"
    RIGHT_UP = "Right Side Up"


@dataclass(frozen=True, slots=True)
class Connector:
    """What mode setting tells of a connector; None is unknown."""

    size: tuple[int, int] | None = None
    """Width and height in pixels of the mode its display prefers: the glass's own shape.

    Not that of the mode it runs in, which follows some time after the hot-plug, or never.
    """
    panel: PanelOrientation | None = None


@dataclass(frozen=True, slots=True)
class Display:
    """Something connected that shows pictures."""

    name: str
    """The connector's, such as HDMI-A-1."""
    size: tuple[int, int] | None = None
    """As the glass has it, in pixels."""
    panel: PanelOrientation | None = None

    @property
    def upright_size(self) -> tuple[int, int] | None:
        """As somebody in front of the box sees it."""
        if self.size is None or self.panel not in (PanelOrientation.LEFT_UP, PanelOrientation.RIGHT_UP):
            return self.size
        return self.size[::-1]


def displays_of(
    connectors: Iterable[DeviceInfo], look: Callable[[DeviceInfo], Connector | None]
) -> tuple[Display, ...]:
    """Those with a display, panels of the box first; of one that `look` cannot read (OSError) udev's mode."""
    found = []
    for device in connectors:
        if device.plugged:
            told = _told(device, look) or Connector()
            found.append(Display(device.name, told.size or size_of(device.mode), told.panel))
    return tuple(sorted(found, key=lambda display: not display.name.startswith(_BUILT_IN)))


def _told(device: DeviceInfo, look: Callable[[DeviceInfo], Connector | None]) -> Connector | None:
    try:
        return look(device)
    except OSError as error:
        log.info("connector %s tells only what udev knows of it: %s", device.name, error)
        return None


def size_of(mode: str) -> tuple[int, int] | None:
    """Of a mode's name such as `1920x1080` or `1920x1080i`."""
    match = re.match(r"([1-9]\d*)x([1-9]\d*)", mode)
    return (int(match[1]), int(match[2])) if match else None
