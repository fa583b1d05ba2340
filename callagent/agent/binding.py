# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the best device behind a slot: on one side what is there and what failed, on the other the slot."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from callagent.agent.candidates import Candidates, Choice
from callagent.agent.selection import ambiguities, ranked
from callagent.config.selectors import DeviceSelector
from callagent.devices.inventory import Change, DeviceInfo, DeviceKind
from callagent.devices.registry import Registry
from callagent.media.slot import Failure
from callagent.ports import SourceState

logger = logging.getLogger(__name__)

Device = TypeVar("Device")
DeviceIn = TypeVar("DeviceIn", contravariant=True)


class Slot(Protocol[DeviceIn]):
    """What a binding needs of a camera, microphone or speaker slot."""

    @property
    def state(self) -> SourceState: ...

    @property
    def live_source(self) -> object: ...

    def take_failures(self) -> list[Failure]: ...

    def set_source(
        self, source: DeviceIn | None, reason: str = "", *, overlap: bool = False, lost: bool = False
    ) -> bool: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which devices a slot may have."""

    kind: DeviceKind
    selectors: Sequence[DeviceSelector] | None = None
    """None: `auto`."""
    fixed: DeviceInfo | None = None
    """One that needs no looking for: a virtual device, an ALSA name. Always taken for present."""
    none: bool = False
    """No device at all is configured."""
    follow: bool = True
    economies: int = 0


@dataclass(slots=True)
class _Attempt(Generic[Device]):
    choice: Choice
    source: Device
    failed: bool = False


class Binding(Generic[Device]):
    """One slot and the way to a device for it. On the loop; what blocks is done by the slot's own threads."""

    def __init__(
        self,
        slot: Slot[Device],
        registry: Registry,
        wanted: Wanted,
        make: Callable[[Choice], Device],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """`make` gives the object for a device, unopened. `on_change`: another device, or another choice."""
        self._slot = slot
        self._registry = registry
        self._wanted = wanted
        self._make = make
        self._on_change = on_change
        self._candidates = Candidates(follow=wanted.follow, economies=wanted.economies)
        self._selectors = wanted.selectors
        self._attempt: _Attempt[Device] | None = None
        """What is behind the slot."""
        self._challenge: _Attempt[Device] | None = None
        """What is about to take its place."""
        self._blocked = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._leave: Callable[[], None] = lambda: None
        self._absent = ""
        self._told: str | None = None
        """The reason the slot was told while nothing is behind it."""

    @property
    def chosen(self) -> DeviceInfo | None:
        """The device behind the slot, or on its way there; none while none is usable."""
        return None if self._attempt is None else self._attempt.choice.device

    @property
    def source(self) -> Device | None:
        """The object behind the slot."""
        return None if self._attempt is None else self._attempt.source

    @property
    def ranked(self) -> list[DeviceInfo]:
        return self._candidates.ranked

    @property
    def preferred(self) -> str | None:
        return self._candidates.preferred

    def trouble_of(self, device_id: str) -> str:
        return self._candidates.trouble_of(device_id)

    @property
    def problems(self) -> list[str]:
        """Why the first choice is not what is used, and what might choose wrongly, one sentence each."""
        found = ambiguities(self._selectors, self._registry.present.of(self._wanted.kind))
        for device in self._candidates.ranked:
            reason = self._candidates.trouble_of(device.id)
            if device == self.chosen:
                if reason and self._attempt is not None and self._attempt.choice.economy:
                    found.append(f"{device.name} runs in a smaller mode: {reason}")
                break
            if reason:
                found.append(reason)
        return found

    def start(self) -> None:
        """Choose for the first time, then keep watch until `close`."""
        self._loop = asyncio.get_running_loop()
        self._leave = self._registry.subscribe(self._devices_changed)
        self._look_around()
        self._consider()

    def close(self) -> None:
        """Idempotent; the slot keeps what it has."""
        self._leave()
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def slot_changed(self) -> None:
        """The slot's state may have changed; callable from any thread."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the agent has ended
                loop.call_soon_threadsafe(self._consider)

    def block(self, reason: str) -> None:
        """Have no device behind the slot, whatever is there; the slot shows the reason."""
        self._blocked = reason
        self._consider()

    def unblock(self) -> None:
        if self._blocked:
            self._blocked = ""
            self._consider()

    def prefer(self, device_id: str | None) -> None:
        """Use this device while it is present, before what is configured; None: as configured."""
        self._candidates.prefer(device_id)
        self._look_around()
        self._consider()

    def select(self, selectors: Sequence[DeviceSelector] | None) -> None:
        """Other selectors from now on."""
        self._selectors = selectors
        self._look_around()
        self._consider()

    def as_configured(self) -> None:
        """A new call: what was chosen by hand for the last one is forgotten, modes are tried anew."""
        self._selectors = self._wanted.selectors
        self._candidates.fresh()
        if self._slot.state is SourceState.OFF and self._attempt and self._attempt.choice.economy:
            self._attempt = None
        self._look_around()
        self._consider()

    def _devices_changed(self, changes: tuple[Change, ...]) -> None:
        if any(change.device.kind is self._wanted.kind for change in changes):
            self._look_around()
            self._consider()
            self._on_change()

    def _look_around(self) -> None:
        wanted = self._wanted
        if wanted.fixed is not None:
            self._candidates.present([wanted.fixed])
            return
        there = () if wanted.none else self._registry.present.of(wanted.kind)
        present = [device for device in there if device.plugged]
        found = ranked(self._selectors, present)
        preferred = self._candidates.preferred
        by_hand = [device for device in present if device.id == preferred and device not in found]
        self._candidates.present([*by_hand, *found])
        kind = wanted.kind.value
        if wanted.none:
            self._absent = f"No {kind} is configured"
        elif present and not found:
            self._absent = f"No {kind} matches the selectors"
        elif there and not present:
            self._absent = f"No {kind} has anything connected that takes sound"
        else:
            self._absent = self._registry.problem or f"No {kind} is plugged in"

    def _consider(self) -> None:
        """Learn what became of the last choice, choose, and act on it."""
        if self._loop is None:
            return
        now, before = self._loop.time(), self.chosen
        self._learn(now)
        if self._blocked:
            self._let_go(self._blocked)
        else:
            self._choose(now)
        self._wake_at(self._candidates.next_look(now))
        if self.chosen != before:
            self._on_change()

    def _learn(self, now: float) -> None:
        for failure in self._slot.take_failures():
            attempt, challenge = self._attempt, self._challenge
            if challenge is not None and failure.source is challenge.source:
                self._challenge = None
                self._candidates.failed(challenge.choice.device, failure.code, failure.reason, now)
            elif attempt is not None and failure.source is attempt.source:
                attempt.failed = True
                self._candidates.failed(attempt.choice.device, failure.code, failure.reason, now)
        live = self._slot.live_source
        if self._challenge is not None and live is self._challenge.source:
            self._attempt, self._challenge = self._challenge, None
        if self._attempt is not None and live is self._attempt.source:
            # Also one that had stalled and came back by itself.
            self._attempt.failed = False
            self._candidates.lived(self._attempt.choice.device, now)

    def _choose(self, now: float) -> None:
        choice = self._candidates.choose(now)
        if choice is None:
            if not self._candidates.ranked:
                self._let_go(self._absent)
            return
        for attempt in (self._challenge, self._attempt):
            # Another economy counts from the next opening on.
            if attempt is not None and not attempt.failed and attempt.choice.device == choice.device:
                return
        made = _Attempt(choice, self._make(choice))
        logger.info("%s: %s", self._wanted.kind, choice.device.name)
        self._told = None
        if self._slot.set_source(made.source, overlap=True, lost=self._is_gone()):
            self._challenge = made
        else:
            self._attempt, self._challenge = made, None

    def _let_go(self, reason: str) -> None:
        if self._told != reason:
            lost = self._is_gone()
            self._attempt = self._challenge = None
            self._told = reason
            self._slot.set_source(None, reason, lost=lost)

    def _is_gone(self) -> bool:
        """Whether what is behind the slot is no longer there, though its driver may not have noticed."""
        if self._attempt is None or self._wanted.fixed is not None:
            return False
        return self._registry.present.get(self._wanted.kind, self._attempt.choice.device.id) is None

    def _wake_at(self, moment: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if moment is not None and self._loop is not None:
            self._timer = self._loop.call_at(moment, self._consider)
