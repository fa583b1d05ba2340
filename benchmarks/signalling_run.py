# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the load generator against programs that are there already, and what they spent on it."""

import asyncio
import dataclasses
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from benchmarks import process
from benchmarks.signalling_contract import Load

LOGIN_S = 300.0
IDLE_OF_LENGTH = 0.5
"""How long the idle sessions are watched, of the time for which there are calls."""
LATE_S = 60.0
_LINE_BYTES = 1 << 20


class Void(Exception):
    """The load generator had too little time of its own: what it found does not count."""

    MAX_CORE: ClassVar[float] = 0.8

    def __init__(self, own_core: float) -> None:
        super().__init__(f"the load generator took {own_core:.2f} of its core")
        self.own_core = own_core


@dataclass(frozen=True, slots=True)
class Found:
    rate: float
    """Set-ups done per second."""
    failed: float
    ring_p50_ms: float
    ring_p99_ms: float
    own_core: float
    """Of the load generator."""
    cpu_ms: float
    """Of all programs per set-up, beyond what they take while everybody is idle."""
    idle_core: float
    resident_mb: float
    """While everybody is idle."""


async def measured(load: Load, pids: Sequence[int]) -> Found:
    """`pids`: of the programs under load. Raises Void, TimeoutError."""
    async with _generator(load) as (stdin, stdout):
        async with asyncio.timeout(LOGIN_S):
            ready = await stdout.readline()
        assert ready == b"ready\n", f"the load generator said {ready!r}"
        idle_s = IDLE_OF_LENGTH * load.seconds
        began = _cpu_s(pids)
        await asyncio.sleep(idle_s)
        before = _cpu_s(pids)
        idle_core = (before - began) / idle_s
        resident = sum(process.resident_mb(pid) for pid in pids)
        stdin.write(b"go\n")
        async with asyncio.timeout(load.seconds + LATE_S):
            found: dict[str, Any] = json.loads(await stdout.readline())
        spent = _cpu_s(pids) - before - idle_core * found["seconds"]
    if found["own_core"] > Void.MAX_CORE:
        raise Void(found["own_core"])
    assert found["set_ups"], "not one set-up was done"
    return Found(
        rate=found["set_ups"] / found["seconds"],
        failed=found["failed"],
        ring_p50_ms=found["ring_p50_ms"],
        ring_p99_ms=found["ring_p99_ms"],
        own_core=found["own_core"],
        cpu_ms=1000 * spent / found["set_ups"],
        idle_core=idle_core,
        resident_mb=resident,
    )


@asynccontextmanager
async def _generator(load: Load) -> AsyncIterator[tuple[asyncio.StreamWriter, asyncio.StreamReader]]:
    generator = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.signalling_load"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE_BYTES,
    )
    assert generator.stdin is not None
    assert generator.stdout is not None
    try:
        generator.stdin.write(json.dumps(dataclasses.asdict(load)).encode() + b"\n")
        yield generator.stdin, generator.stdout
        async with asyncio.timeout(LATE_S):
            await generator.wait()
    finally:
        if generator.returncode is None:
            generator.kill()
            await generator.wait()


def _cpu_s(pids: Sequence[int]) -> float:
    return sum(process.cpu_s(pid) for pid in pids)
