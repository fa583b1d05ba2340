# SPDX-License-Identifier: GPL-3.0-or-later
"""A push button as USB gives them: a keyboard with few keys (HID 1.11)."""

import struct
from collections import deque

from tests.lab.usbip.device import Refused, Speed, Stall, UsbDevice, taken
from tests.lab.usbip.wire import Transfer

KEYS = {"KEY_ENTER": 0x28, **{f"KEY_F{n}": 0x39 + n for n in range(1, 13)}, "KEY_F13": 0x68}
"""Usages of HID's keyboard page by the kernel's names."""
# One byte: the usage of the key that is down, from the keyboard page.
_REPORT = bytes.fromhex("05010906a1010507190029ff150026ff00950175088100c0")
_GET_REPORT, _SET_REPORT, _SET_IDLE, _SET_PROTOCOL = 0x01, 0x09, 0x0A, 0x0B


class Button(UsbDevice):
    """`press` and `release` it."""

    speed = Speed.FULL
    ids = (0x1209, 0x0003)

    def __init__(self, product: str = "Lab Button", serial: str = "B1") -> None:
        super().__init__(product, serial)
        self._waiting: deque[Transfer] = deque()
        self._reports: deque[bytes] = deque()

    def press(self, key: str = "KEY_F13") -> None:
        self._report(bytes((KEYS[key],)))

    def release(self) -> None:
        self._report(b"\0")

    def _report(self, report: bytes) -> None:
        with self.lock:
            self._reports.append(report)
        self.wake()

    def interfaces(self) -> tuple[bytes, int]:
        interface = struct.pack("<BBBBBBBBB", 9, 4, 0, 0, 1, 3, 0, 0, 2)
        endpoint = struct.pack("<BBBBHB", 7, 5, 0x81, 3, 8, 4)
        return interface + self._hid() + endpoint, 1

    def _hid(self) -> bytes:
        return struct.pack("<BBHBBBH", 9, 0x21, 0x0111, 0, 1, 0x22, len(_REPORT))

    def class_descriptor(self, what: int) -> bytes:
        if what == 0x22:
            return _REPORT
        if what == 0x21:
            return self._hid()
        raise Refused

    def class_request(self, request: int, _value: int, _index: int, _data: bytes) -> bytes:
        if request in (_SET_REPORT, _SET_IDLE, _SET_PROTOCOL):
            return b""
        if request == _GET_REPORT:
            return b"\0"
        raise Refused

    def transfer(self, transfer: Transfer) -> None:
        self._waiting.append(transfer)

    def unlink(self, seqnum: int) -> bool:
        return taken(self._waiting, seqnum)

    def reset(self) -> None:
        self._waiting.clear()
        self._reports.clear()

    def tick(self, _now: float) -> float | None:
        while self._waiting and self._reports and self.stalled != Stall.FREEZE:
            self.finish(self._waiting.popleft(), self._reports.popleft())
        return None
