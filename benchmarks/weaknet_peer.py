# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of one peer over one bad network: `python -m benchmarks.weaknet_peer PEER SCENARIO LENGTH`.

LENGTH is a factor on the scenario's times. Prints a JSON object of figures on standard output.
"""

import asyncio
import importlib
import itertools
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.loopback_peer import FIRST_FRAME_TIMEOUT_S, HEIGHT, WIDTH, Peer
from benchmarks.scene import Arrival, LatencyLog, Scene
from callagent.media.playout.freezes import Freezes
from tests.impaired_link import ImpairedLink

ONE_WAY_S, JITTER_S, LOSS = 0.05, 0.02, 0.05
WIDE_BPS, NARROW_BPS = 2_000_000, 400_000
WARM_UP_S, LOSSY_S, NARROW_S, RECOVERY_S = 10.0, 60.0, 20.0, 30.0
ADAPTED_S = 5.0
MAX_LATENCY_S = 0.3
FULL_S = 5.0
FULL_SHARE = 0.9

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Second:
    """What came in one second."""

    began: float
    pictures: int
    width: float
    """Median; 0 without pictures."""
    bytes: int
    """Of datagrams that left the link."""


class Run:
    """A connected pair over a link."""

    def __init__(self, link: ImpairedLink, log: LatencyLog, factor: float) -> None:
        self.link, self.log, self._factor = link, log, factor
        self._passed: list[tuple[float, int]] = []

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self._factor)

    async def watch(self) -> None:
        """Until cancelled: what `seconds` tells."""
        while True:
            self._passed.append((time.monotonic(), self.link.there.passed_bytes))
            await asyncio.sleep(1)

    def between(self, began: float, ended: float) -> list[Arrival]:
        return [arrival for arrival in self.log.arrivals if began <= arrival.at < ended]

    @property
    def seconds(self) -> list[Second]:
        found = []
        for (began, before), (ended, after) in itertools.pairwise(self._passed):
            widths = [arrival.width for arrival in self.between(began, ended)]
            width = float(np.median(widths)) if widths else 0.0
            found.append(Second(began, len(widths), width, after - before))
        return found


async def lossy(run: Run) -> Figures:
    """5 % of the packets lost both ways, 100 ms there and back, 20 ms jitter."""
    for way in (run.link.there, run.link.back):
        way.delay_s, way.jitter_s, way.loss = ONE_WAY_S, JITTER_S, LOSS
    await run.wait(WARM_UP_S)
    began, passed = time.monotonic(), run.link.there.passed_bytes
    await run.wait(LOSSY_S)
    ended, passed = time.monotonic(), run.link.there.passed_bytes - passed
    seen = run.between(began, ended)
    freezes = Freezes()
    for arrival in seen:
        freezes.shown(arrival.at)
    added_s = [arrival.latency_s - ONE_WAY_S for arrival in seen]
    return {
        "frozen_percent": 100 * freezes.total_s / (ended - began),
        "freezes_per_minute": 60 * freezes.count / (ended - began),
        "longest_gap_ms": 1000 * float(np.max(np.diff([arrival.at for arrival in seen]))),
        "added_p50_ms": 1000 * float(np.median(added_s)),
        "added_p95_ms": 1000 * float(np.percentile(added_s, 95)),
        "fps": len(seen) / (ended - began),
        "bitrate_kbps": passed * 8 / (ended - began) / 1000,
    }


async def narrow(run: Run) -> Figures:
    """2 Mbit/s, then 400 kbit/s, then 2 Mbit/s again."""
    way = run.link.there
    way.rate_bps = WIDE_BPS
    await run.wait(WARM_UP_S)
    way.rate_bps, dropped = NARROW_BPS, time.monotonic()
    await run.wait(NARROW_S)
    way.rate_bps, recovered = WIDE_BPS, time.monotonic()
    await run.wait(RECOVERY_S)
    seconds = run.seconds
    wide = [each for each in seconds if dropped - FULL_S <= each.began < dropped - 1]
    adapted = run.between(dropped + ADAPTED_S, recovered)
    late = [arrival.at for arrival in run.between(dropped, recovered) if arrival.latency_s > MAX_LATENCY_S]
    figures = {
        "adapted_s": max(late) - dropped if late else 0.0,
        "adapted_fps": len(adapted) / (recovered - dropped - ADAPTED_S),
        "regained_s": _regained([each for each in seconds if each.began >= recovered], wide) - recovered,
    }
    if not adapted:
        # Nothing came through any more: it never adapted.
        return figures | {"adapted_s": recovered - dropped}
    return figures | {
        "adapted_p95_ms": 1000 * float(np.percentile([arrival.latency_s for arrival in adapted], 95)),
        "adapted_width": float(np.median([arrival.width for arrival in adapted])),
    }


def _regained(after: list[Second], wide: list[Second]) -> float:
    """When size, rate and bits were again what they had been, and stayed so for three seconds."""
    width = statistics.median(each.width for each in wide)
    pictures = FULL_SHARE * statistics.median(each.pictures for each in wide)
    sent = FULL_SHARE * statistics.median(each.bytes for each in wide)
    full = [each.width >= width and each.pictures >= pictures and each.bytes >= sent for each in after]
    for number, second in enumerate(after[:-2]):
        if all(full[number : number + 3]):
            return second.began
    return after[-1].began


SCENARIOS: dict[str, Callable[[Run], Awaitable[Figures]]] = {"lossy": lossy, "narrow": narrow}


async def measure(peer: Peer, scenario: str, factor: float) -> Figures:
    scene, log, link = Scene(WIDTH, HEIGHT), LatencyLog(), ImpairedLink()
    run = Run(link, log, factor)
    async with peer("H264", scene, log, link):
        async with asyncio.timeout(FIRST_FRAME_TIMEOUT_S):
            await log.first.wait()
        log.measuring = True
        watching = asyncio.create_task(run.watch())
        try:
            return await SCENARIOS[scenario](run)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            link.close()


def main() -> None:
    name, scenario, factor = sys.argv[1:]
    # Only this one is imported, so that neither peer's process ever sees the other's code.
    peer: Peer = importlib.import_module(f"benchmarks.loopback_{name}").connect
    print(json.dumps(asyncio.run(measure(peer, scenario, float(factor)))))


if __name__ == "__main__":
    main()
