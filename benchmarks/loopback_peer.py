# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of one peer in a process of its own: `python -m benchmarks.loopback_peer PEER CODEC SECONDS`.

`--bps` and `--effort` set what a peer encodes with. Prints a JSON object of figures on standard output.
"""

import argparse
import asyncio
import importlib
import json
import statistics
import time
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from benchmarks.scene import LatencyLog, Scene
from tests.impaired_link import ImpairedLink

WIDTH, HEIGHT, FPS = 1280, 720, 30
WARM_UP_S = 5.0
FIRST_FRAME_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class Coding:
    """What a peer encodes with; None is what it does by itself."""

    bitrate_bps: int | None = None
    effort: str | None = None
    """libx264's preset, libvpx's cpu-used."""


AS_USUAL = Coding()
USUAL_EFFORT = {"H264": "veryfast", "VP8": "-8"}
"""What our encoders are opened with."""


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
    psnr_db: float | None = None
    """Of decoded luma; None where pictures cannot be compared."""
    beyond_p50_ms: float | None = None
    """Latency without encoding and decoding, picture by picture; None where these are not known."""
    beyond_p95_ms: float | None = None


class Call(Protocol):
    """A connected pair, sending one way."""

    def bytes_sent(self) -> int: ...


class Peer(Protocol):
    def __call__(
        self,
        codec: str,
        scene: Scene,
        log: LatencyLog,
        link: ImpairedLink | None = None,
        coding: Coding = AS_USUAL,
    ) -> AbstractAsyncContextManager[Call]:
        """Connect a sender of the scene, at 30 pictures a second, with a receiver that logs arrivals.

        The sender is the offerer of the link, where there is one.
        """
        ...


async def measure(peer: Peer, codec: str, seconds: float, coding: Coding) -> Result:
    scene = Scene(WIDTH, HEIGHT)
    log = LatencyLog(scene)
    began = time.monotonic()
    async with peer(codec, scene, log, coding=coding) as call:
        async with asyncio.timeout(FIRST_FRAME_TIMEOUT_S):
            await log.first.wait()
        await asyncio.sleep(WARM_UP_S)
        sent, cpu, wall = call.bytes_sent(), time.process_time(), time.monotonic()
        log.measuring = True
        await asyncio.sleep(seconds)
        log.measuring = False
        sent, cpu, wall = call.bytes_sent() - sent, time.process_time() - cpu, time.monotonic() - wall
    timed = any(arrival.coding_s for arrival in log.arrivals)
    return Result(
        p50_ms=log.percentile_ms(50),
        p95_ms=log.percentile_ms(95),
        first_frame_ms=(log.first_at - began) * 1000,
        cpu_percent=100 * cpu / wall,
        fps=len(log.arrivals) / wall,
        bitrate_kbps=sent * 8 / wall / 1000,
        psnr_db=statistics.mean(log.psnr_db),
        beyond_p50_ms=log.beyond_coding_ms(50) if timed else None,
        beyond_p95_ms=log.beyond_coding_ms(95) if timed else None,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loopback_peer", description=__doc__)
    parser.add_argument("peer")
    parser.add_argument("codec")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--bps", type=int)
    parser.add_argument("--effort")
    given = parser.parse_args()
    # Only this one is imported, so that no peer's process ever sees another's code.
    module = importlib.import_module(f"benchmarks.loopback_{given.peer}")
    if given.peer == "chromium":
        measuring: Coroutine[Any, Any, Result] = module.measure(given.codec, given.seconds)
    else:
        coding = Coding(given.bps, given.effort)
        measuring = measure(module.connect, given.codec, given.seconds, coding)
    figures = asdict(asyncio.run(measuring))
    print(json.dumps({name: value for name, value in figures.items() if value is not None}))


if __name__ == "__main__":
    main()
