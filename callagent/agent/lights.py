# SPDX-License-Identifier: GPL-3.0-or-later
"""Which light shows what: patterns by state, on output lines. On the loop."""

import asyncio
import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from callagent.config.panel import LightConfig, Pattern, Shows
from callagent.protocol.enums import CallState

logger = logging.getLogger(__name__)

PATTERNS: dict[Pattern, tuple[float, ...]] = {
    "on": (),
    "blink_slow": (0.5, 0.5),
    "blink_fast": (0.15, 0.15),
    "flash": (0.08, 1.92),
}
"""Seconds lit and dark in turn; `on` has no end."""
_SUITS: dict[Shows, Pattern] = {
    "ring": "blink_fast",
    "in_call": "on",
    "on_air": "on",
    "error": "blink_slow",
    "missed_call": "flash",
    "privacy": "on",
    "online": "on",
}


@dataclass(frozen=True, slots=True)
class View:
    """What lights can show of the agent."""

    call_state: CallState = CallState.IDLE
    on_air: bool = False
    """Picture or sound is really being captured."""
    error: bool = False
    missed_calls: bool = False
    privacy: bool = False
    online: bool = False

    def shows(self, what: Shows) -> bool:
        return {
            "ring": self.call_state is CallState.RINGING,
            "in_call": self.call_state is CallState.CONNECTED,
            "on_air": self.on_air,
            "error": self.error,
            "missed_call": self.missed_calls,
            "privacy": self.privacy,
            "online": self.online,
        }[what]


class Output(Protocol):
    """A line that can be switched (gpiozero.DigitalOutputDevice)."""

    def on(self) -> None: ...
    def off(self) -> None: ...
    def close(self) -> None: ...


class Light:
    """One output line and its pattern."""

    def __init__(self, config: LightConfig, output: Output) -> None:
        self.config = config
        self._output = output
        self._pattern: Pattern | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._steps: Iterator[tuple[bool, float]] = iter(())

    @property
    def shown(self) -> str:
        """For status."""
        return self._pattern or "off"

    def show(self, view: View) -> None:
        wanted = None
        if view.shows(self.config.shows):
            wanted = self.config.pattern or _SUITS[self.config.shows]
        if wanted == self._pattern:
            return
        self._pattern = wanted
        self._stop_timer()
        if wanted is None:
            self._set(False)
        elif not PATTERNS[wanted]:
            self._set(True)
        else:
            self._steps = zip(itertools.cycle((True, False)), itertools.cycle(PATTERNS[wanted]), strict=False)
            self._step()

    def flash(self) -> None:
        """Once, on top of what it shows: something was refused."""
        if self._pattern is None and self._timer is None:
            self._set(True)
            self._timer = asyncio.get_running_loop().call_later(0.6, self._end_flash)

    def close(self) -> None:
        """Off, and the line released."""
        self._stop_timer()
        self._set(False)
        try:
            self._output.close()
        except OSError as error:
            logger.debug("light %s: %s", self.config.name, error)

    def _end_flash(self) -> None:
        self._timer = None
        self._set(False)

    def _step(self) -> None:
        lit, seconds = next(self._steps)
        self._set(lit)
        self._timer = asyncio.get_running_loop().call_later(seconds, self._step)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, lit: bool) -> None:
        try:
            if lit:
                self._output.on()
            else:
                self._output.off()
        except OSError as error:
            # The chip is gone; the panel makes the light anew when it is back.
            logger.debug("light %s: %s", self.config.name, error)
