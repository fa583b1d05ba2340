# SPDX-License-Identifier: GPL-3.0-or-later
"""USB devices pulled, plugged and stalled at random during a call, on the drivers of the real kernel.

After each event the caller must see a moving picture and hear the kiosk, and the kiosk must play the caller.
"""

import asyncio
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from callagent.protocol import control as api
from tests.lab.kiosk import guest_kiosk, lab_caller
from tests.lab.machine import Machine
from tests.lab.scene import ANSWERING, CALLERS_TONE_HZ, Scene
from tests.lab.usbip.button import Button
from tests.lab.usbip.camera import Camera
from tests.lab.usbip.device import UsbDevice
from tests.lab.usbip.speakerphone import Speakerphone
from tests.lab.waiting import until
from tests.programs import Service, running

IDENTS = (7, 9)
TONES_HZ = (1300.0, 2100.0)
Events = tuple[str, ...]
CAMERA_EVENTS: Events = ("pull", "freeze", "halt", "control", "error", "truncate", "empty")
SOUND_EVENTS: Events = ("pull", "pull", "freeze")
BUTTON_EVENTS: Events = ("pull",)
PORTS = range(8)
DEADLINE_S = 60.0
WARM_UP = 5
SAMPLES = 24
WINDOW = 20
SEED = 20261121
_PID = "p=$(systemctl show callagent -p MainPID --value)"
NEXT_S, BACK_S = 1.0, 1.0
"""Limits of the design, here measured at the other side."""
STALL_S = 3.0
"""Before that a device must have been silent for a second to be stalled, and is started again for two."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Of the agent's process in the guest."""

    descriptors: tuple[str, ...]
    """What each leads to, without numbers: a device's differ from plug to plug."""
    threads: tuple[str, ...]
    """The kernel's name of each; a library's thread has that of the thread that made it."""
    resident_mb: float
    sockets: tuple[str, ...] = ()
    """Kind and state, or name."""


@dataclass(slots=True)
class Outcome:
    times_s: dict[str, list[float]] = field(default_factory=dict)
    """By event: until everything flowed again at the other side."""
    errors: list[str] = field(default_factory=list)
    before: Resources = Resources((), (), 0.0)
    after: Resources = Resources((), (), 0.0)
    resident_mb: list[float] = field(default_factory=list)
    """After each event."""

    @property
    def leaked_descriptors(self) -> list[str]:
        """What the additional ones lead to."""
        return _additional(self.after.descriptors, self.before.descriptors)

    @property
    def new_sockets(self) -> list[str]:
        """Kind and state, or name: to tell which sockets among the leaked descriptors."""
        return _additional(self.after.sockets, self.before.sockets)

    @property
    def leaked_threads(self) -> list[str]:
        """The names of the additional ones."""
        return _additional(self.after.threads, self.before.threads)

    @property
    def grown_mb(self) -> float:
        """From the first events to the last, by their medians: what malloc keeps comes and goes."""
        window = min(WINDOW, len(self.resident_mb) // 2)
        first, last = self.resident_mb[:window], self.resident_mb[-window:]
        return statistics.median(last) - statistics.median(first)


def limit_s(name: str) -> float:
    """Of one of `Outcome.times_s`."""
    if name.endswith("back"):
        return BACK_S
    return NEXT_S if "pull" in name else STALL_S + NEXT_S


class Torture:
    """Two cameras and two speakerphones, the first of each preferred, and a button that mutes."""

    def __init__(self, machine: Machine, scene: Scene, seed: int, say: Callable[[str], None]) -> None:
        self._machine, self._scene, self._say = machine, scene, say
        self._random = random.Random(seed)
        names = ("Front", "Spare")
        self._cameras = [
            Camera(f"Lab {name}", f"F{name}", ident=ident) for name, ident in zip(names, IDENTS, strict=True)
        ]
        self._phones = [
            Speakerphone(f"Lab {name} Phone", f"P{name}", tone_hz=tone)
            for name, tone in zip(names, TONES_HZ, strict=True)
        ]
        self._button = Button()
        self._ports: dict[UsbDevice, int] = {}
        self.outcome = Outcome()

    @property
    def _devices(self) -> list[UsbDevice]:
        return [*self._cameras, *self._phones, self._button]

    async def start(self) -> None:
        """Start the kiosk, plug everything in, make the call."""
        sounds = {"device": [{"serial": "PFront"}, {"serial": "PSpare"}]}
        await self._scene.kiosk.start(
            camera={"device": [{"serial": "FFront"}, {"serial": "FSpare"}]},
            microphone=sounds,
            speaker=sounds,
            answer=ANSWERING,
            buttons=[
                {
                    "name": "mute",
                    "key": "KEY_F13",
                    "device": {"name": "*Lab Button"},
                    "press": "mute",
                    "long": "none",
                }
            ],
        )
        for device in self._devices:
            await self._plug(device)
        await self._scene.call()
        await self._flows()

    async def run(self, events: int, *, thorough: bool) -> Outcome:
        """Events at random after a warm-up; if `thorough`, after everything that may happen once."""
        for device, how in self._everything() if thorough else [self._pick() for _ in range(WARM_UP)]:
            self._say(f"torture: warming up: {await self.step(device, how)}")
        self.outcome.times_s.clear()
        self.outcome.before = await self._resources()
        for number in range(events):
            what = await self.step(*self._pick())
            self.outcome.resident_mb.append((await self._sample()).resident_mb)
            self._say(f"torture: event {number + 1} of {events}: {what}: {self._latest(what)}")
        self.outcome.after = await self._resources(self.outcome.before)
        outcome = self.outcome
        if outcome.leaked_descriptors or outcome.leaked_threads:
            self._say(
                f"torture: leaked {outcome.leaked_descriptors}, {outcome.leaked_threads}; "
                f"new sockets {outcome.new_sockets}"
            )
        return outcome

    def _latest(self, what: str) -> str:
        """The times of the last event of this kind."""
        times = self.outcome.times_s
        return ", ".join(
            f"{name.rpartition(': ')[2]} {times[name][-1]:.1f} s"
            for name in (f"{what}: next", f"{what}: back")
            if name in times
        )

    def _everything(self) -> list[tuple[UsbDevice, str]]:
        return [(device, how) for device in self._devices for how in sorted(set(_hows(device)))]

    def _pick(self) -> tuple[UsbDevice, str]:
        device = self._random.choice(self._devices)
        return device, self._random.choice(_hows(device))

    async def step(self, device: UsbDevice, how: str) -> str:
        """One event and everything that may follow; returns what it was."""
        used = device in (self._cameras[0], self._phones[0], self._button)
        what = f"{_kind(device)} {how}" + ("" if used else " (spare)")
        try:
            async with asyncio.timeout(4 * DEADLINE_S):
                await self._suffer(device, how, what)
        except (AssertionError, TimeoutError) as error:
            fallen = [f"{each} ({each.failure})" for each in self._devices if not each.plugged]
            self.outcome.errors.append(f"{what}: {error}")
            trouble = await asyncio.to_thread(self._machine.trouble)
            self._say(f"torture: {what}: {error}\nunplugged: {', '.join(fallen) or 'none'}\n{trouble}")
            device.resume()
            for each in self._devices:
                if not each.plugged:
                    await self._plug(each)
        return what

    async def _suffer(self, device: UsbDevice, how: str, what: str) -> None:
        if device is self._button:
            await self._suffer_without_button(what)
            return
        began = time.monotonic()
        if how == "pull":
            await self._pull(device)
        else:
            device.stall(how)
        await self._flows(without=None if how == "halt" else device)
        self._took(f"{what}: next", began)
        if how != "pull":
            # A stalled device is pulled out too: nobody at a kiosk mends it otherwise.
            await self._pull(device)
            device.resume()
        await self._plug(device)
        # The kernel knows it from now on.
        began = time.monotonic()
        await self._flows()
        self._took(f"{what}: back", began)

    async def _suffer_without_button(self, what: str) -> None:
        """Until the agent has it again, on the guest's clock; a press and its effect take many answers."""
        pulled = await asyncio.to_thread(self._machine.monotonic)
        await self._pull(self._button)
        await self._plug(self._button)
        plugged = await asyncio.to_thread(self._machine.monotonic)
        taken: list[float] = []

        async def is_taken() -> bool:
            moments = await asyncio.to_thread(self._scene.kiosk.logged, ": button mute is there$")
            taken[:] = [moment for moment in moments if moment > pulled]
            return bool(taken)

        await until(is_taken, DEADLINE_S, lambda: "button not taken")
        self._took_s(f"{what}: back", max(0.0, taken[0] - plugged))
        await self._mutes()
        await self._flows()

    def _took(self, name: str, began: float) -> None:
        self._took_s(name, time.monotonic() - began)

    def _took_s(self, name: str, seconds: float) -> None:
        self.outcome.times_s.setdefault(name, []).append(seconds)

    async def _plug(self, device: UsbDevice) -> None:
        """Into any port but the one it was in."""
        before = self._ports.get(device)
        used = {self._ports[each] for each in self._devices if each.plugged}
        port = self._random.choice([port for port in PORTS if port not in used and port != before])
        await asyncio.to_thread(device.plug, self._machine, port)
        self._ports[device] = port

    async def _pull(self, device: UsbDevice) -> None:
        await asyncio.to_thread(device.unplug)
        if device is self._button:
            await self._scene.kiosk.until(
                lambda status: "mute" not in status.panel.buttons, "button not missed", DEADLINE_S
            )

    async def _flows(self, without: UsbDevice | None = None) -> None:
        """Picture and both tones, from and to the best devices that work."""
        camera = self._best(self._cameras, without)
        phone = self._best(self._phones, without)
        await self._scene.sees(IDENTS[camera], DEADLINE_S)
        await self._scene.hears(TONES_HZ[phone], DEADLINE_S)
        playing = self._phones[phone]
        playing.forget()

        async def played() -> bool:
            return playing.plays(CALLERS_TONE_HZ)

        await until(played, DEADLINE_S, lambda: "the kiosk does not play the caller")

    @staticmethod
    def _best(devices: list[Camera] | list[Speakerphone], without: UsbDevice | None) -> int:
        for at, each in enumerate(devices):
            if each.plugged and each is not without:
                return at
        raise AssertionError("nothing is plugged in that should be")

    async def _mutes(self) -> None:
        """The button works: a press mutes, another one ends it."""
        kiosk = self._scene.kiosk
        for muted in (True, False):
            self._button.press()
            await asyncio.sleep(0.1)  # shorter is a bounce
            self._button.release()
            await kiosk.until(partial(_is_muted, muted=muted), "the button does not mute", DEADLINE_S)

    async def _resources(self, before: Resources | None = None) -> Resources:
        """What is usual over half a minute: mixers are set for ten seconds after a card came, and there are
        moments without a connection. Compared with `before`: the least, within a minute if need be.
        """
        samples: list[Resources] = []
        deadline = time.monotonic() + DEADLINE_S
        while len(samples) < SAMPLES or (
            before is not None and _exceeds(samples, before) and time.monotonic() < deadline
        ):
            samples.append(await self._sample())
            await asyncio.sleep(1.0)
        return Resources(
            _usual([each.descriptors for each in samples], least=before is not None),
            _usual([each.threads for each in samples], least=before is not None),
            statistics.median(each.resident_mb for each in samples),
            await self._sockets(),
        )

    async def _sample(self) -> Resources:
        printed = await self._scene.kiosk.run(
            f"{_PID}; "
            "sed -n 's/^VmRSS:\\s*\\([0-9]*\\) kB/\\1/p' /proc/$p/status; "
            "cat /proc/$p/task/*/comm; echo; "
            "find /proc/$p/fd -type l -printf '%l\\n' | sed 's/[0-9]\\+/N/g'"
        )
        first, _, descriptors = printed.partition("\n\n")
        resident_kb, *threads = first.splitlines()
        return Resources(tuple(descriptors.splitlines()), tuple(threads), int(resident_kb) / 1000)

    async def _sockets(self) -> tuple[str, ...]:
        printed = await self._scene.kiosk.run(
            f"{_PID}; cd /proc/$p/net; "
            "find /proc/$p/fd -lname 'socket:*' -printf '%l\n' | tr -dc '0-9\n' | "
            'awk \'FNR == NR { own[$1]; next } FILENAME == "unix" && $7 in own { print "unix", $8 } '
            'FILENAME != "unix" && $10 in own { print FILENAME, $4 }\' - tcp tcp6 udp udp6 netlink unix'
        )
        return tuple(printed.splitlines())

    def close(self) -> None:
        for device in self._devices:
            device.close()


def _kind(device: UsbDevice) -> str:
    if isinstance(device, Camera):
        return "camera"
    return "sound" if isinstance(device, Speakerphone) else "button"


def _hows(device: UsbDevice) -> Events:
    return {"camera": CAMERA_EVENTS, "sound": SOUND_EVENTS, "button": BUTTON_EVENTS}[_kind(device)]


def _exceeds(samples: list[Resources], before: Resources) -> bool:
    descriptors = min(len(each.descriptors) for each in samples)
    threads = min(len(each.threads) for each in samples)
    return descriptors > len(before.descriptors) or threads > len(before.threads)


def _usual(samples: list[tuple[str, ...]], *, least: bool) -> tuple[str, ...]:
    ordered = sorted(samples, key=len)
    return ordered[0 if least else len(ordered) // 2]


def _additional(after: tuple[str, ...], before: tuple[str, ...]) -> list[str]:
    """None when there are no more than before: one may have taken the place of another."""
    return sorted((Counter(after) - Counter(before)).elements()) if len(after) > len(before) else []


def _is_muted(status: api.StatusData, *, muted: bool) -> bool:
    return status.slots["microphone"].details.get("muted") is muted


async def torture(
    machine: Machine, folder: Path, events: int, seed: int, say: Callable[[str], None], *, thorough: bool
) -> Outcome:
    """`machine`: with callagent installed. `thorough`: see `Torture.run`."""
    service = Service(folder)
    async with running(service):
        caller = lab_caller(service)
        async with running(caller), guest_kiosk(machine, service, folder) as kiosk:
            suffering = Torture(machine, Scene(kiosk, caller), seed, say)
            try:
                await suffering.start()
                return await suffering.run(events, thorough=thorough)
            finally:
                suffering.close()
