# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and switches of input devices: USB buttons, headset hooks, keypads, lens covers, by evdev.

Kernel: Documentation/input/event-codes.rst. On the asyncio loop.
"""

import asyncio
import contextlib
import fcntl
import logging
import struct
import time
from collections.abc import Callable

import evdev
from evdev import ecodes

from callagent.devices.ioctl import ior, iow

log = logging.getLogger(__name__)

OnChange = Callable[[bool, float], None]
"""Told whether a key is down (a switch is closed), and since when on the monotonic clock."""

_SWITCH_BYTES = ecodes.SW_MAX // 8 + 1
_EVIOCGSW = ior("E", 0x1B, _SWITCH_BYTES)
_EVIOCSCLOCKID = iow("E", 0xA0, 4)


def code_of(name: str) -> tuple[int, int]:
    """Event type and code of `KEY_F13`, `BTN_0` or `SW_CAMERA_LENS_COVER`. Raises ValueError."""
    code = ecodes.ecodes.get(name)
    if not isinstance(code, int) or not name.startswith(("KEY_", "BTN_", "SW_")):
        raise ValueError(f"the kernel knows no key {name}")
    return (ecodes.EV_SW if name.startswith("SW_") else ecodes.EV_KEY), code


def closed_switches(descriptor: int) -> list[int]:
    """The SW_ codes of an input device that are set (EVIOCGSW, linux/input.h)."""
    bits = bytearray(_SWITCH_BYTES)
    fcntl.ioctl(descriptor, _EVIOCGSW, bits)
    return [code for code in range(ecodes.SW_MAX + 1) if bits[code // 8] >> code % 8 & 1]


def _stamp_monotonically(descriptor: int) -> None:
    """Have events of this descriptor carry CLOCK_MONOTONIC rather than the wall clock (linux/input.h)."""
    fcntl.ioctl(descriptor, _EVIOCSCLOCKID, struct.pack("i", time.CLOCK_MONOTONIC))


class KeyWatch:
    """One key of one input device, until `close` or the unplugging."""

    def __init__(
        self,
        device: "_OpenDevice",
        key: tuple[int, int],
        on_change: OnChange,
        on_lost: Callable[[], None],
    ) -> None:
        self._device = device
        self.key = key
        self.on_change = on_change
        self.on_lost = on_lost

    def close(self) -> None:
        """Idempotent."""
        self._device.leave(self)


class InputDevices:
    """The input devices in use. Each is opened once, however many of its keys are watched.

    A second descriptor of a device that the first one grabbed would never hear of anything.
    """

    def __init__(self) -> None:
        self._open: dict[str, _OpenDevice] = {}

    def watch(
        self,
        path: str,
        name: str,
        on_change: OnChange,
        on_lost: Callable[[], None],
        *,
        exclusive: bool = False,
    ) -> KeyWatch | None:
        """Begin to listen; None when the device has no such key.

        `on_change` is told every change but repeats, and at once how the key stands. `on_lost` is told of
        the unplugging. `exclusive` keeps the whole device from everybody else for as long as any of its keys
        is watched. Raises ValueError for a name that is no key, OSError.
        """
        key = code_of(name)
        device = self._open.get(path)
        if device is None:
            device = self._open[path] = _OpenDevice(path, self._open)
        watch = KeyWatch(device, key, on_change, on_lost)
        try:
            taken = device.join(watch, exclusive=exclusive)
        except OSError as error:
            device.leave(watch)
            raise OSError(error.errno, error.strerror, path) from error
        if not taken:
            device.leave(watch)
            return None
        return watch


class _OpenDevice:
    """One descriptor, for all keys watched on it; closed with the last of them."""

    def __init__(self, path: str, among: dict[str, "_OpenDevice"]) -> None:
        """Raises OSError."""
        self._path = path
        self._among = among
        self._device: evdev.InputDevice[str] | None = evdev.InputDevice(path)
        self._watches: list[KeyWatch] = []
        self._grabbed = False
        self._incomplete = False
        """Events were dropped, and those until the next report mean nothing."""
        try:
            _stamp_monotonically(self._device.fd)
        except OSError:
            self._close()
            raise
        asyncio.get_running_loop().add_reader(self._device.fd, self._read)

    def join(self, watch: KeyWatch, *, exclusive: bool) -> bool:
        """False when the device has no such key. Raises OSError."""
        device = self._device
        if device is None:
            return False
        kind, code = watch.key
        if code not in device.capabilities(absinfo=False).get(kind, ()):
            return False
        if exclusive and not self._grabbed:
            # What a keypad types must not land on the console.
            device.grab()
            self._grabbed = True
        down = self._down()
        self._watches.append(watch)
        # All of them: to be asked has the kernel forget the changes that still waited to be read.
        self._tell(down)
        return True

    def leave(self, watch: KeyWatch) -> None:
        if watch in self._watches:
            self._watches.remove(watch)
        if not self._watches:
            self._close()

    def _close(self) -> None:
        device, self._device = self._device, None
        if device is None:
            return
        if self._among.get(self._path) is self:
            del self._among[self._path]
        asyncio.get_running_loop().remove_reader(device.fd)
        with contextlib.suppress(OSError):
            device.close()

    def _read(self) -> None:
        if self._device is None:
            return
        try:
            events = list(self._device.read())
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(error)
            return
        for event in events:
            self._take(event)

    def _lost(self, error: OSError) -> None:
        log.info("the keys of %s are gone: %s", self._path, error)
        watches = tuple(self._watches)
        self._close()
        for watch in watches:
            watch.on_lost()

    def _take(self, event: evdev.InputEvent) -> None:
        if event.type == ecodes.EV_SYN and event.code == ecodes.SYN_DROPPED:
            self._incomplete = True
        elif self._incomplete:
            # event-codes.rst, SYN_DROPPED: ignore up to the next report, then ask how the keys stand.
            if event.type == ecodes.EV_SYN and event.code == ecodes.SYN_REPORT:
                self._incomplete = False
                self._ask_anew()
        elif event.value in (0, 1):
            for watch in tuple(self._watches):
                if watch.key == (event.type, event.code):
                    watch.on_change(bool(event.value), event.timestamp())

    def _ask_anew(self) -> None:
        try:
            down = self._down()
        except OSError as error:
            self._lost(error)
            return
        self._tell(down)

    def _tell(self, down: set[tuple[int, int]]) -> None:
        now = time.monotonic()
        for watch in tuple(self._watches):
            watch.on_change(watch.key in down, now)

    def _down(self) -> set[tuple[int, int]]:
        """The keys that are pressed and the switches that are closed. Raises OSError."""
        device = self._device
        if device is None:
            return set()
        keys = {(ecodes.EV_KEY, code) for code in device.active_keys()}
        return keys | {(ecodes.EV_SW, code) for code in closed_switches(device.fd)}
