# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a graphics card's mode setting (KMS) about one connector, changing nothing.

Kernel: include/uapi/drm/drm_mode.h; who may ask: Documentation/gpu/drm-uapi.rst. Blocks: for worker threads.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
from collections.abc import Callable
from ctypes import c_char, c_uint16, c_uint32, c_uint64
from typing import Any

from callagent.devices.displays import Connector, PanelOrientation
from callagent.devices.ioctl import iowr

_TYPES = (
    *("Unknown", "VGA", "DVI-I", "DVI-D", "DVI-A", "Composite", "SVIDEO", "LVDS", "Component", "DIN", "DP"),
    *("HDMI-A", "HDMI-B", "TV", "eDP", "Virtual", "DSI", "DPI", "Writeback", "SPI", "USB"),
)
"""By number, as the kernel names connectors (drivers/gpu/drm/drm_connector.c)."""
_PANEL_ORIENTATION = b"panel orientation"
_PREFERRED = 1 << 3
_ATTEMPTS = 8


class ModeInfo(ctypes.Structure):
    """struct drm_mode_modeinfo."""

    _fields_ = (
        *(("clock", c_uint32), ("hdisplay", c_uint16), ("_horizontal", c_uint16 * 4)),
        *(("vdisplay", c_uint16), ("_vertical", c_uint16 * 4), ("vrefresh", c_uint32)),
        *(("flags", c_uint32), ("type", c_uint32), ("name", c_char * 32)),
    )


class CardResources(ctypes.Structure):
    """struct drm_mode_card_res."""

    _fields_ = (
        *(("fb_id_ptr", c_uint64), ("crtc_id_ptr", c_uint64), ("connector_id_ptr", c_uint64)),
        *(("encoder_id_ptr", c_uint64), ("count_fbs", c_uint32), ("count_crtcs", c_uint32)),
        *(("count_connectors", c_uint32), ("count_encoders", c_uint32), ("_sizes", c_uint32 * 4)),
    )


class GetConnector(ctypes.Structure):
    """struct drm_mode_get_connector."""

    _fields_ = (
        *(("encoders_ptr", c_uint64), ("modes_ptr", c_uint64), ("props_ptr", c_uint64)),
        *(("prop_values_ptr", c_uint64), ("count_modes", c_uint32), ("count_props", c_uint32)),
        *(("count_encoders", c_uint32), ("encoder_id", c_uint32), ("connector_id", c_uint32)),
        *(("connector_type", c_uint32), ("connector_type_id", c_uint32), ("connection", c_uint32)),
        *(("mm_width", c_uint32), ("mm_height", c_uint32), ("subpixel", c_uint32), ("_pad", c_uint32)),
    )


class GetProperty(ctypes.Structure):
    """struct drm_mode_get_property."""

    _fields_ = (
        *(("values_ptr", c_uint64), ("enum_blob_ptr", c_uint64), ("prop_id", c_uint32)),
        *(("flags", c_uint32), ("name", c_char * 32), ("count_values", c_uint32)),
        ("count_enum_blobs", c_uint32),
    )


class PropertyEnum(ctypes.Structure):
    """struct drm_mode_property_enum."""

    _fields_ = (("value", c_uint64), ("name", c_char * 32))


GET_RESOURCES = iowr("d", 0xA0, ctypes.sizeof(CardResources))
GET_CONNECTOR = iowr("d", 0xA7, ctypes.sizeof(GetConnector))
GET_PROPERTY = iowr("d", 0xAA, ctypes.sizeof(GetProperty))
DROP_MASTER = ord("d") << 8 | 0x1F

Ask = Callable[[int, ctypes.Structure], None]
"""One ioctl on an open card: its number and what it fills. Raises OSError."""


def read_connector(node: str, name: str) -> Connector | None:
    """What the card at `node` (/dev/dri/card1) tells of its connector; None when it has none of that name.

    Raises OSError (EACCES: the group video may).
    """
    card = os.open(node, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Who opens a card nobody shows pictures on becomes its master, and would lock out who is about to.
        with contextlib.suppress(OSError):
            fcntl.ioctl(card, DROP_MASTER)

        def ask(request: int, argument: ctypes.Structure) -> None:
            fcntl.ioctl(card, request, argument)

        return ask_connector(ask, name)
    finally:
        os.close(card)


def ask_connector(ask: Ask, name: str) -> Connector | None:
    """`read_connector` on a card that is open."""
    for connector_id in _connector_ids(ask):
        connector, modes, properties = _connector(ask, connector_id)
        kind = _TYPES[connector.connector_type] if connector.connector_type < len(_TYPES) else "Unknown"
        if f"{kind}-{connector.connector_type_id}" == name:
            mode = _preferred(modes)
            size = None if mode is None else (int(mode.hdisplay), int(mode.vdisplay))
            return Connector(size, _panel_orientation(ask, properties))
    return None


def _connector_ids(ask: Ask) -> list[int]:
    """The kernel tells how many there are, then fills what is large enough; they may grow in between."""
    room = 0
    for _ in range(_ATTEMPTS):
        ids = (c_uint32 * room)()
        found = CardResources(connector_id_ptr=_address(ids), count_connectors=room)
        ask(GET_RESOURCES, found)
        if found.count_connectors <= room:
            return list(ids[: found.count_connectors])
        room = found.count_connectors
    raise _unsettled()


def _connector(ask: Ask, connector_id: int) -> tuple[GetConnector, list[ModeInfo], dict[int, int]]:
    """With its modes and the values of its properties."""
    # Room for no mode at all would have the kernel ask the display itself, for a second.
    mode_room, property_room = 1, 0
    for _ in range(_ATTEMPTS):
        modes = (ModeInfo * mode_room)()
        keys, values = (c_uint32 * property_room)(), (c_uint64 * property_room)()
        found = GetConnector(
            connector_id=connector_id,
            modes_ptr=_address(modes),
            count_modes=mode_room,
            props_ptr=_address(keys),
            prop_values_ptr=_address(values),
            count_props=property_room,
        )
        ask(GET_CONNECTOR, found)
        if found.count_modes <= mode_room and found.count_props <= property_room:
            properties = dict(zip(keys[: found.count_props], values[: found.count_props], strict=True))
            return found, list(modes[: found.count_modes]), properties
        mode_room, property_room = max(1, found.count_modes), found.count_props
    raise _unsettled()


def _preferred(modes: list[ModeInfo]) -> ModeInfo | None:
    return next((mode for mode in modes if mode.type & _PREFERRED), modes[0] if modes else None)


def _panel_orientation(ask: Ask, properties: dict[int, int]) -> PanelOrientation | None:
    """The property is there only where the kernel knows."""
    for property_id, value in properties.items():
        found = GetProperty(prop_id=property_id)
        ask(GET_PROPERTY, found)
        if found.name != _PANEL_ORIENTATION:
            continue
        names = (PropertyEnum * found.count_enum_blobs)()
        full = GetProperty(
            prop_id=property_id, enum_blob_ptr=_address(names), count_enum_blobs=found.count_enum_blobs
        )
        ask(GET_PROPERTY, full)
        name = next((each.name.decode() for each in names if each.value == value), "")
        return PanelOrientation(name) if name in list(PanelOrientation) else None
    return None


def _unsettled() -> OSError:
    return OSError(errno.EAGAIN, "the graphics card changes faster than it can be read")


def _address(array: "ctypes.Array[Any]") -> int:
    return ctypes.addressof(array)
