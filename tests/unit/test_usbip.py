# SPDX-License-Identifier: GPL-3.0-or-later
"""The laboratory's virtual USB devices, against a host controller that is only a socket."""

import socket
import struct
from collections.abc import Iterator

import pytest

from tests.lab.usbip.button import Button

ECONNRESET = 104
SUBMIT, UNLINK, RET_SUBMIT, RET_UNLINK = 1, 2, 3, 4
HEADER_BYTES = 48


class Controller:
    """A `Host` of one port; speaks as vhci_hcd does, when it is told to."""

    _socket: socket.socket

    def attach_usb(self, tcp_port: int, usb_port: int, speed: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", tcp_port), timeout=10)

    def trouble(self) -> str:
        return ""

    def take_back(self, seqnum: int, victim: int) -> None:
        self._socket.sendall(struct.pack(">IIIIII24x", UNLINK, seqnum, 0, 0, 0, victim))

    def ask(self, seqnum: int, setup: bytes) -> None:
        head = struct.pack(">IIIIIIIIII", SUBMIT, seqnum, 0, 1, 0, 0, 2, 0, 0, 0)
        self._socket.sendall(head + setup)

    def answer(self) -> tuple[int, int, int]:
        """Command, number and status of the next answer."""
        command, seqnum, _, _, _, status, length = struct.unpack_from(">IIIIIiI", self._read(HEADER_BYTES))
        if command == RET_SUBMIT:
            self._read(length)
        return command, seqnum, status

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._socket.recv(count - len(data))
            assert more, "the device has closed the connection"
            data += more
        return data

    def close(self) -> None:
        self._socket.close()


GET_STATUS = struct.pack("<BBHHH", 0x80, 0, 0, 0, 2)


@pytest.fixture
def device() -> Iterator[Button]:
    button = Button()
    yield button
    button.close()


@pytest.fixture
def controller(device: Button) -> Iterator[Controller]:
    """With the device in its port."""
    controller = Controller()
    device.plug(controller, 0, None)
    yield controller
    controller.close()


def test_what_is_taken_back_before_it_came_is_answered_once(controller: Controller) -> None:
    """vhci_hcd's sender may overtake itself."""
    controller.take_back(6, victim=5)
    controller.ask(5, GET_STATUS)
    assert controller.answer() == (RET_UNLINK, 6, -ECONNRESET)
    controller.ask(7, GET_STATUS)
    assert controller.answer() == (RET_SUBMIT, 7, 0)


def test_what_was_sent_to_the_device_before_in_this_port_is_given_back(
    controller: Controller, device: Button
) -> None:
    """Its transfer never comes; whoever waits for it in the kernel would wait for ever."""
    device.stall("control")
    controller.take_back(6, victim=5)
    assert controller.answer() == (RET_UNLINK, 6, -ECONNRESET)


def test_what_was_answered_is_not_given_back_again(controller: Controller) -> None:
    controller.ask(5, GET_STATUS)
    assert controller.answer() == (RET_SUBMIT, 5, 0)
    controller.take_back(6, victim=5)
    assert controller.answer() == (RET_UNLINK, 6, 0)
