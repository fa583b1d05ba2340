# SPDX-License-Identifier: GPL-3.0-or-later
"""What a button or switch is read from, and what is made of its changes. On the loop."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

from callagent.config.panel import ButtonConfig
from callagent.devices.gestures import Debounce, Gesture, Gestures
from callagent.devices.inventory import DeviceInfo
from callagent.devices.keys import InputDevices, KeyWatch, code_of


class Held(Protocol):
    """A gpiozero device, or `Keys`."""

    def close(self) -> None: ...


class Contact:
    """One button or switch: where it is, and what is made of its changes."""

    def __init__(self, config: ButtonConfig, told: Callable[[ButtonConfig, Gesture | bool], None]) -> None:
        self.config = config
        self._told = told
        self.held: Held | None = None
        """None while it is not there."""
        self._meaning = self._anew()
        self._timer: asyncio.TimerHandle | None = None

    def changed(self, closed: bool, since: float) -> None:
        """`since`: monotonic, of the change itself, for the loop may have been busy after it."""
        self._tell(self._meaning.feed(closed, since))

    def forget(self) -> None:
        """A press that was under way ended unseen: it must not be a long one when the contact is back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._meaning = self._anew()

    def release(self) -> None:
        held, self.held = self.held, None
        if held is not None:
            with contextlib.suppress(OSError):
                held.close()
        self.forget()

    def _anew(self) -> Gestures | Debounce:
        config = self.config
        debounce_s = config.debounce_ms / 1000
        if config.switch is not None:
            return Debounce(debounce_s)
        return Gestures(hold_s=config.hold_s, debounce_s=debounce_s, double=config.double != "none")

    def _tell(self, found: Sequence[Gesture | bool]) -> None:
        for what in found:
            self._told(self.config, what)
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
        due = self._meaning.next_due
        self._timer = None if due is None else loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._tell(self._meaning.tick(asyncio.get_running_loop().time()))


class Keys:
    """The key of one button on every input device that has it: down while it is down on any of them.

    Which of a keyboard and a USB button somebody will press nobody knows beforehand.
    """

    def __init__(self, inputs: InputDevices, contact: Contact, lost: Callable[["Keys"], None]) -> None:
        """`lost` is told when one of the devices is gone."""
        self._inputs = inputs
        self._contact = contact
        self._on_lost = lost
        self._watches: dict[str, KeyWatch] = {}
        self._down: set[str] = set()
        self._told: bool | None = None

    @property
    def present(self) -> bool:
        return bool(self._watches)

    def take(self, devices: Iterable[DeviceInfo]) -> None:
        """Listen to those that are new.

        Raises ValueError for a name that is no key, OSError when none of them has it.
        """
        config = self._contact.config
        assert config.key is not None
        code_of(config.key)
        refusal: OSError | None = None
        for device in devices:
            path = device.path
            if path in self._watches:
                continue
            try:
                watch = self._inputs.watch(
                    *(path, config.key, partial(self._changed, path), partial(self._lost, path)),
                    exclusive=config.exclusive,
                )
            except OSError as error:
                refusal = refusal or error
                continue
            if watch is not None:
                self._watches[path] = watch
        if not self._watches:
            raise refusal or OSError(f"no input device with {config.key} is plugged in")

    def close(self) -> None:
        watches, self._watches = self._watches, {}
        for watch in watches.values():
            watch.close()

    def _changed(self, path: str, down: bool, since: float) -> None:
        if down:
            self._down.add(path)
        else:
            self._down.discard(path)
        self._tell(since)

    def _lost(self, path: str) -> None:
        self._watches.pop(path, None)
        if path in self._down:
            self._down.discard(path)
            self._contact.forget()
            self._told = None
        if self._watches:
            self._tell(asyncio.get_running_loop().time())
        self._on_lost(self)

    def _tell(self, since: float) -> None:
        down = bool(self._down)
        if down is not self._told:
            self._told = down
            self._contact.changed(down, since)
