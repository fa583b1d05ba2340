# SPDX-License-Identifier: GPL-3.0-or-later
"""Displays: what mode setting tells of a connector, and what is made of it.

`Card` answers as drivers/gpu/drm does (drm_mode_getresources, drm_mode_getconnector,
drm_mode_getproperty_ioctl): it tells how many there are and fills only arrays that are large enough. That the
layouts are the kernel's own is seen in the sizes below, which are the C compiler's.
"""

import ctypes
from ctypes import c_uint32, c_uint64

import pytest

from callagent.devices import kms
from callagent.devices.displays import Connector, Display, PanelOrientation, displays_of, size_of
from callagent.devices.inventory import DeviceInfo, DeviceKind

HDMI_A, EDP, VIRTUAL = 11, 14, 15
ORIENTATIONS = ["Normal", "Upside Down", "Left Side Up", "Right Side Up"]
DPMS, PANEL = 2, 7


def test_requests_are_those_of_the_header() -> None:
    assert (kms.GET_RESOURCES, kms.GET_CONNECTOR, kms.GET_PROPERTY) == (0xC04064A0, 0xC05064A7, 0xC04064AA)
    assert (kms.DROP_MASTER, ctypes.sizeof(kms.ModeInfo), ctypes.sizeof(kms.PropertyEnum)) == (0x641F, 68, 40)
    assert (kms.CardResources.count_connectors.offset, kms.GetConnector.connector_id.offset) == (40, 48)
    assert (kms.ModeInfo.vdisplay.offset, kms.ModeInfo.type.offset) == (14, 32)
    assert (kms.GetProperty.name.offset, kms.GetProperty.count_enum_blobs.offset) == (24, 60)


class Card:
    """Connectors 31, 32, ... of kind and number, each with modes and a panel orientation or none."""

    def __init__(self, *connectors: tuple[int, int, list[str], int | None]) -> None:
        self.connectors = list(connectors)
        self.grows_by: tuple[int, int, list[str], int | None] | None = None
        """Appears right after the first question."""
        self.asked: list[int] = []

    def __call__(self, request: int, argument: ctypes.Structure) -> None:
        self.asked.append(request)
        match argument:
            case kms.CardResources():
                ids = [31 + index for index in range(len(self.connectors))]
                argument.count_connectors = _fill(
                    c_uint32, argument.connector_id_ptr, argument.count_connectors, ids
                )
                if self.grows_by is not None:
                    self.connectors.append(self.grows_by)
                    self.grows_by = None
            case kms.GetConnector():
                self._connector(argument)
            case kms.GetProperty():
                self._property(argument)

    def _connector(self, argument: kms.GetConnector) -> None:
        assert argument.count_modes > 0, "would make the card ask the display"
        kind, number, modes, panel = self.connectors[argument.connector_id - 31]
        argument.connector_type, argument.connector_type_id = kind, number
        room, argument.count_modes = argument.count_modes, len(modes)
        if room >= len(modes):
            for index, mode in enumerate(modes):
                step = index * ctypes.sizeof(kms.ModeInfo)
                kms.ModeInfo.from_address(argument.modes_ptr + step).__init__(  # type: ignore[misc]
                    **{field: getattr(_mode(mode), field) for field in ("hdisplay", "vdisplay", "type")}
                )
        values = {DPMS: 0} | ({} if panel is None else {PANEL: panel})
        _fill(c_uint64, argument.prop_values_ptr, argument.count_props, list(values.values()))
        argument.count_props = _fill(c_uint32, argument.props_ptr, argument.count_props, list(values))

    def _property(self, argument: kms.GetProperty) -> None:
        name, names = {DPMS: (b"DPMS", ["On"]), PANEL: (b"panel orientation", ORIENTATIONS)}[argument.prop_id]
        argument.name = name
        if argument.count_enum_blobs >= len(names):
            for index, each in enumerate(names):
                place = argument.enum_blob_ptr + index * ctypes.sizeof(kms.PropertyEnum)
                entry = kms.PropertyEnum.from_address(place)
                entry.value, entry.name = index, each.encode()
        argument.count_enum_blobs = len(names)


def _mode(name: str) -> kms.ModeInfo:
    width, _, height = name.rstrip("*").partition("x")
    return kms.ModeInfo(hdisplay=int(width), vdisplay=int(height), type=8 if name.endswith("*") else 0)


def _fill(kind: type[c_uint32] | type[c_uint64], address: int, room: int, values: list[int]) -> int:
    for index, value in enumerate(values[:room]):
        kind.from_address(address + index * ctypes.sizeof(kind)).value = value
    return len(values)


def test_a_panel_built_in_turned() -> None:
    card = Card((HDMI_A, 1, [], None), (EDP, 1, ["800x600", "800x1280*", "640x480"], 3))
    assert kms.ask_connector(card, "eDP-1") == Connector((800, 1280), PanelOrientation.RIGHT_UP)
    assert kms.ask_connector(card, "HDMI-A-1") == Connector()
    assert kms.ask_connector(card, "HDMI-A-2") is None


def test_without_a_preferred_mode_the_first_and_no_orientation_is_none() -> None:
    card = Card((VIRTUAL, 1, ["480x800", "1920x1080"], None))
    assert kms.ask_connector(card, "Virtual-1") == Connector((480, 800), None)


def test_a_connector_that_appears_while_it_is_asked() -> None:
    card = Card((EDP, 1, ["800x600"], None))
    card.grows_by = (HDMI_A, 1, ["1080x1920*", "800x600"], None)
    assert kms.ask_connector(card, "HDMI-A-1") == Connector((1080, 1920), None)


def test_a_card_that_never_settles_is_given_up() -> None:
    card = Card((EDP, 1, ["800x600"], None))

    def restless(request: int, argument: ctypes.Structure) -> None:
        card.grows_by = (HDMI_A, 9, [], None)
        card(request, argument)

    with pytest.raises(OSError, match="faster"):
        kms.ask_connector(restless, "eDP-1")


def test_no_such_card() -> None:
    with pytest.raises(FileNotFoundError):
        kms.read_connector("/dev/dri/card250", "eDP-1")


def test_what_is_no_graphics_card_is_an_error_of_the_kernels() -> None:
    with pytest.raises(OSError, match="Inappropriate ioctl"):
        kms.read_connector("/dev/null", "eDP-1")


def connector(name: str, mode: str, *, plugged: bool = True) -> DeviceInfo:
    return DeviceInfo(DeviceKind.DISPLAY, id=name, name=name, path=name, mode=mode, plugged=plugged)


def test_which_displays_count_and_what_is_known_of_them() -> None:
    told = {"eDP-1": Connector((800, 1280), PanelOrientation.LEFT_UP), "HDMI-A-1": None}

    def look(device: DeviceInfo) -> Connector | None:
        if device.name == "DP-1":
            raise PermissionError(13, "Permission denied")
        return told[device.name]

    found = displays_of(
        [
            connector("DP-1", "1080x1920"),
            connector("HDMI-A-1", "1920x1080i"),
            connector("HDMI-A-2", "", plugged=False),
            connector("eDP-1", "800x1280"),
        ],
        look,
    )
    assert found == (
        Display("eDP-1", (800, 1280), PanelOrientation.LEFT_UP),
        Display("DP-1", (1080, 1920)),
        Display("HDMI-A-1", (1920, 1080)),
    )
    assert [display.upright_size for display in found] == [(1280, 800), (1080, 1920), (1920, 1080)]


@pytest.mark.parametrize("panel", [None, PanelOrientation.NORMAL, PanelOrientation.UPSIDE_DOWN])
def test_a_panel_on_its_head_keeps_its_shape(panel: PanelOrientation | None) -> None:
    assert Display("DSI-1", (480, 800), panel).upright_size == (480, 800)


@pytest.mark.parametrize("mode", ["", "preferred", "0x0", "x480"])
def test_a_mode_without_a_size(mode: str) -> None:
    assert size_of(mode) is None
