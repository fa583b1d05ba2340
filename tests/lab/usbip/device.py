# SPDX-License-Identifier: GPL-3.0-or-later
"""What every virtual USB device has: a cable, descriptors, standard requests, and ways to misbehave.

USB 2.0 specification, chapter 9.
"""

import contextlib
import os
import select
import socket
import struct
import threading
import time
from collections import deque
from enum import IntEnum, StrEnum
from typing import Protocol

from tests.lab.usbip.wire import EPIPE, Requests, Transfer, Unlink

ENGLISH = b"\x04\x03\x09\x04"
_CLASS_REQUEST = 0x20
_TO_INTERFACE, _TO_ENDPOINT = 1, 2
_DRAIN_S = 8.0
_ASKED = 20
_EARLY_S = 1.0


class Speed(IntEnum):
    """As vhci_hcd numbers them (enum usb_device_speed)."""

    FULL = 2
    HIGH = 3


class Stall(StrEnum):
    """Ways of every device to misbehave."""

    FREEZE = "freeze"
    """Endpoints give and take nothing more; control requests work."""
    CONTROL = "control"
    """Nothing is answered at all, so that drivers run into their time limits."""
    REFUSE = "refuse"
    """Requests of the device's class are refused; data goes on."""


class Refused(Exception):
    """A control request is answered with STALL."""


class Host(Protocol):
    """The guest, as far as a device needs it."""

    def attach_usb(self, tcp_port: int, usb_port: int, speed: int) -> None:
        """Have the guest connect to here and hand the connection to its USB host controller."""

    def trouble(self) -> str:
        """What the guest's kernel is at."""


class UsbDevice:
    """One device with its own thread. `plug` and `unplug` from any other thread.

    Subclasses give descriptors and answer what concerns their class; those methods run on the
    device's thread, under `lock`.
    """

    speed = Speed.HIGH
    ids = (0x1209, 0x0001)
    """Vendor and product; 1209 is the open one of pid.codes."""
    device_class = (0, 0, 0)

    def __init__(self, product: str, serial: str = "", vendor: str = "Kiosk Lab") -> None:
        """An empty serial number is none at all, as with many cheap devices."""
        self._strings = {1: vendor, 2: product, 3: serial}
        self.lock = threading.RLock()
        self.stalled: str = ""
        self.configured = threading.Event()
        """The kernel knows the device."""
        self.failure: BaseException | None = None
        """What ended the connection, when that was not `unplug`."""
        self._held: deque[Transfer] = deque()
        self._answers = bytearray()
        """What goes to the guest once nothing more is due: each piece on its own costs an interrupt there."""
        self._newest = 0
        """Number of the last transfer that came; they come in order."""
        self._early: dict[int, tuple[Unlink, float]] = {}
        """Requests to take back transfers that have not come yet, by their numbers; how long to wait."""
        self._asked: deque[str] = deque(maxlen=_ASKED)
        """Setup packets of the last control requests, to tell what the kernel was at."""
        self._altsettings: dict[int, int] = {}
        self._connection: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._waker, False)

    def __str__(self) -> str:
        return self._strings[2]

    # --- the cable ------------------------------------------------------------------------

    def plug(self, host: Host, port: int, timeout_s: float | None = 60.0) -> None:
        """Plug into a port of the guest's first controller (0 to 7); returns once the kernel knows it.

        None as limit: returns at once. Raises TimeoutError; the device is plugged in all the same.
        """
        if self.plugged:
            raise RuntimeError("already plugged in")
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(30)
            tcp_port = server.getsockname()[1]
            asking = threading.Thread(target=host.attach_usb, args=(tcp_port, port, self.speed))
            asking.start()
            connection, _ = server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(None)
        self.failure = None
        self.configured.clear()
        with self.lock:
            self._altsettings.clear()
            self._answers.clear()
            self._newest = 0
            self._early.clear()
            self._asked.clear()
            self.reset()
        self._connection = connection
        self._thread = threading.Thread(target=self._serve, args=(connection,), name="usb", daemon=True)
        self._thread.start()
        asking.join()
        if timeout_s is not None and not self.configured.wait(timeout_s):
            state = self.failure or ("it answers" if self.plugged else "the kernel pulled it")
            asked = " ".join(self._asked) or "nothing"
            raise TimeoutError(
                f"the kernel did not configure the device ({state}); asked: {asked}\n{host.trouble()}"
            )

    def unplug(self) -> None:
        """Pull the cable; returns once the guest has noticed. Idempotent."""
        connection, self._connection = self._connection, None
        thread, self._thread = self._thread, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
            self.wake()
        if thread is not None:
            thread.join(10)
        if connection is not None:
            connection.close()
        self._held.clear()

    def close(self) -> None:
        """Unplug for good."""
        self.unplug()
        for descriptor in (self._woken, self._waker):
            os.close(descriptor)

    @property
    def plugged(self) -> bool:
        return self._connection is not None

    def stall(self, how: str) -> None:
        """Misbehave until `resume`: one of `Stall`, or what the class has besides."""
        with self.lock:
            self.stalled = how
            self.stalling()
        self.wake()

    def resume(self) -> None:
        """Behave again; control requests that were kept waiting are answered."""
        with self.lock:
            self.stalled = ""
            held, self._held = self._held, deque()
            for transfer in held:
                self._control(transfer)
            self.resumed()
        self.wake()

    # --- transfers --------------------------------------------------------------------------

    def finish(
        self, transfer: Transfer, data: bytes = b"", status: int = 0, lengths: list[int] | None = None
    ) -> None:
        """Give a transfer back, soon: from another thread than the device's, `wake` it then."""
        self._answers += transfer.answer(data, status, lengths or ())

    def wake(self) -> None:
        """Have `tick` called at once."""
        with contextlib.suppress(OSError):
            os.write(self._waker, b".")

    def _serve(self, connection: socket.socket) -> None:
        requests = Requests()
        try:
            while connection is self._connection:
                with self.lock:
                    wait_s = self._due(time.monotonic())
                    answers, self._answers = self._answers, bytearray()
                with contextlib.suppress(OSError):  # The cable is being pulled.
                    connection.sendall(answers)
                ready, _, _ = select.select([connection.fileno(), self._woken], [], [], wait_s)
                if self._woken in ready:
                    os.read(self._woken, 4096)
                if connection.fileno() in ready:
                    data = connection.recv(1 << 18)
                    if not data:
                        break
                    with self.lock:
                        for request in requests.feed(data):
                            self._take(request)
        except Exception as error:
            if connection is self._connection:
                self.failure = error
        if connection is self._connection:
            self._connection = None
            connection.close()
        else:
            _drain(connection)

    def _due(self, now: float) -> float | None:
        """Do what is due; seconds until the next, None when only a request can bring something."""
        waits = [] if self.stalled == Stall.CONTROL else [self.tick(now)]
        for victim, (request, until) in list(self._early.items()):
            if until <= now:
                # One for the device that was in this port before: the kernel knows whose it is.
                del self._early[victim]
                self._answer_unlink(request, True)
            else:
                waits.append(until - now)
        return min((wait_s for wait_s in waits if wait_s is not None), default=None)

    def _take(self, request: Transfer | Unlink) -> None:
        if isinstance(request, Unlink):
            if request.victim > self._newest:
                # vhci_hcd may send this before the transfer itself. Answered now, the transfer would be
                # given back or not, by chance, and its own answer would break the connection.
                self._early[request.victim] = request, time.monotonic() + _EARLY_S
                return
            self._answer_unlink(request, self._held_back(request.victim) or self.unlink(request.victim))
            return
        self._newest = request.seqnum
        if (early := self._early.pop(request.seqnum, None)) is not None:
            self._answer_unlink(early[0], True)
        elif request.endpoint == 0:
            self._control(request)
        else:
            self.transfer(request)

    def _answer_unlink(self, request: Unlink, taken_back: bool) -> None:
        self._answers += request.answer(taken_back=taken_back)

    def _held_back(self, seqnum: int) -> bool:
        found = next((transfer for transfer in self._held if transfer.seqnum == seqnum), None)
        if found is not None:
            self._held.remove(found)
        return found is not None

    # --- control requests -------------------------------------------------------------------

    def _control(self, transfer: Transfer) -> None:
        self._asked.append(transfer.setup.hex())
        if self.stalled == Stall.CONTROL:
            self._held.append(transfer)
            return
        try:
            self.finish(transfer, self._answer(transfer.setup, transfer.data)[: transfer.length])
        except Refused:
            self.finish(transfer, status=EPIPE)

    def _answer(self, setup: bytes, data: bytes) -> bytes:
        kind, request, value, index, _ = struct.unpack("<BBHHH", setup)
        if kind & 0x60 == _CLASS_REQUEST:
            if self.stalled == Stall.REFUSE:
                raise Refused
            return self.class_request(request, value, index, data)
        if kind & 0x60:
            raise Refused
        recipient = kind & 0x1F
        match request:
            case 0:  # GET_STATUS
                halted = recipient == _TO_ENDPOINT and self.is_halted(index)
                return bytes((int(halted), 0))
            case 1 if recipient == _TO_ENDPOINT:  # CLEAR_FEATURE, of ENDPOINT_HALT
                self.halt_cleared(index)
                return b""
            case 6 if recipient == _TO_INTERFACE:  # GET_DESCRIPTOR of a class
                return self.class_descriptor(value >> 8)
            case 6:
                return self._descriptor(value >> 8, value & 0xFF)
            case 8:  # GET_CONFIGURATION
                return b"\x01"
            case 9:  # SET_CONFIGURATION
                self.configured.set()
                return b""
            case 10:  # GET_INTERFACE
                return bytes((self._altsettings.get(index, 0),))
            case 11:  # SET_INTERFACE
                self._altsettings[index] = value
                self.interface_set(index, value)
                return b""
            case 1 | 3 | 5:  # CLEAR_FEATURE, SET_FEATURE, SET_ADDRESS
                return b""
            case _:
                raise Refused

    def _descriptor(self, what: int, number: int) -> bytes:
        if what == 1:
            serial = 3 if self._strings[3] else 0
            return struct.pack(
                "<BBHBBBBHHHBBBB", 18, 1, 0x0200, *self.device_class, 64, *self.ids, 0x0100, 1, 2, serial, 1
            )
        if what == 2:
            body, interfaces = self.interfaces()
            return struct.pack("<BBHBBBBB", 9, 2, 9 + len(body), interfaces, 1, 0, 0x80, 250) + body
        if what == 3 and number == 0:
            return ENGLISH
        if what == 3 and self._strings.get(number):
            text = self._strings[number].encode("utf-16-le")
            return bytes((2 + len(text), 3)) + text
        raise Refused

    # --- for subclasses -----------------------------------------------------------------------

    def interfaces(self) -> tuple[bytes, int]:
        """The configuration's descriptors after its own, and the number of interfaces."""
        raise NotImplementedError

    def class_descriptor(self, _what: int) -> bytes:
        """A descriptor asked of an interface, such as HID's report descriptor. Raises Refused."""
        raise Refused

    def class_request(self, request: int, value: int, index: int, data: bytes) -> bytes:
        """A request of the device's class. Raises Refused."""
        raise NotImplementedError

    def transfer(self, transfer: Transfer) -> None:
        """One for an endpoint other than 0: keep it, or `finish` it."""
        raise NotImplementedError

    def unlink(self, seqnum: int) -> bool:
        """Forget a kept transfer; False when it was answered already."""
        raise NotImplementedError

    def tick(self, _now: float) -> float | None:
        """Do what is due; returns seconds until the next, at most. Called before each wait."""
        return None

    def reset(self) -> None:
        """The device gets its power."""

    def interface_set(self, interface: int, setting: int) -> None:
        """SET_INTERFACE has come."""

    def is_halted(self, _endpoint: int) -> bool:
        return False

    def halt_cleared(self, endpoint: int) -> None:
        """CLEAR_FEATURE(ENDPOINT_HALT) has come."""

    def stalling(self) -> None:
        """`stalled` has just been set."""

    def resumed(self) -> None:
        """`stalled` has just been cleared."""


def _drain(connection: socket.socket) -> None:
    """Read what the guest still sends, until it has closed the connection too.

    vhci_hcd loses a transfer that is unlinked before it was sent when the connection breaks in between, and
    the hub's worker then waits for it for ever (vhci_device_unlink_cleanup looks through sent ones only).
    """
    with contextlib.suppress(OSError):
        connection.settimeout(_DRAIN_S)
        while connection.recv(1 << 18):
            pass


def taken(waiting: deque[Transfer], seqnum: int) -> bool:
    """Remove the transfer of that number; False when there is none."""
    found = next((transfer for transfer in waiting if transfer.seqnum == seqnum), None)
    if found is not None:
        waiting.remove(found)
    return found is not None
