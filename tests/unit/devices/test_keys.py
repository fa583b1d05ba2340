# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys as evdev's own reader takes them from a descriptor: here a pipe, in the laboratory uinput."""

import asyncio
import errno
import os
import struct
from collections.abc import Callable, Iterator
from typing import Any

import evdev
import pytest
from evdev import ecodes

from callagent.devices import keys
from callagent.devices.keys import InputDevices, code_of

DEADLINE_S = 10.0
KEY, SW, SYN = ecodes.EV_KEY, ecodes.EV_SW, ecodes.EV_SYN
REPORT = (SYN, ecodes.SYN_REPORT, 0)
DROPPED = (SYN, ecodes.SYN_DROPPED, 0)


class PipeDevice(evdev.InputDevice[str]):
    """evdev's reading on a pipe; what the kernel is asked by ioctl is answered from `Kernel`."""

    def __init__(self, kernel: "Kernel", path: str) -> None:
        if path not in kernel.present:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        self.path = path
        self._kernel = kernel
        self.fd, self.writer = os.pipe()
        os.set_blocking(self.fd, False)
        self.gone = False
        self.grabs = 0
        kernel.opened.append(self)

    def capabilities(self, verbose: bool = False, absinfo: bool = True) -> Any:
        return {KEY: [ecodes.KEY_A, ecodes.KEY_B], SW: [ecodes.SW_CAMERA_LENS_COVER]}

    def active_keys(self, verbose: bool = False) -> list[int]:
        return sorted(self._kernel.down)

    def grab(self) -> None:
        self.grabs += 1
        if self._kernel.grabbed_elsewhere:
            raise OSError(errno.EBUSY, "Device or resource busy")

    def read(self) -> Iterator[evdev.InputEvent]:
        if self.gone:
            raise OSError(errno.ENODEV, "No such device")
        return super().read()

    def close(self) -> None:
        if self.fd > -1:
            os.close(self.fd)
            os.close(self.writer)
            self.fd = -1

    def send(self, *events: tuple[int, int, int], at: float = 0.0) -> None:
        for kind, code, value in events:
            os.write(self.writer, struct.pack("llHHi", int(at), round(at % 1 * 1e6), kind, code, value))

    def pull(self) -> None:
        self.gone = True
        self.send(REPORT)


class Kernel:
    def __init__(self) -> None:
        self.present = {"/dev/input/event1"}
        self.down: set[int] = set()
        self.closed: set[int] = set()
        self.grabbed_elsewhere = False
        self.opened: list[PipeDevice] = []


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(evdev, "InputDevice", lambda path: PipeDevice(kernel, path))
    monkeypatch.setattr(keys, "_stamp_monotonically", lambda descriptor: None)
    monkeypatch.setattr(keys, "closed_switches", lambda descriptor: sorted(kernel.closed))
    return kernel


class Listener:
    def __init__(self, devices: InputDevices, name: str, *, exclusive: bool = False) -> None:
        self.told: list[tuple[bool, float]] = []
        self.lost = 0
        self.watch = devices.watch(
            "/dev/input/event1",
            name,
            lambda down, since: self.told.append((down, since)),
            self._unplugged,
            exclusive=exclusive,
        )

    def _unplugged(self) -> None:
        self.lost += 1

    @property
    def states(self) -> list[bool]:
        return [down for down, _ in self.told]

    def close(self) -> None:
        assert self.watch is not None
        self.watch.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.002)


async def test_changes_of_one_key_with_their_own_times(kernel: Kernel) -> None:
    listener = Listener(InputDevices(), "KEY_A")
    (device,) = kernel.opened
    device.send((KEY, ecodes.KEY_A, 1), REPORT, at=5.25)
    device.send((KEY, ecodes.KEY_A, 2), REPORT, (KEY, ecodes.KEY_B, 1), (SW, ecodes.KEY_A, 1), REPORT, at=6)
    device.send((KEY, ecodes.KEY_A, 0), REPORT, at=7.5)
    await until(lambda: len(listener.told) == 3)
    assert listener.states == [False, True, False], "neither repeats nor other keys"
    assert listener.told[1:] == [(True, 5.25), (False, 7.5)]
    listener.close()
    listener.close()


async def test_how_it_stands_at_the_start_is_told(kernel: Kernel) -> None:
    kernel.down, kernel.closed = {ecodes.KEY_B}, {ecodes.SW_CAMERA_LENS_COVER}
    devices = InputDevices()
    listeners = [Listener(devices, name) for name in ("KEY_A", "KEY_B", "SW_CAMERA_LENS_COVER")]
    assert [listener.states[0] for listener in listeners] == [False, True, True]
    for listener in listeners:
        listener.close()


async def test_all_keys_of_an_exclusive_keypad_are_heard(kernel: Kernel) -> None:
    devices = InputDevices()
    first = Listener(devices, "KEY_A", exclusive=True)
    second = Listener(devices, "KEY_B", exclusive=True)
    (device,) = kernel.opened
    assert device.grabs == 1, "a second descriptor could not grab it again, nor hear of anything"
    device.send((KEY, ecodes.KEY_A, 1), (KEY, ecodes.KEY_B, 1), REPORT)
    await until(lambda: first.states[-1] and second.states[-1])
    first.close()
    device.send((KEY, ecodes.KEY_A, 0), (KEY, ecodes.KEY_B, 0), REPORT)
    await until(lambda: not second.states[-1])
    assert first.states[-1], "it left"
    assert device.fd > -1
    second.close()
    assert device.fd == -1, "closed with the last of them"
    Listener(devices, "KEY_A").close()
    assert len(kernel.opened) == 2


async def test_lost_events_are_made_up_for(kernel: Kernel) -> None:
    """A release that the kernel dropped must not leave a key pressed for ever."""
    listener = Listener(InputDevices(), "KEY_A")
    (device,) = kernel.opened
    device.send((KEY, ecodes.KEY_A, 1), REPORT)
    await until(lambda: listener.states == [False, True])
    kernel.down = set()
    device.send(DROPPED, (KEY, ecodes.KEY_A, 1), REPORT)
    await until(lambda: listener.states[2:] == [False])
    kernel.down = {ecodes.KEY_A}
    device.send((KEY, ecodes.KEY_A, 1), REPORT)
    await until(lambda: listener.states[3:] == [True])
    listener.close()


async def test_unplugged_and_back(kernel: Kernel) -> None:
    devices = InputDevices()
    listeners = [Listener(devices, "KEY_A"), Listener(devices, "KEY_B")]
    kernel.opened[0].pull()
    await until(lambda: all(listener.lost for listener in listeners))
    assert [listener.lost for listener in listeners] == [1, 1]
    assert kernel.opened[0].fd == -1
    again = Listener(devices, "KEY_A")
    for listener in listeners:
        listener.close()
    kernel.opened[1].send((KEY, ecodes.KEY_A, 1), REPORT)
    await until(lambda: again.states == [False, True])
    again.close()


async def test_what_cannot_be_taken_leaves_nothing_open(kernel: Kernel) -> None:
    devices = InputDevices()
    assert Listener(devices, "KEY_C").watch is None, "this device has no such key"
    with pytest.raises(ValueError, match="KEY_OF_NOTHING"):
        Listener(devices, "KEY_OF_NOTHING")
    kernel.grabbed_elsewhere = True
    with pytest.raises(OSError, match="event1") as busy:
        Listener(devices, "KEY_A", exclusive=True)
    assert busy.value.errno == errno.EBUSY
    assert [device.fd for device in kernel.opened] == [-1, -1]
    kernel.present.clear()
    with pytest.raises(PermissionError):
        Listener(devices, "KEY_A")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("KEY_F13", (KEY, ecodes.KEY_F13)),
        ("BTN_0", (KEY, ecodes.BTN_0)),
        ("SW_CAMERA_LENS_COVER", (SW, ecodes.SW_CAMERA_LENS_COVER)),
    ],
)
def test_names_of_keys(name: str, expected: tuple[int, int]) -> None:
    assert code_of(name) == expected


@pytest.mark.parametrize("name", ["KEY_OF_NOTHING", "EV_KEY", "KEY", "REL_X", "LED_MUTE", "KEY_MAXIMUM"])
def test_what_is_no_key(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        code_of(name)
