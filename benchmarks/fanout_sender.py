# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of one sender in a process of its own: `python -m benchmarks.fanout_sender PEER COUNT SECONDS`.

Prints a JSON object of figures on standard output.
"""

import asyncio
import importlib
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from benchmarks.scene import LatencyLog, Scene
from tests.programs import until

WIDTH, HEIGHT = 1280, 720
WARM_UP_S = 5.0
"""Bitrate and layers have settled by then."""
CONNECT_S = 30.0

Answer = Callable[[str], Awaitable[str]]
"""Takes an SDP offer of one video line, returns the receiver's answer."""


class Sender(Protocol):
    def __call__(
        self, scene: Scene, log: LatencyLog, answers: list[Answer]
    ) -> AbstractAsyncContextManager[None]:
        """Send the scene to as many receivers as there are answers."""
        ...


class Receivers:
    """The other process; JSON lines over its standard input and output."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, **question: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        return json.loads(await self._process.stdout.readline())

    async def answer(self, offer: str) -> str:
        answer: str = await self.ask(offer=offer)
        return answer

    async def all_receive(self) -> bool:
        return all(pictures for pictures, _ in await self.received())

    async def received(self) -> list[list[int]]:
        """Of each receiver: complete pictures and their bytes so far."""
        received: list[list[int]] = await self.ask()
        return received


@asynccontextmanager
async def receivers_process() -> AsyncIterator[Receivers]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.fanout_receivers"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    try:
        yield Receivers(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


async def measure(sender: Sender, count: int, seconds: float) -> dict[str, float]:
    scene, log = Scene(WIDTH, HEIGHT), LatencyLog()
    async with receivers_process() as receivers, sender(scene, log, [receivers.answer] * count):
        await until(receivers.all_receive, CONNECT_S, lambda: "no pictures arrive")
        await asyncio.sleep(WARM_UP_S)
        before, cpu, wall = await receivers.received(), time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
        after = await receivers.received()
    each = [(a[0] - b[0], a[1] - b[1]) for a, b in zip(after, before, strict=True)]
    return {
        "cpu_percent": 100 * cpu / wall,
        "fps": min(pictures for pictures, _ in each) / wall,
        "bitrate_kbps": min(size for _, size in each) * 8 / wall / 1000,
    }


def main() -> None:
    name, count, seconds = sys.argv[1:]
    sender: Sender = importlib.import_module(f"benchmarks.fanout_{name}").send
    print(json.dumps(asyncio.run(measure(sender, int(count), float(seconds)))))


if __name__ == "__main__":
    main()
