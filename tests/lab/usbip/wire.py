# SPDX-License-Identifier: GPL-3.0-or-later
"""USB/IP as vhci_hcd speaks it once a device is attached: transfers and their answers.

Kernel: Documentation/usb/usbip_protocol.rst (USBIP_CMD_SUBMIT and what follows).
"""

import errno
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

EPIPE, ECONNRESET = -errno.EPIPE, -errno.ECONNRESET

_SUBMIT, _UNLINK, _RET_SUBMIT, _RET_UNLINK = 1, 2, 3, 4
_HEADER = struct.Struct(">IIIII")
"""Command, sequence number, device, direction (1: to the host), endpoint."""
_SUBMIT_BODY = struct.Struct(">IiiiI8s")
"""Flags, length, start frame, number of packets, interval, setup packet."""
_ANSWER = struct.Struct(">IIIIIiiiii8x")
_UNLINKED = struct.Struct(">IIIIIi24x")
_PACKET = struct.Struct(">IIII")
"""Of an isochronous transfer: offset, length, actual length, status."""
_REQUEST_BYTES = 48


@dataclass(slots=True)
class Transfer:
    """One URB that the kernel has handed over."""

    seqnum: int
    endpoint: int
    incoming: bool
    """Towards the host."""
    length: int
    setup: bytes
    data: bytes = b""
    start_frame: int = 0
    packets: list[tuple[int, int]] = field(default_factory=list)
    """Offset and length of each packet of an isochronous transfer."""
    due: float = 0.0
    """For the device's own use."""

    def answer(self, data: bytes = b"", status: int = 0, lengths: Sequence[int] = ()) -> bytes:
        """What gives it back; `lengths` holds the filled length of each isochronous packet."""
        size = len(data) if self.incoming else (len(self.data) if status == 0 else 0)
        head = _ANSWER.pack(
            _RET_SUBMIT, self.seqnum, 0, 0, 0, status, size, self.start_frame, len(self.packets), 0
        )
        filled = lengths or [0] * len(self.packets)
        table = b"".join(
            _PACKET.pack(offset, length, done, 0)
            for (offset, length), done in zip(self.packets, filled, strict=True)
        )
        return head + data + table


@dataclass(frozen=True, slots=True)
class Unlink:
    """The kernel wants a transfer back."""

    seqnum: int
    victim: int

    def answer(self, *, taken_back: bool) -> bytes:
        """`taken_back`: it was still waiting; otherwise it has been answered already."""
        return _UNLINKED.pack(_RET_UNLINK, self.seqnum, 0, 0, 0, ECONNRESET if taken_back else 0)


class Requests:
    """Cuts what the kernel sends into requests."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Transfer | Unlink]:
        """Raises ValueError when the other end speaks something else."""
        self._buffer += data
        while (request := self._next()) is not None:
            yield request

    def _next(self) -> Transfer | Unlink | None:
        buffer = self._buffer
        if len(buffer) < _REQUEST_BYTES:
            return None
        command, seqnum, _, direction, endpoint = _HEADER.unpack_from(buffer)
        if command == _UNLINK:
            (victim,) = struct.unpack_from(">I", buffer, _HEADER.size)
            del buffer[:_REQUEST_BYTES]
            return Unlink(seqnum, victim)
        if command != _SUBMIT:
            raise ValueError(f"unknown USB/IP command {command}")
        _, length, start, packets, _, setup = _SUBMIT_BODY.unpack_from(buffer, _HEADER.size)
        packets, size = max(0, packets), 0 if direction else length
        end = _REQUEST_BYTES + size + _PACKET.size * packets
        if len(buffer) < end:
            return None
        table = [
            _PACKET.unpack_from(buffer, _REQUEST_BYTES + size + _PACKET.size * index)[:2]
            for index in range(packets)
        ]
        payload = bytes(buffer[_REQUEST_BYTES : _REQUEST_BYTES + size])
        del buffer[:end]
        return Transfer(seqnum, endpoint, bool(direction), length, setup, payload, start, table)
