# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices plugged, pulled and stalled at random during a call: how soon the other side sees and hears again.

The whole agent at real speed on scripted devices. After each event pictures with a moving counter and both
tones must flow again on the other side; recovery times, descriptors, threads and memory are kept.
There are no peers: no system measured against here keeps a two-way call through a device's loss.
"""

import asyncio
import ctypes
import gc
import logging
import os
import random
import statistics
import sys
import threading
import time
from collections import deque
from collections.abc import Awaitable

from benchmarks import process
from benchmarks.hotplug_scene import Call, scripted_call
from benchmarks.report import Figure, Report
from callagent.devices.virtual.scripted import ScriptedDevice
from callagent.ports import SourceError

EVENTS, SHORT_EVENTS = 200, 20
WARM_UP = 10
WINDOW = 20
SEED = 20261121
logger = logging.getLogger(__name__)

TONES_HZ = (2000.0, 700.0)
IDENTS = (7, 9)
NAMED = [{"name": "Front*"}, {"name": "*"}]

POOLS = ("asyncio_", "storage-")
"""How their threads' names begin."""
NEXT_MS, BACK_MS = 1000.0, 1000.0
"""Limits of the design, measured on the other side: codec and network count too."""


Resources = tuple[int, int, float, float]


class Journal(logging.Handler):
    """What the agents said of the last two events, for when one of them took too long."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines: deque[str] = deque()
        self._of_last = 0

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(f"{record.relativeCreated:10.0f} {record.name}: {record.getMessage()}")

    def next_event(self) -> None:
        for _ in range(self._of_last):
            self._lines.popleft()
        self._of_last = len(self._lines)

    def show(self, why: str) -> None:
        sys.stderr.write("\n".join((why, *self._lines, "")))


class Torture:
    """Two cameras and two headsets, the first of each preferred, and what is done to them."""

    def __init__(self, call: Call, seed: int) -> None:
        self._call = call
        self._random = random.Random(seed)
        hardware = call.hardware
        self._cameras = [
            hardware.new_camera(name, serial=name, ident=ident)
            for name, ident in zip(("Front", "Spare"), IDENTS, strict=True)
        ]
        self._cards = [
            hardware.new_card(name, serial=f"H{name}", tone_hz=tone)
            for name, tone in zip(("Front", "Spare"), TONES_HZ, strict=True)
        ]
        self.times_ms: dict[str, list[float]] = {}
        self.errors: list[str] = []

    async def start(self) -> None:
        for position, device in enumerate((*self._cameras, *self._cards)):
            device.plug(str(position + 1))
        await self._recover("first")

    async def step(self) -> None:
        """One random event, and everything it may take until all flows again."""
        device = self._random.choice((*self._cameras, *self._cards))
        what = self._random.choice(("pull", "pull", "late", "freeze", "break", "hang", "refuse"))
        kind = "camera" if device in self._cameras else "sound"
        # What happens to a device that is not in use must change nothing; it takes no time either.
        best = device is (self._cameras if kind == "camera" else self._cards)[0]
        try:
            logger.info("%s %s%s", kind, what, "" if best else " (spare)")
            await getattr(self, f"_{what}")(device, f"{kind} {what}" if best else "")
        except TimeoutError:
            self.errors.append(f"{kind} {what}: nothing flows after 30 s")
        finally:
            self._heal(device)
        await self._recover("settled")

    async def _pull(self, device: ScriptedDevice, name: str) -> None:
        began = time.monotonic()
        device.unplug()
        await self._recover(f"{name}: next", began)
        began = time.monotonic()
        device.plug(str(self._random.randint(5, 60)))
        await self._recover(f"{name}: back", began)

    async def _late(self, device: ScriptedDevice, name: str) -> None:
        """The node is dead before udev says so."""
        began = time.monotonic()
        device.unplug(tell=False)
        await self._recover(f"{name}: next", began, without=device)
        device.tell_unplugged()
        began = time.monotonic()
        device.plug(str(self._random.randint(61, 99)))
        await self._recover(f"{name}: back", began)

    async def _freeze(self, device: ScriptedDevice, name: str) -> None:
        began = time.monotonic()
        device.freeze()
        await self._recover(f"{name}: next", began, without=device)
        device.thaw()

    async def _break(self, device: ScriptedDevice, name: str) -> None:
        if not name:
            return
        began, opened = time.monotonic(), device.opened
        device.break_down()
        await self._call.until(lambda: device.opened > opened)
        await self._recover(f"{name}: again", began)

    async def _hang(self, device: ScriptedDevice, name: str) -> None:
        """Its driver does not come back from closing."""
        device.let_close.clear()
        began = time.monotonic()
        device.unplug()
        await self._recover(f"{name}: next", began)
        device.let_close.set()
        device.plug(str(self._random.randint(100, 140)))

    async def _refuse(self, device: ScriptedDevice, name: str) -> None:
        """Somebody else took it while it was out."""
        code = -1316 if device in self._cameras else -1319
        device.refusal = SourceError("in use by another program", code)
        began = time.monotonic()
        device.unplug()
        device.plug(str(self._random.randint(141, 180)))
        await self._recover(f"{name}: next", began, without=device)
        device.refusal = None

    def _heal(self, device: ScriptedDevice) -> None:
        device.thaw()
        device.refusal = None
        device.let_close.set()
        if not device.plugged:
            device.plug(str(self._random.randint(200, 240)))

    async def _recover(
        self,
        name: str,
        began: float | None = None,
        *,
        without: ScriptedDevice | None = None,
    ) -> None:
        """Until picture and both tones flow from the best devices that work, on the other side."""
        usable = [
            [device for device in devices if device.plugged and device is not without]
            for devices in (self._cameras, self._cards)
        ]
        camera, card = (self._best(devices) for devices in usable)
        picture = self._call.sees(IDENTS[self._cameras.index(camera)] if camera else None)
        seen, *heard = await asyncio.gather(picture, *([] if card is None else self._heard(name, card)))
        logger.info("%s: seen", name)
        if began is not None and name.startswith(("camera", "sound")):
            times = {"camera": seen, "sound": max(heard, default=seen)}
            kind, other = ("camera", "sound") if name.startswith("camera") else ("sound", "camera")
            self.times_ms.setdefault(name, []).append(1000 * (times[kind] - began))
            beside = f"{other} meanwhile, after any {kind} event"
            self.times_ms.setdefault(beside, []).append(1000 * (times[other] - began))

    def _heard(self, name: str, card: ScriptedDevice) -> list[Awaitable[float]]:
        """When each side hears the other."""

        async def here() -> float:
            moment = await self._call.is_heard_at(card)
            logger.info("%s: the other side is heard", name)
            return moment

        async def there() -> float:
            moment = await self._call.hears(TONES_HZ[self._cards.index(card)])
            logger.info("%s: heard by the other side", name)
            return moment

        return [here(), there()]

    @staticmethod
    def _best(devices: list[ScriptedDevice]) -> ScriptedDevice | None:
        return devices[0] if devices else None


def run(short: bool) -> Report:
    return asyncio.run(_run(SHORT_EVENTS if short else EVENTS))


async def _run(events: int) -> Report:
    journal = Journal()
    # On the screen they would be too many.
    for name in ("callagent", __name__):
        logging.getLogger(name).setLevel(logging.INFO)
        logging.getLogger(name).addHandler(journal)
        logging.getLogger(name).propagate = False
    sections = {name: {"device": NAMED} for name in ("camera", "microphone", "speaker")}
    async with scripted_call(**sections) as call:
        torture = Torture(call, SEED)
        await torture.start()
        for _ in range(min(WARM_UP, events // 2)):
            await torture.step()
        torture.times_ms.clear()
        epoch = call.other.engine.state.epoch
        # What is there now is not looked through again for garbage: that stopped both sides' loop for a
        # sixth of a second after every event, and the next one was timed while sound caught up.
        gc.collect()
        gc.freeze()
        resources = [_resources()]
        for number in range(events):
            journal.next_event()
            known = {name: len(times) for name, times in torture.times_ms.items()}
            await torture.step()
            for name, times in torture.times_ms.items():
                if len(times) > known.get(name, 0) and times[-1] > (_limit(name) or times[-1]):
                    journal.show(f"event {number}: {name} took {times[-1]:.0f} ms")
            resources.append(_resources())
            logger.info("event %d: %s", number, resources[-1])
        resources.append(await _settled(resources[0]))
        negotiations = call.other.engine.state.epoch - epoch
    return Report("hotplug", [*_times(torture), *_leaks(resources, torture, negotiations)])


def _times(torture: Torture) -> list[Figure]:
    figures = []
    for name, times in sorted(torture.times_ms.items()):
        figures.append(Figure(f"{name} p50 ({len(times)})", "ms", statistics.median(times)))
        figures.append(Figure(f"{name} max", "ms", max(times), target=_limit(name)))
    return figures


def _limit(name: str) -> float | None:
    # A stall takes a second to be one, and a broken device is first tried again. What is not concerned
    # flows on; here it is only looked for again, and may have lost a packet of its own.
    if "freeze" in name or "break" in name or "meanwhile" in name:
        return None
    return BACK_MS if "back" in name else NEXT_MS


def _leaks(resources: list[Resources], torture: Torture, negotiations: int) -> list[Figure]:
    window = min(WINDOW, len(resources) // 2)
    before, after = resources[0], resources[-1]
    # Medians, because what malloc keeps for later comes and goes by some megabytes.
    first, last = (
        statistics.median(each[2] for each in part) for part in (resources[:window], resources[-window:])
    )
    used_first, used_last = (
        statistics.median(each[3] for each in part) for part in (resources[:window], resources[-window:])
    )
    return [
        Figure("events after which something did not flow again", "", float(len(torture.errors)), target=0),
        Figure("negotiations caused", "", float(negotiations), target=0),
        Figure("descriptors leaked", "", float(max(0, after[0] - before[0])), target=0),
        Figure("threads leaked", "", float(max(0, after[1] - before[1])), target=0),
        Figure("memory grown, resident", "MB", last - first, target=5),
        Figure("memory grown, in use by malloc", "MB", used_last - used_first),
    ]


async def _settled(before: Resources) -> Resources:
    """Once the threads of the last event have ended; after five seconds those that have not are a leak."""
    for _ in range(50):
        now = _resources()
        if now[0] <= before[0] and now[1] <= before[1]:
            break
        await asyncio.sleep(0.1)
    return now


def _resources() -> Resources:
    """Descriptors, threads, resident megabytes and those in use by malloc, of this process.

    Without the threads of pools, which have a limit and come one by one.
    """
    gc.collect()
    resident = process.resident_mb()
    threads = sum(not thread.name.startswith(POOLS) for thread in threading.enumerate())
    return len(os.listdir("/proc/self/fd")), threads, resident, _in_use_mb()


class _MallInfo(ctypes.Structure):
    """struct mallinfo2 (malloc.h of glibc 2.33)."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def _in_use_mb() -> float:
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = _MallInfo
    found = libc.mallinfo2()
    return float(found.uordblks + found.hblkhd) / 1e6
