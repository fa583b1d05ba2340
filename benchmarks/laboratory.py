# SPDX-License-Identifier: GPL-3.0-or-later
"""USB devices pulled, plugged and stalled at random in a call, on the drivers of the real kernel, in a guest.

The guest is emulated and k times slower than this machine: limits are those of the design times k. There are
no peers, as with `hotplug`. Needs root and QEMU; `make lab` sets both up.
"""

import asyncio
import statistics
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.report import Figure, Report
from tests.lab.kiosk import install
from tests.lab.machine import Machine, image
from tests.lab.slowdown import slowdown
from tests.lab.torture import SEED, Outcome, limit_s, torture

EVENTS, SHORT_EVENTS = 200, 20


def run(short: bool) -> Report:
    with Machine(image()) as machine, tempfile.TemporaryDirectory(prefix="callagent-") as folder:
        factor = slowdown(machine)
        install(machine)
        events = SHORT_EVENTS if short else EVENTS
        say = partial(print, flush=True)
        suffering = torture(machine, Path(folder), events, SEED, say, thorough=not short)
        outcome = asyncio.run(suffering)
    figures = [Figure("slow-down k", "", factor), *_times(outcome, factor), *_leaks(outcome)]
    return Report("laboratory", figures)


def _times(outcome: Outcome, factor: float) -> list[Figure]:
    figures = []
    for name, times in sorted(outcome.times_s.items()):
        figures.append(Figure(f"{name} p50 ({len(times)})", "ms", 1000 * statistics.median(times)))
        limit = 1000 * limit_s(name) * factor
        figures.append(Figure(f"{name} max", "ms", 1000 * max(times), target=round(limit)))
    return figures


def _leaks(outcome: Outcome) -> list[Figure]:
    return [
        Figure("events after which something did not flow again", "", float(len(outcome.errors)), target=0),
        Figure("descriptors leaked", "", float(len(outcome.leaked_descriptors)), target=0),
        Figure("threads leaked", "", float(len(outcome.leaked_threads)), target=0),
        Figure("memory grown", "MB", outcome.grown_mb, target=5),
    ]
