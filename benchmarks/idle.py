# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent that waits for calls: processor time and memory of `callagent run`, registered, camera closed.

The service it is registered with is a process of its own. There are no peers: a browser page that waits is a
whole browser, and none of the libraries measured against registers anywhere.
"""

import asyncio
import os
import tempfile
from pathlib import Path

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
                before = _cpu_s(pid)
                await asyncio.sleep(length_s)
                cpu_percent = 100 * (_cpu_s(pid) - before) / length_s
                resident = _resident_mb(pid)
    return Report(
        "idle",
        [
            Figure("CPU", "% of a core", cpu_percent, target=MAX_CPU_PERCENT),
            Figure("resident memory", "MB", resident, target=MAX_RESIDENT_MB),
        ],
    )


def _cpu_s(pid: int) -> float:
    """User and system time of all its threads (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
