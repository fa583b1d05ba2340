# SPDX-License-Identifier: GPL-3.0-or-later
"""Which device to use now, given what is present and what failed. Pure: time is an argument."""

from collections.abc import Sequence
from dataclasses import dataclass

from callagent.devices.errors import ABSENT_CODES, TAKEN_CODES
from callagent.devices.inventory import DeviceInfo

PROVEN_S = 60.0
"""A device that worked for so long has its earlier failures forgotten."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 15.0
LONGEST_PAUSE_WITH_OTHERS_S = 60.0
"""While another one works, there is no hurry."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A device and how carefully to open it."""

    device: DeviceInfo
    economy: int = 0
    """0: as configured; 1: in a smaller mode, since it failed in the best."""


@dataclass(slots=True)
class _Trouble:
    """What is known against a device, as long as it stays plugged in."""

    instance: str
    failures: int = 0
    economy: int = 0
    pause_until: float = 0.0
    reason: str = ""
    lived_at: float | None = None


class Candidates:
    """The highest-ranked present device that is not resting after a failure.

    A device that is occupied or not permitted rests at once; one that stalls or breaks is
    first tried again with more economy (a smaller mode). It rests for 1 s,
    then 2, 4 ... and is tried again; plugged in anew it starts with a clean record.
    """

    def __init__(self, *, follow: bool = True, economies: int = 0) -> None:
        """`follow`: leave a device that works for a better one. `economies`: how many smaller modes exist."""
        self._follow = follow
        self._economies = economies
        self._ranked: list[DeviceInfo] = []
        self._preferred: str | None = None
        self._trouble: dict[str, _Trouble] = {}
        self._current: str | None = None

    @property
    def ranked(self) -> list[DeviceInfo]:
        """Present and usable, best first; a device preferred by hand before all."""
        first = [device for device in self._ranked if device.id == self._preferred]
        return first + [device for device in self._ranked if device.id != self._preferred]

    @property
    def preferred(self) -> str | None:
        return self._preferred

    def present(self, ranked: Sequence[DeviceInfo]) -> None:
        """What is plugged in now, best first."""
        self._ranked = list(ranked)
        instances = {device.id: device.instance for device in ranked}
        self._trouble = {
            device_id: trouble
            for device_id, trouble in self._trouble.items()
            if instances.get(device_id) == trouble.instance
        }
        if self._current not in instances:
            self._current = None

    def prefer(self, device_id: str | None) -> None:
        """Use this one before all others while it is present; None: the ranking alone."""
        self._preferred = device_id

    def failed(self, device: DeviceInfo, code: int, reason: str, now: float) -> None:
        trouble = self._trouble.get(device.id)
        if trouble is None or trouble.instance != device.instance:
            trouble = self._trouble[device.id] = _Trouble(device.instance)
        if trouble.lived_at is not None and now - trouble.lived_at >= PROVEN_S:
            trouble.failures = trouble.economy = 0
        trouble.lived_at = None
        trouble.reason = reason
        worth_economy = code not in ABSENT_CODES and code not in TAKEN_CODES
        if worth_economy and trouble.economy < self._economies:
            trouble.economy += 1
            trouble.pause_until = now
        else:
            trouble.failures += 1
            trouble.pause_until = now + self._pause_s(trouble)
        if self._current == device.id:
            self._current = None

    def lived(self, device: DeviceInfo, now: float) -> None:
        """It gives."""
        trouble = self._trouble.get(device.id)
        if trouble is not None and trouble.instance == device.instance and trouble.lived_at is None:
            trouble.lived_at = trouble.pause_until = now
        self._current = device.id

    def fresh(self) -> None:
        """A new call: devices that had to be opened with economy may try their best again."""
        for trouble in self._trouble.values():
            trouble.economy = 0

    def choose(self, now: float) -> Choice | None:
        """None while none is present or all of them rest."""
        awake = [device for device in self.ranked if self._awake(device, now)]
        if not awake:
            return None
        best = awake[0]
        if not self._follow and best.id != self._preferred:
            best = next((device for device in awake if device.id == self._current), best)
        trouble = self._trouble.get(best.id)
        return Choice(best, trouble.economy if trouble is not None else 0)

    def next_look(self, now: float) -> float | None:
        """When a resting device wakes; None when none rests."""
        pauses = [
            trouble.pause_until
            for device in self._ranked
            if (trouble := self._trouble.get(device.id)) is not None and trouble.pause_until > now
        ]
        return min(pauses, default=None)

    def trouble_of(self, device_id: str) -> str:
        """Why it is not used, or used with economy; empty when there is nothing against it."""
        trouble = self._trouble.get(device_id)
        if trouble is None or (trouble.lived_at is not None and not trouble.economy):
            return ""
        return trouble.reason

    def _awake(self, device: DeviceInfo, now: float) -> bool:
        trouble = self._trouble.get(device.id)
        return trouble is None or trouble.pause_until <= now

    def _pause_s(self, trouble: _Trouble) -> float:
        longest = LONGEST_PAUSE_S if len(self._ranked) <= 1 else LONGEST_PAUSE_WITH_OTHERS_S
        return float(min(FIRST_PAUSE_S * 2 ** min(trouble.failures - 1, 10), longest))
