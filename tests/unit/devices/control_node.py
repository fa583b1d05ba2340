# SPDX-License-Identifier: GPL-3.0-or-later
"""A sound card's control node as the kernel's sound/core/control.c answers: a table of controls behind the
ioctls, and a pipe for the events that are read from the node."""

import contextlib
import ctypes
import errno
import os

from callagent.devices import alsa_control
from callagent.devices.alsa_control import IFACE_CARD, IFACE_PCM, ControlNode

IFACE_MIXER = 2


def eld(*, version: int = 2, formats: int = 1) -> bytes:
    """Layout: include/drm/drm_eld.h, 128 bytes as hdmi-codec hands them out."""
    head = bytes([version << 3, 0, 8, 0, 3 << 5 | 7, formats << 4])
    return (head + bytes(10) + b"\x2d\x4c\x67\x06SAMSUNG" + b"\x09\x07\x07" * formats).ljust(128, b"\0")


class Controls:
    """The controls of one card; each `open` is a node of its own."""

    def __init__(self, *elements: tuple[int, int, str, bool | bytes]) -> None:
        """Interface, PCM number, name, value."""
        self.elements = dict(enumerate(elements, 1))
        self.gone = False
        self._writers: list[int] = []
        self._readers: set[int] = set()

    def open(self, _: int = 0) -> ControlNode:
        if self.gone:
            raise OSError(errno.ENOENT, "no such card")
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._writers.append(writer)
        self._readers.add(reader)
        return ControlNode(reader, self._answer)

    def set(self, name: str, value: bool | bytes, mask: int = 1) -> None:
        for number, (iface, device, known, _) in self.elements.items():
            if known == name:
                self.elements[number] = (iface, device, known, value)
                self._tell(number, mask)

    def add(self, element: tuple[int, int, str, bool | bytes]) -> None:
        number = max(self.elements) + 1
        self.elements[number] = element
        self._tell(number, alsa_control.EVENT_ADD)

    def pull(self) -> None:
        """The card is gone: its nodes are readable and dead."""
        self.gone = True
        self.close()

    def open_nodes(self) -> int:
        """How many were not closed."""
        return sum(_is_pipe(reader) for reader in self._readers)

    def close(self) -> None:
        writers, self._writers = self._writers, []
        for writer in writers:
            os.close(writer)

    def _tell(self, number: int, mask: int) -> None:
        event = alsa_control.ElementEvent(mask=mask, id=alsa_control.ElementId(numid=number))
        for writer in self._writers:
            with contextlib.suppress(BrokenPipeError):
                os.write(writer, bytes(event))

    def _answer(self, request: int, argument: ctypes.Structure | ctypes.c_int) -> None:
        if self.gone:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        match argument:
            case alsa_control.ElementList():
                assert request == alsa_control.LIST
                argument.count, argument.used = len(self.elements), min(argument.space, len(self.elements))
                for index, (number, (iface, device, name, _)) in enumerate(self.elements.items()):
                    if index < argument.space:
                        place = argument.pids + index * ctypes.sizeof(alsa_control.ElementId)
                        entry = alsa_control.ElementId.from_address(place)
                        entry.numid, entry.iface, entry.device, entry.name = (
                            number,
                            iface,
                            device,
                            name.encode(),
                        )
            case alsa_control.ElementInfo():
                assert request == alsa_control.INFO
                value = self.elements[argument.id.numid][3]
                argument.count = len(value) if isinstance(value, bytes) else 1
            case alsa_control.ElementValue():
                assert request == alsa_control.READ
                value = self.elements[argument.id.numid][3]
                if isinstance(value, bytes):
                    place = ctypes.addressof(argument) + alsa_control.ElementValue.integers.offset
                    ctypes.memmove(place, value, len(value))
                else:
                    argument.integers[0] = value


def _is_pipe(descriptor: int) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}").startswith("pipe:")
    except FileNotFoundError:
        return False


def intel() -> Controls:
    """An HDA card with analog output and two HDMI outputs, a television at the second."""
    return Controls(
        (IFACE_MIXER, 0, "Master Playback Volume", True),
        (IFACE_CARD, 0, "Headphone Jack", False),
        (IFACE_CARD, 0, "HDMI/DP,pcm=3 Jack", False),
        (IFACE_PCM, 3, "ELD", b""),
        (IFACE_CARD, 0, "HDMI/DP,pcm=7 Jack", True),
        (IFACE_PCM, 7, "ELD", eld()),
        (IFACE_PCM, 3, "Playback Channel Map", False),
    )
