# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call costs the call service: calls, ring, accept, begin, hang up, both end, the record is there.

The service is the real program on SQLite over plain HTTP on loopback; people are a process of their
own, which must not need more than 0.8 of its core, else nothing it found counts. Two nodes are
measured against one with PostgreSQL and Redis, each node in a control group of 0.3 cores.
"""

import asyncio
import dataclasses
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from benchmarks import process
from benchmarks.cpu_group import cpu_group, enter
from benchmarks.report import Figure, Report
from benchmarks.signalling_load import Load
from tests.postgres import postgres_server
from tests.programs import APP_ID, Service, running
from tests.redis_server import RedisServer

IDLE_SESSIONS, FEW_SESSIONS = 5000, 100
RATE, LENGTH_S = 100.0, 30.0
STEADY_RATE = 40.0
IDLE_S = 15.0
NODE_CORES = 0.3
MAX_GENERATOR = 0.8
LOGIN_S = 300.0
UNLIMITED = {
    "connections": 100_000,
    "connections_per_address": 100_000,
    "requests_per_s": 100_000,
    "calls_per_minute": 1_000_000,
}


def run(short: bool) -> Report:
    return asyncio.run(_run(short))


async def _run(short: bool) -> Report:
    length_s, many = (5.0, 500) if short else (LENGTH_S, IDLE_SESSIONS)
    figures = await _one_node(length_s)
    figures += await _few_and_many(length_s, many)
    try:
        figures += await _scale_out(length_s)
    except OSError as error:
        print(f"two nodes against one: not run, {error}", file=sys.stderr)
    return Report("signalling", figures)


async def _one_node(length_s: float) -> list[Figure]:
    """As many set-ups as are wanted, on a service that has some more people on it."""
    async with _service() as service:
        found = await _measured([service], length_s, sessions=1000, rate=RATE, pairs=200)
    return [
        Figure("set-ups per second", "1/s", found["rate"], target=0.99 * RATE, more_is_better=True),
        Figure("until it rings, p50", "ms", found["ring_p50_ms"]),
        Figure("until it rings, p99", "ms", found["ring_p99_ms"], target=100.0),
        Figure("set-ups that failed", "", found["failed"], target=0),
        Figure("CPU per set-up", "ms", found["cpu_ms"]),
        Figure("load generator", "cores", found["own_core"], target=MAX_GENERATOR),
    ]


async def _few_and_many(length_s: float, many: int) -> list[Figure]:
    """The same with a hundred and with thousands who are only there."""
    costs, resident = [], 0.0
    for sessions in (FEW_SESSIONS, many):
        async with _service() as service:
            found = await _measured([service], length_s, sessions, STEADY_RATE, pairs=50)
            costs.append(found["cpu_ms"])
            resident = found["resident_mb"]
    few, more = costs
    return [
        Figure(f"memory with {many} sessions", "MB", resident, target=400.0),
        Figure(f"CPU per set-up, {FEW_SESSIONS} sessions", "ms", few),
        Figure(f"CPU per set-up, {many} sessions", "ms", more),
        Figure(f"{many} sessions / {FEW_SESSIONS}", "", more / few, target=1.2),
    ]


async def _scale_out(length_s: float) -> list[Figure]:
    """Raises OSError where there are no control groups."""
    found: list[dict[str, float]] = []
    for nodes in (1, 2):
        with _groups(nodes) as groups, RedisServer() as redis, postgres_server() as postgres:
            url = postgres.database()
            async with _nodes(nodes, url, redis.url) as services:
                for group, service in zip(groups, services, strict=True):
                    enter(group, _pid(service))
                found.append(await _measured(services, length_s, sessions=200, rate=0.0, pairs=24))
    one, two = found
    return [
        Figure("one node of 0.3 cores", "1/s", one["rate"]),
        Figure("two nodes of 0.3 cores", "1/s", two["rate"]),
        Figure("two nodes / one", "", two["rate"] / one["rate"], target=1.7, more_is_better=True),
        Figure("CPU per set-up, two nodes / one", "", two["cpu_ms"] / one["cpu_ms"], target=1.25),
    ]


@contextmanager
def _groups(nodes: int) -> Iterator[list[Path]]:
    with ExitStack() as stack:
        yield [stack.enter_context(cpu_group(f"node{number}", NODE_CORES)) for number in range(nodes)]


@asynccontextmanager
async def _service(**sections: Any) -> AsyncIterator[Service]:
    with tempfile.TemporaryDirectory(prefix="callagent-") as folder:
        service = Service(Path(folder), limits=UNLIMITED, **sections)
        async with running(service):
            yield service


@asynccontextmanager
async def _nodes(count: int, database_url: str, redis_url: str) -> AsyncIterator[list[Service]]:
    """One after the other: the first makes the tables."""
    with tempfile.TemporaryDirectory(prefix="callagent-") as folder:
        services = []
        for number in range(count):
            own = Path(folder) / str(number)
            own.mkdir()
            service = Service(own, limits=UNLIMITED, cluster={"redis_url": redis_url})
            text = service.config.read_text()
            service.config.write_text(text.replace("storage:\n", f"storage:\n  url: {database_url}\n"))
            services.append(service)
        if count == 1:
            async with running(*services):
                yield services
        else:
            async with running(services[0]), running(*services[1:]):
                yield services


async def _measured(
    services: list[Service], length_s: float, sessions: int, rate: float, pairs: int
) -> dict[str, float]:
    """What the generator found, and what the services spent beyond what those who wait cost."""
    load = Load(
        [service.http_url for service in services],
        APP_ID,
        services[0].secret,
        sessions,
        length_s,
        rate,
        pairs,
    )
    generator = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.signalling_load"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert generator.stdin is not None
    assert generator.stdout is not None
    try:
        generator.stdin.write(json.dumps(dataclasses.asdict(load)).encode() + b"\n")
        async with asyncio.timeout(LOGIN_S):
            ready = await generator.stdout.readline()
        assert ready == b"ready\n", ready
        waiting = _cpu_s(services)
        await asyncio.sleep(IDLE_S)
        waiting = (_cpu_s(services) - waiting) / IDLE_S
        resident = sum(process.resident_mb(_pid(service)) for service in services)
        before = _cpu_s(services)
        generator.stdin.write(b"go\n")
        async with asyncio.timeout(length_s + 60):
            found: dict[str, float] = json.loads(await generator.stdout.readline())
        spent = _cpu_s(services) - before - waiting * found["seconds"]
        await generator.wait()
    finally:
        if generator.returncode is None:
            generator.kill()
            await generator.wait()
    if found["own_core"] > MAX_GENERATOR:
        print(f"void: the load generator took {found['own_core']:.2f} of its core", file=sys.stderr)
    return found | {
        "rate": found["set_ups"] / found["seconds"],
        "cpu_ms": 1000 * spent / max(1.0, found["set_ups"]),
        "resident_mb": resident,
    }


def _cpu_s(services: list[Service]) -> float:
    return sum(process.cpu_s(_pid(service)) for service in services)


def _pid(service: Service) -> int:
    assert service.program.process is not None
    return service.program.process.pid
