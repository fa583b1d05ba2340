# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent that waits for calls: processor time and memory of `callagent run`, registered, camera closed.

The service it is registered with is a process of its own. There are no peers: a browser page that waits is a
whole browser, and none of the libraries measured against registers anywhere.
"""

import asyncio
import tempfile
from pathlib import Path

from benchmarks import process
from benchmarks.report import Figure, Report
from tests.programs import Kiosk, Service, running

LENGTH_S, SHORT_S = 120.0, 15.0
SETTLED_S = 10.0
MAX_CPU_PERCENT, MAX_RESIDENT_MB = 0.5, 150.0


def run(short: bool) -> Report:
    return asyncio.run(_run(SHORT_S if short else LENGTH_S))


async def _run(length_s: float) -> Report:
    with tempfile.TemporaryDirectory(prefix="callagent-") as folder:
        service = Service(Path(folder))
        async with running(service):
            kiosk = Kiosk("kiosk", service.ticket("kiosk"), service.http_url, Path(folder))
            async with running(kiosk):
                assert kiosk.program.process is not None
                pid = kiosk.program.process.pid
                await asyncio.sleep(SETTLED_S)
                before = process.cpu_s(pid)
                await asyncio.sleep(length_s)
                cpu_percent = 100 * (process.cpu_s(pid) - before) / length_s
                resident = process.resident_mb(pid)
    return Report(
        "idle",
        [
            Figure("CPU", "% of a core", cpu_percent, target=MAX_CPU_PERCENT),
            Figure("resident memory", "MB", resident, target=MAX_RESIDENT_MB),
        ],
    )
