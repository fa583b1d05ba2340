# SPDX-License-Identifier: GPL-3.0-or-later
"""All buttons, switches, lights and the door of the box, and what they do. On the loop.

Lines and keys come and go with their chips and input devices; each is taken when it is there.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import gpiozero

from callagent.agent.buttons import Actions, Buttons
from callagent.agent.contacts import Contact, Keys
from callagent.agent.door_line import DoorLine
from callagent.agent.lights import Light, Output, View
from callagent.agent.selection import ranked
from callagent.config import AgentConfig
from callagent.config.panel import ButtonConfig, LineConfig
from callagent.devices.gestures import Gesture
from callagent.devices.gpio import GpiodFactory, Line
from callagent.devices.holders import group_hint
from callagent.devices.inventory import Change, ChangeKind, DeviceKind
from callagent.devices.keys import InputDevices
from callagent.devices.registry import Registry

logger = logging.getLogger(__name__)

_REPEAT_S = 5.0
"""How often lines and keys that could not be taken are tried again, should no event tell of them."""


class Panel:
    """`start` it, tell it what goes on (`update`), `close` it."""

    def __init__(
        self,
        config: AgentConfig,
        actions: Actions,
        registry: Registry,
        *,
        on_switch: Callable[[str, bool], None],
        factory: gpiozero.Factory | None = None,
    ) -> None:
        """`on_switch(name, closed)` is told of privacy switches. `factory`: gpiozero's mock, for tests."""
        self._config = config
        self._registry = registry
        self._on_switch = on_switch
        self._factory = factory
        self._buttons = Buttons(actions, self._failed)
        self._contacts = [Contact(button, self._told) for button in config.buttons]
        self._lights: dict[str, Light] = {}
        self._inputs = InputDevices()
        self._door_output: Output | None = None
        self.door = None if config.door is None else DoorLine(config.door, lambda: self._door_output)
        self._view = View()
        self._loop = asyncio.get_running_loop()
        self._leave: Callable[[], None] = lambda: None
        self._retry: asyncio.TimerHandle | None = None
        self._missing: dict[str, str] = {}
        self._running = False

    @property
    def problems(self) -> list[str]:
        """Lines and keys that are not there, one sentence each."""
        return list(self._missing.values())

    @property
    def hints(self) -> dict[str, str]:
        """What each button does now, by name."""
        return {each.config.name: self._buttons.hint(each.config) for each in self._contacts if each.held}

    @property
    def patterns(self) -> dict[str, str]:
        """What each light shows, by name."""
        return {name: light.shown for name, light in self._lights.items()}

    def start(self) -> None:
        self._running = True
        self._leave = self._registry.subscribe(self._devices_changed)
        self._take_all()

    async def close(self) -> None:
        """Everything off and released. Idempotent."""
        self._running = False
        self._leave()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        await self._buttons.close()
        if self.door is not None:
            self.door.close()
        for contact in self._contacts:
            contact.release()
        for light in self._lights.values():
            light.close()
        self._lights.clear()
        self._release_door()
        if self._factory is not None:
            self._factory.close()

    def update(self, view: View) -> None:
        """Show this from now on."""
        self._view = view
        self._buttons.call_changed()
        for light in self._lights.values():
            light.show(view)

    # --- taking lines and keys ----------------------------------------------------

    def _devices_changed(self, changes: tuple[Change, ...]) -> None:
        kinds = {change.device.kind for change in changes}
        if any(
            change.kind is ChangeKind.REMOVED and change.device.kind is DeviceKind.GPIO_CHIP
            for change in changes
        ):
            # Outputs do not notice by themselves. What is on another chip is back at once.
            self._forget_lines()
        elif kinds & {DeviceKind.GPIO_CHIP, DeviceKind.KEYS}:
            self._take_all()

    def _take_all(self) -> None:
        """Whatever is configured and not held yet."""
        if not self._running:
            return
        for contact in self._contacts:
            # A key may come on one more input device at any time.
            if contact.held is None or isinstance(contact.held, Keys):
                self._attempt(f"button {contact.config.name}", partial(self._take_contact, contact))
        for light in self._config.lights:
            if light.name not in self._lights:
                self._attempt(f"light {light.name}", partial(self._take_light, light))
        if self._config.door is not None and self._door_output is None:
            self._attempt("door", self._take_door)
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._missing:
            self._try_again_later()

    def _try_again_later(self) -> None:
        if self._running and self._retry is None:
            self._retry = self._loop.call_later(_REPEAT_S, self._take_all)

    def _attempt(self, what: str, take: Callable[[], None]) -> None:
        try:
            take()
        except (OSError, ValueError, gpiozero.GPIOZeroError) as error:
            problem = f"{what}: {_reason(error)}"
            if self._missing.get(what) != problem:
                logger.warning("%s", problem)
            self._missing[what] = problem
        else:
            if self._missing.pop(what, None) is not None:
                logger.info("%s is there", what)

    def _take_contact(self, contact: Contact) -> None:
        if contact.config.gpio is not None:
            self._take_input(contact, contact.config.gpio)
        else:
            self._take_key(contact)

    def _take_input(self, contact: Contact, line: LineConfig) -> None:
        # gpiozero wants to know of a pull resistor or of the active level, never of both.
        pulls = {("pull_up", True): True, ("pull_down", False): False}
        pull_up = pulls.get((line.bias, line.active_low))
        active_state = None if pull_up is not None else not line.active_low
        device = gpiozero.DigitalInputDevice(
            self._pin(line), pull_up=pull_up, active_state=active_state, pin_factory=self._gpio
        )

        def changed(closed: bool) -> None:
            # On the factory's thread. How long ago it was gpiozero has from the kernel's time stamp.
            ago = device.active_time if closed else device.inactive_time
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(told, closed, time.monotonic() - (ago or 0.0))

        def told(closed: bool, since: float) -> None:
            # Changes of a device that was let go meanwhile are nobody's.
            if contact.held is device:
                contact.changed(closed, since)

        device.when_activated = partial(changed, True)
        device.when_deactivated = partial(changed, False)
        closed = device.is_active
        contact.held = device
        contact.changed(closed, time.monotonic())

    def _take_key(self, contact: Contact) -> None:
        def lost(keys: Keys) -> None:
            if not keys.present:
                contact.release()
                name = f"button {contact.config.name}"
                self._missing[name] = f"{name}: its input device is gone"
            self._try_again_later()

        keys = contact.held if isinstance(contact.held, Keys) else Keys(self._inputs, contact, lost)
        keys.take(ranked(contact.config.device, self._registry.present.of(DeviceKind.KEYS)))
        contact.held = keys

    def _take_light(self, config: Any) -> None:
        light = Light(config, self._output(config.gpio))
        self._lights[config.name] = light
        light.show(self._view)

    def _take_door(self) -> None:
        assert self._config.door is not None
        self._door_output = self._output(self._config.door.gpio)

    def _output(self, line: LineConfig) -> Any:
        return gpiozero.DigitalOutputDevice(
            self._pin(line), active_high=not line.active_low, initial_value=False, pin_factory=self._gpio
        )

    @property
    def _gpio(self) -> gpiozero.Factory:
        if self._factory is None:
            factory = GpiodFactory()
            factory.on_lost = self._line_lost
            self._factory = factory
        return self._factory

    def _pin(self, line: LineConfig) -> Line | int | str:
        if isinstance(self._gpio, GpiodFactory):
            return Line(line.line, line.chip or self._config.gpio.chip, line.bias)
        return line.line

    def _line_lost(self, line: Line) -> None:
        """On the factory's thread: an input's chip is gone, and with it all that is on it."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._forget_lines)

    def _forget_lines(self) -> None:
        for contact in self._contacts:
            if contact.config.gpio is not None:
                contact.release()
        for light in self._lights.values():
            light.close()
        self._lights.clear()
        self._release_door()
        self._take_all()

    def _release_door(self) -> None:
        output, self._door_output = self._door_output, None
        if output is not None:
            with contextlib.suppress(OSError):
                output.close()

    # --- what comes of it -----------------------------------------------------------

    def _told(self, config: ButtonConfig, what: Gesture | bool) -> None:
        if isinstance(what, Gesture):
            self._buttons.perform(config, what)
        else:
            self._on_switch(config.name, what)

    def _failed(self, reason: str) -> None:
        for light in self._lights.values():
            if light.config.shows == "error":
                light.flash()


def _reason(error: Exception) -> str:
    """With what to do about it where that is known."""
    if isinstance(error, PermissionError) and isinstance(error.filename, str):
        return f"{error.filename} may not be opened: {group_hint(error.filename) or error.strerror}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
