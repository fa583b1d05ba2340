# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of one peer in a process of its own: `python -m benchmarks.loopback_peer PEER CODEC SECONDS`.

Prints a JSON object of figures on standard output.
"""

import asyncio
import importlib
import json
import sys
import time
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from benchmarks.scene import LatencyLog, Scene
from tests.impaired_link import ImpairedLink

WIDTH, HEIGHT, FPS = 1280, 720, 30
WARM_UP_S = 1.0
FIRST_FRAME_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class Result:
    """What one run measured."""

    p50_ms: float
    """From the picture handed over by the camera to the decoded picture at the receiver's sink."""
    p95_ms: float
    first_frame_ms: float
    """From asking for the offer to the first decoded picture."""
    cpu_percent: float
    """Of one core; both ends and the drawing of the scene."""
    fps: float
    bitrate_kbps: float


class Call(Protocol):
    """A connected pair, sending one way."""

    def bytes_sent(self) -> int: ...


class Peer(Protocol):
    def __call__(
        self, codec: str, scene: Scene, log: LatencyLog, link: ImpairedLink | None = None
    ) -> AbstractAsyncContextManager[Call]:
        """Connect a sender of the scene, at 30 pictures a second, with a receiver that logs arrivals.

        The sender is the offerer of the link, where there is one.
        """
        ...


async def measure(peer: Peer, codec: str, seconds: float) -> Result:
    scene, log = Scene(WIDTH, HEIGHT), LatencyLog()
    began = time.monotonic()
    async with peer(codec, scene, log) as call:
        async with asyncio.timeout(FIRST_FRAME_TIMEOUT_S):
            await log.first.wait()
        await asyncio.sleep(WARM_UP_S)
        sent, cpu, wall = call.bytes_sent(), time.process_time(), time.monotonic()
        log.measuring = True
        await asyncio.sleep(seconds)
        log.measuring = False
        sent, cpu, wall = call.bytes_sent() - sent, time.process_time() - cpu, time.monotonic() - wall
    return Result(
        p50_ms=log.percentile_ms(50),
        p95_ms=log.percentile_ms(95),
        first_frame_ms=(log.first_at - began) * 1000,
        cpu_percent=100 * cpu / wall,
        fps=len(log.arrivals) / wall,
        bitrate_kbps=sent * 8 / wall / 1000,
    )


def main() -> None:
    name, codec, seconds = sys.argv[1:]
    # Only this one is imported, so that no peer's process ever sees another's code.
    module = importlib.import_module(f"benchmarks.loopback_{name}")
    if name == "chromium":
        measuring: Coroutine[Any, Any, Result] = module.measure(codec, float(seconds))
    else:
        measuring = measure(module.connect, codec, float(seconds))
    print(json.dumps(asdict(asyncio.run(measuring))))


if __name__ == "__main__":
    main()
