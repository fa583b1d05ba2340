# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and switches of input devices: USB buttons, headset hooks, keypads, lens covers, by evdev.

Kernel: Documentation/input/event-codes.rst. On the asyncio loop.
"""

import asyncio
import contextlib
import fcntl
import logging
from collections.abc import Callable

import evdev
from evdev import ecodes

log = logging.getLogger(__name__)


def code_of(name: str) -> tuple[int, int]:
    """Event type and code of `KEY_F13`, `BTN_0` or `SW_CAMERA_LENS_COVER`. Raises ValueError."""
    code = ecodes.ecodes.get(name)
    if not isinstance(code, int) or not name.startswith(("KEY_", "BTN_", "SW_")):
        raise ValueError(f"the kernel knows no key {name}")
    return (ecodes.EV_SW if name.startswith("SW_") else ecodes.EV_KEY), code


def closed_switches(descriptor: int) -> list[int]:
    """The SW_ codes of an input device that are set (EVIOCGSW, linux/input.h)."""
    size = ecodes.SW_MAX // 8 + 1
    bits = bytearray(size)
    fcntl.ioctl(descriptor, 2 << 30 | size << 16 | ord("E") << 8 | 0x1B, bits)
    return [code for code in range(ecodes.SW_MAX + 1) if bits[code // 8] >> code % 8 & 1]


class KeyWatch:
    """One key of one input device, from `open` to `close` or to the unplugging.

    `on_change(down)` is told every change but repeats, and how it stands at the start.
    """

    def __init__(
        self,
        path: str,
        name: str,
        on_change: Callable[[bool], None],
        on_lost: Callable[[], None],
        *,
        exclusive: bool = False,
    ) -> None:
        """Raises ValueError for a name that is no key."""
        self._path = path
        self._type, self._code = code_of(name)
        self._on_change = on_change
        self._on_lost = on_lost
        self._exclusive = exclusive
        self._device: evdev.InputDevice[str] | None = None

    def open(self) -> bool:
        """Begin to listen; False when the device has no such key. Raises OSError."""
        device = evdev.InputDevice(self._path)
        try:
            if self._code not in device.capabilities(absinfo=False).get(self._type, ()):
                device.close()
                return False
            if self._exclusive:
                # What a keypad types must not land on the console.
                device.grab()
            pressed = device.active_keys() if self._type == ecodes.EV_KEY else closed_switches(device.fd)
        except OSError:
            device.close()
            raise
        self._device = device
        asyncio.get_running_loop().add_reader(device.fd, self._read)
        self._on_change(self._code in pressed)
        return True

    def close(self) -> None:
        """Idempotent."""
        device, self._device = self._device, None
        if device is not None:
            asyncio.get_running_loop().remove_reader(device.fd)
            with contextlib.suppress(OSError):
                device.close()

    def _read(self) -> None:
        device = self._device
        if device is None:
            return
        try:
            for event in device.read():
                if event.type == self._type and event.code == self._code and event.value in (0, 1):
                    self._on_change(bool(event.value))
        except BlockingIOError:
            return
        except OSError as error:
            log.info("the keys of %s are gone: %s", self._path, error)
            self.close()
            self._on_lost()
