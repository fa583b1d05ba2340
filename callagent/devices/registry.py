# SPDX-License-Identifier: GPL-3.0-or-later
"""What is plugged in now, kept up to date. On the asyncio loop; udev's database is read on a thread."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from callagent.devices.inventory import Change, DeviceInfo, Inventory, changes
from callagent.devices.records import inventory_of
from callagent.devices.udev_source import UdevEvent, UdevRecord, UdevSource

log = logging.getLogger(__name__)

LOOK_S = 30.0
"""How often what is present is compared with what is known, should an event ever be lost."""
_LOOKS = 20
"""At every so many of them everything is read anew, which also finds what only changed."""
_REOPEN_S = 1.0

Listener = Callable[[tuple[Change, ...]], None]


@dataclass(slots=True)
class RegistryCounters:
    """Since the start."""

    events: int = 0
    overflows: int = 0
    """Times events were lost or the socket broke."""
    rescans: int = 0
    corrections: int = 0
    """Differences that only a periodic rescan found: each is an event that was lost."""


class Registry:
    """Snapshot first, then events; `present` is always one consistent moment.

    Without udev (in a container) it stays empty, says why in `problem`, and
    tries again at every look.
    """

    def __init__(self, source: UdevSource, look_s: float = LOOK_S) -> None:
        self._source = source
        self._look_s = look_s
        self._looks = 0
        self._records: dict[str, UdevRecord] = {}
        self._listeners: list[Listener] = []
        self._descriptor: int | None = None
        self._broken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._scanning = False
        self._waiting: list[UdevEvent] = []
        self._warned: set[tuple[str, ...]] = set()
        self.present = Inventory()
        """What is plugged in now."""
        self.problem = ""
        """Why it cannot tell; empty while it can."""
        self.counters = RegistryCounters()

    async def start(self) -> None:
        """Subscribe and take the first snapshot; then `present` holds. Never fails: see `problem`."""
        await self._open()
        self._task = asyncio.create_task(self._keep(), name="registry")

    async def close(self) -> None:
        """Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._forget_socket()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Be told of changes, on the loop and after `present` has them; returns the way to leave."""
        self._listeners.append(listener)

        def leave() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return leave

    async def rescan(self) -> None:
        """Look at everything now."""
        self.counters.rescans += 1
        await self._scan(periodic=True)

    async def _keep(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._look_s):
                    await self._broken.wait()
            except TimeoutError:
                if self._descriptor is not None:
                    await self._look()
                    continue
            self._broken.clear()
            self._forget_socket()
            await self._open()
            if self.problem:
                # No busy loop on a machine whose udev is broken.
                await asyncio.sleep(min(_REOPEN_S, self._look_s))

    async def _look(self) -> None:
        """A snapshot is a thousand questions to udev: too many to be asked for nothing twice a minute."""
        self._looks += 1
        if self._looks % _LOOKS == 0 or await asyncio.to_thread(self._source.paths) != self._records.keys():
            await self.rescan()

    async def _open(self) -> None:
        """Socket first, snapshot second: what happens in between waits in the socket."""
        try:
            self._descriptor = self._source.open()
        except OSError as error:
            self._trouble(f"Devices cannot be watched: {error}")
            return
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)
        self.problem = ""
        await self._scan()

    def _forget_socket(self) -> None:
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            self._descriptor = None
        self._source.close()

    async def _scan(self, *, periodic: bool = False) -> None:
        self._scanning = True
        try:
            records = await asyncio.to_thread(self._source.snapshot)
        except OSError as error:
            self._trouble(f"Devices cannot be listed: {error}")
            self._broken.set()
            return
        finally:
            self._scanning = False
        waiting, self._waiting = self._waiting, []
        found = {record.sysfs: record for record in records}
        if periodic and not waiting:
            self._count_corrections(found)
        self._records = found
        # An event that came meanwhile is younger than some of the snapshot and older than the rest;
        # applied on top, it may bring back what is gone only until its own removal, which follows.
        for event in waiting:
            self._apply(event)
        self._update()

    def _count_corrections(self, found: dict[str, UdevRecord]) -> None:
        missed = changes(self.present, inventory_of(found.values()))
        self.counters.corrections += len(missed)
        for change in missed:
            log.warning("no event told that %s was %s", change.device.name, change.kind)

    def _read(self) -> None:
        """All events that wait, told as one change."""
        while True:
            try:
                event = self._source.receive()
            except OSError as error:
                self.counters.overflows += 1
                log.warning("device events were lost (%s); everything is looked at anew", error)
                if self._descriptor is not None:
                    asyncio.get_running_loop().remove_reader(self._descriptor)
                self._broken.set()
                break
            if event is None:
                break
            self.counters.events += 1
            if self._scanning:
                self._waiting.append(event)
            else:
                self._apply(event)
        if not self._scanning:
            self._update()

    def _apply(self, event: UdevEvent) -> None:
        record = event.record
        if event.action == "remove":
            self._records.pop(record.sysfs, None)
        else:
            self._records.pop(record.properties.get("DEVPATH_OLD", ""), None)
            self._records[record.sysfs] = record
        for other in event.also:
            self._records[other.sysfs] = other

    def _update(self) -> None:
        before, self.present = self.present, inventory_of(self._records.values())
        differences = changes(before, self.present)
        if not differences:
            return
        for change in differences:
            log.info("%s %s: %s (%s)", change.device.kind, change.kind, change.device.name, change.device.id)
        self._warn_of_equal_serials()
        for listener in tuple(self._listeners):
            try:
                listener(differences)
            except Exception:
                log.exception("a listener of the device registry failed")

    def _warn_of_equal_serials(self) -> None:
        for first, second in equal_serials(self.present):
            pair = (first.kind, *sorted((first.id, second.id)))
            if pair not in self._warned:
                self._warned.add(pair)
                log.warning("%s", equal_serials_text(first, second))

    def _trouble(self, problem: str) -> None:
        if problem != self.problem:
            log.warning("%s", problem)
        self.problem = problem


def equal_serials(devices: Iterable[DeviceInfo]) -> list[tuple[DeviceInfo, DeviceInfo]]:
    """Pairs of present devices of one kind that carry the same serial number."""
    known: dict[tuple[str, ...], DeviceInfo] = {}
    pairs = []
    for device in devices:
        if not device.serial:
            continue
        # One card's two outputs share everything but the device number.
        key = (device.kind, device.vendor, device.model, device.serial)
        first = known.setdefault(key, device)
        if first is not device and first.port != device.port:
            pairs.append((first, device))
    return pairs


def equal_serials_text(first: DeviceInfo, second: DeviceInfo) -> str:
    return (
        f"Two devices {first.name} have the serial number {first.serial}, in the ports {first.port} and "
        f"{second.port}: add port: to the selector to tell them apart"
    )
