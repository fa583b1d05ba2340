# SPDX-License-Identifier: GPL-3.0-or-later
"""A network that goes away for ten seconds in a call and returns with another address.

The service, a kiosk behind a cable of its own (a network name space and a veth pair, which takes root) and
the kiosk that called it, a process each. Behind a relay the caller has such a cable too, and nothing leads
from one to the other but coturn. What is timed: from the moment the new address is there to the next picture
at either side.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.coturn import coturn
from tests.programs import Kiosk, Service, running, until

LENGTH_S = 10.0
DEADLINE_S = 60.0
SETTLED_S = 8.0
"""Between two outages: the budget for new epochs is what a real network would find."""
_TAIL_BYTES = 400


class Cable:
    """From here, 10.NET.0.1, to a name space whose address is another one at each plugging in."""

    def __init__(self, net: int) -> None:
        self.here = f"10.{net}.0.1"
        self.space = f"callagent{os.getpid()}n{net}"
        self._net = net
        self._near, self._far = f"ca{os.getpid()}n{net}", f"ca{os.getpid()}f{net}"
        self._last = 1

    @property
    def within(self) -> tuple[str, ...]:
        """What runs a command at the far end."""
        return ("ip", "netns", "exec", self.space)

    def make(self) -> None:
        """Raises subprocess.CalledProcessError without the right to."""
        _run(f"ip netns add {self.space}")
        _run(f"ip link add {self._near} type veth peer name {self._far} netns {self.space}")
        _run(f"ip addr add {self.here}/24 dev {self._near}")
        self._there("ip link set lo up")
        self.plug()

    def remove(self) -> None:
        # By itself, as the space lives on as long as a process in it.
        for what in (f"link del {self._near}", f"netns del {self.space}"):
            subprocess.run(["ip", *what.split()], check=False, capture_output=True)

    def unplug(self) -> None:
        """The carrier goes, and as with any DHCP client so does the address."""
        _run(f"ip link set {self._near} down")
        self._there(f"ip addr flush dev {self._far}")

    def plug(self) -> None:
        """Another address than before, and a way out."""
        self._last += 1
        _run(f"ip link set {self._near} up")
        self._there(f"ip link set {self._far} up")
        self._there(f"ip addr add 10.{self._net}.0.{self._last}/24 dev {self._far}")
        self._there(f"ip route replace default via {self.here}")

    def _there(self, command: str) -> None:
        _run(f"{' '.join(self.within)} {command}")


def _run(command: str) -> None:
    subprocess.run(command.split(), check=True)


@contextmanager
def cable(net: int) -> Iterator[Cable]:
    made = Cable(net)
    try:
        made.make()
        yield made
    finally:
        made.remove()


async def measure(outages: int, *, relayed: bool) -> list[float]:
    """Seconds until both sides see again, outage by outage."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="callagent-")))
        wire = stack.enter_context(cable(213))
        within: tuple[str, ...] = ()
        sections: dict[str, Any] = {}
        if relayed:
            within = stack.enter_context(cable(214)).within
            sections = {"ice": {"servers": [await stack.enter_async_context(coturn(wire.here))]}}
        service = Service(folder, "0.0.0.0", **sections)
        await stack.enter_async_context(running(service))
        url = f"http://{wire.here}:{service.http_port}"
        common: dict[str, Any] = {"service": {"allow_insecure": True}}
        caller = Kiosk("anna", service.ticket("anna"), url, folder, within=within, **common)
        answer = {"mode": "auto", "from": "anyone"}
        kiosk = Kiosk(
            *("ben", service.ticket("ben"), url, folder), within=wire.within, answer=answer, **common
        )
        await stack.enter_async_context(running(caller, kiosk))
        async with caller.client() as control:
            await control.call([kiosk.user])
        await caller.until_state("connected", DEADLINE_S)
        await _both_see(caller, kiosk, time.time())
        return [await _outage(wire, caller, kiosk) for _ in range(outages)]


async def _outage(wire: Cable, caller: Kiosk, kiosk: Kiosk) -> float:
    await asyncio.sleep(SETTLED_S)
    wire.unplug()
    await asyncio.sleep(LENGTH_S)
    wire.plug()
    back = time.time()
    return await _both_see(caller, kiosk, back) - back


async def _both_see(caller: Kiosk, kiosk: Kiosk, since: float) -> float:
    """When both have seen a picture that came after `since`, in Unix time."""
    first: dict[str, float] = {}

    async def seen() -> bool:
        for each in (caller, kiosk):
            last = _last_picture(each)
            if each.user not in first and last > since:
                first[each.user] = last
        return len(first) == 2

    def failure() -> str:
        return f"only {sorted(first)} see again:\n{caller.program.tail()}\n\n{kiosk.program.tail()}"

    await until(seen, DEADLINE_S, failure, 0.02)
    return max(first.values())


def _last_picture(kiosk: Kiosk) -> float:
    """Unix time of the newest picture whose frame code was read; 0.0 before the first."""
    if not kiosk.pictures.exists():
        return 0.0
    with kiosk.pictures.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL_BYTES))
        lines = [line for line in file.read().decode().splitlines()[-2:] if line.startswith("{")]
    complete = [line for line in lines if line.endswith("}")]
    return float(json.loads(complete[-1])["time"]) if complete else 0.0
