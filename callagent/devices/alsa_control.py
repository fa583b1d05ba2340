# SPDX-License-Identifier: GPL-3.0-or-later
"""A sound card's controls of every kind, jacks and byte arrays among them, which pyalsaaudio's mixer lacks.

Kernel: include/uapi/sound/asound.h, "Control interface"; nothing is ever written.
"""

import ctypes
import fcntl
import os
from collections.abc import Callable
from ctypes import c_char, c_int, c_int32, c_long, c_ubyte, c_uint, c_uint32, c_void_p
from dataclasses import dataclass

from callagent.devices.ioctl import iowr

IFACE_CARD = 0
IFACE_PCM = 3
EVENT_ADD = 4
EVENT_REMOVE = 0xFFFFFFFF
_EVENTS_AT_ONCE = 64
_ATTEMPTS = 8


class ElementId(ctypes.Structure):
    """struct snd_ctl_elem_id."""

    _fields_ = (
        *(("numid", c_uint), ("iface", c_int), ("device", c_uint), ("subdevice", c_uint)),
        *(("name", c_char * 44), ("index", c_uint)),
    )


class ElementList(ctypes.Structure):
    """struct snd_ctl_elem_list."""

    _fields_ = (
        *(("offset", c_uint), ("space", c_uint), ("used", c_uint), ("count", c_uint)),
        *(("pids", c_void_p), ("_reserved", c_ubyte * 50)),
    )


class ElementInfo(ctypes.Structure):
    """struct snd_ctl_elem_info, without the names of menu items."""

    _fields_ = (
        *(("id", ElementId), ("type", c_int), ("access", c_uint), ("count", c_uint), ("owner", c_int32)),
        *(("_value", c_ubyte * 128), ("_reserved", c_ubyte * 64)),
    )


class ElementValue(ctypes.Structure):
    """struct snd_ctl_elem_value; `integers` begins where `bytes` does."""

    _fields_ = (
        *(("id", ElementId), ("_indirect", c_uint), ("integers", c_long * 128)),
        ("_reserved", c_ubyte * 128),
    )


class ElementEvent(ctypes.Structure):
    """struct snd_ctl_event of the one kind there is."""

    _fields_ = (("type", c_int), ("mask", c_uint32), ("id", ElementId))


LIST = iowr("U", 0x10, ctypes.sizeof(ElementList))
INFO = iowr("U", 0x11, ctypes.sizeof(ElementInfo))
READ = iowr("U", 0x12, ctypes.sizeof(ElementValue))
SUBSCRIBE = iowr("U", 0x16, ctypes.sizeof(c_int))

Ask = Callable[[int, ctypes.Structure | c_int], None]
"""One ioctl on an open control node: its number and what it fills. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Element:
    """One control; `numid` is its key as long as the card is there."""

    numid: int
    iface: int
    device: int
    """Of a PCM's control: the PCM's number."""
    name: str


class ControlNode:
    """An open /dev/snd/controlCN. For one thread at a time; every method raises OSError (ENODEV: it is gone).

    HDMI outputs' controls are answered from the driver's memory; those of a USB card may take it seconds.
    """

    def __init__(self, descriptor: int, ask: Ask) -> None:
        """Owns the descriptor, which is non-blocking."""
        self._descriptor = descriptor
        self._ask = ask

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        os.close(self._descriptor)

    def elements(self) -> list[Element]:
        """All controls; the kernel tells how many there are and fills what there is room for."""
        room = 0
        for _ in range(_ATTEMPTS):
            ids = (ElementId * room)()
            found = ElementList(space=room, pids=ctypes.addressof(ids) if room else None)
            self._ask(LIST, found)
            if found.count <= room:
                return [
                    Element(each.numid, each.iface, each.device, each.name.decode(errors="replace"))
                    for each in ids[: found.used]
                ]
            room = found.count
        return []

    def boolean(self, element: Element) -> bool:
        return bool(self._value(element).integers[0])

    def data(self, element: Element) -> bytes:
        """Of a control of bytes, all that it has at the moment."""
        info = ElementInfo(id=ElementId(numid=element.numid))
        self._ask(INFO, info)
        value = self._value(element)
        start = ElementValue.integers.offset
        return bytes(value)[start : start + min(info.count, ElementValue.integers.size)]

    def _value(self, element: Element) -> ElementValue:
        value = ElementValue(id=ElementId(numid=element.numid))
        self._ask(READ, value)
        return value

    def subscribe(self) -> None:
        """From now on the descriptor is readable when a control changed."""
        self._ask(SUBSCRIBE, c_int(1))

    def changed(self) -> list[tuple[int, int]]:
        """Number and event mask of what changed since it was asked last; never blocks."""
        size = ctypes.sizeof(ElementEvent)
        try:
            data = os.read(self._descriptor, _EVENTS_AT_ONCE * size)
        except BlockingIOError:
            return []
        events = (
            ElementEvent.from_buffer_copy(data, start) for start in range(0, len(data) - size + 1, size)
        )
        return [(event.id.numid, event.mask) for event in events]


def open_control(card: int) -> ControlNode:
    """Raises OSError."""
    descriptor = os.open(f"/dev/snd/controlC{card}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def ask(request: int, argument: ctypes.Structure | c_int) -> None:
        fcntl.ioctl(descriptor, request, argument)

    return ControlNode(descriptor, ask)
