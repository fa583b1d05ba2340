# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call costs the call service: ring, accept, both begin, hang up, both end, REST finds the record.

The service is the real program with limits that let a crowd from one address in; Janus' VideoCall plugin
does the same beside it, as far as it goes (`signalling_videocall`). People are a process of their own: when
that took more than 0.8 of its core, what it found is void. What idle sessions cost is measured first and
taken off the cost of calls. Two nodes are measured against one with PostgreSQL and Redis, each node in a
control group of 0.3 cores; where there are none, that is not run.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.cpu_group import NoControlGroup, cpu_group, enter
from benchmarks.report import Figure, Report
from benchmarks.signalling_contract import Load
from benchmarks.signalling_janus import NoJanus, running_janus
from benchmarks.signalling_run import Found, Void, measured
from tests.postgres import postgres_server
from tests.programs import APP_ID, Service, running
from tests.redis_server import RedisServer

RATE, STEADY_RATE = 100.0, 40.0
LENGTH_S, SHORT_S = 30.0, 4.0
SESSIONS, SHORT_SESSIONS = 1000, 400
PAIRS, STEADY_PAIRS, PAIRS_OF_NODE = 200, 40, 24
FEW, MANY = 100, 5000
NODE_CORES = 0.3
UNLIMITED = {
    "connections": 100_000,
    "connections_per_address": 100_000,
    "requests_per_s": 100_000,
    "calls_per_minute": 1_000_000,
}
_ONE_NODE = {
    "rate": Figure(f"set-ups of {RATE:g}", "1/s", 0.0, target=0.99 * RATE, more_is_better=True),
    "failed": Figure("failed", "", 0.0, target=0),
    "ring_p50_ms": Figure("until it rings, p50", "ms", 0.0),
    "ring_p99_ms": Figure("until it rings, p99", "ms", 0.0, target=100.0),
    "cpu_ms": Figure("CPU per set-up", "ms", 0.0),
    "resident_mb": Figure("memory", "MB", 0.0),
    "own_core": Figure("load generator", "cores", 0.0, target=Void.MAX_CORE),
}
"""Of `Found`."""


def run(short: bool) -> Report:
    """Short: without the thousands of idle sessions."""
    return asyncio.run(_run(short))


async def _run(short: bool) -> Report:
    length_s = SHORT_S if short else LENGTH_S
    parts = {"one node": _one_node(length_s, SHORT_SESSIONS if short else SESSIONS)}
    if not short:
        parts["idle sessions"] = _few_and_many(length_s)
    parts["two nodes"] = _scale_out(length_s)
    figures = []
    for name, part in parts.items():
        print(name, file=sys.stderr)
        try:
            figures += await part
        except NoControlGroup as why:
            print(f"{name}: not run, {why}", file=sys.stderr)
        except Void as void:
            figures.append(
                Figure(f"{name}: void, load generator", "cores", void.own_core, target=Void.MAX_CORE)
            )
    return Report("signalling", figures)


async def _one_node(length_s: float, sessions: int) -> list[Figure]:
    """As many set-ups as are wanted, with people on it who do nothing else."""
    async with _services(1) as services:
        load = _load(services, sessions, length_s, RATE, PAIRS)
        found = {"ours": await measured(load, _pids(services))}
    try:
        with running_janus() as janus:
            load = Load("signalling_videocall", [janus.url], sessions, length_s, RATE, PAIRS)
            found["janus"] = await measured(load, [janus.pid])
    except NoJanus as why:
        print(f"peer janus: not run, {why}", file=sys.stderr)

    return [
        figure.measured("one node:", {who: getattr(each, key) for who, each in found.items()})
        for key, figure in _ONE_NODE.items()
    ]


async def _few_and_many(length_s: float) -> list[Figure]:
    """The same calls among a hundred and among thousands who are only there."""
    found = []
    for sessions in (FEW, MANY):
        async with _services(1) as services:
            load = _load(services, sessions, length_s, STEADY_RATE, STEADY_PAIRS)
            found.append(await measured(load, _pids(services)))
    few, many = found
    return [
        Figure(f"{MANY} sessions: memory", "MB", many.resident_mb, target=400.0),
        Figure(f"{MANY} sessions: CPU while idle", "% of a core", 100 * many.idle_core),
        Figure(f"{FEW} sessions: CPU per set-up", "ms", few.cpu_ms),
        Figure(f"{MANY} sessions: CPU per set-up", "ms", many.cpu_ms),
        Figure(f"CPU per set-up, {MANY} / {FEW} sessions", "", many.cpu_ms / few.cpu_ms, target=1.2),
    ]


async def _scale_out(length_s: float) -> list[Figure]:
    """As many calls as go. Half of them are between people of both nodes. Raises NoControlGroup."""
    with RedisServer() as redis, postgres_server() as postgres:
        one, two = [await _in_groups(nodes, postgres.database(), redis.url, length_s) for nodes in (1, 2)]
    return [
        Figure(f"one node of {NODE_CORES} cores: set-ups", "1/s", one.rate),
        Figure(f"two nodes of {NODE_CORES} cores: set-ups", "1/s", two.rate),
        Figure("set-ups, two nodes / one", "", two.rate / one.rate, target=1.7, more_is_better=True),
        Figure("one node: CPU per set-up", "ms", one.cpu_ms),
        Figure("CPU per set-up, two nodes / one", "", two.cpu_ms / one.cpu_ms, target=1.25),
        Figure("both: failed", "", one.failed + two.failed, target=0),
    ]


async def _in_groups(nodes: int, database_url: str, redis_url: str, length_s: float) -> Found:
    with _groups(nodes) as groups:
        async with _services(nodes, database_url, redis_url) as services:
            for group, pid in zip(groups, _pids(services), strict=True):
                enter(group, pid)
            pairs = PAIRS_OF_NODE * nodes
            load = _load(services, 2 * pairs, length_s, 0.0, pairs)
            return await measured(load, _pids(services))


@contextmanager
def _groups(nodes: int) -> Iterator[list[Path]]:
    with ExitStack() as stack:
        yield [stack.enter_context(cpu_group(f"node{number}", NODE_CORES)) for number in range(nodes)]


@asynccontextmanager
async def _services(
    count: int, database_url: str | None = None, redis_url: str | None = None
) -> AsyncIterator[list[Service]]:
    """On SQLite without an URL. One is up before the next begins: it makes the tables."""
    cluster: dict[str, Any] = {} if redis_url is None else {"cluster": {"redis_url": redis_url}}
    async with AsyncExitStack() as stack:
        services = []
        for _ in range(count):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="callagent-")))
            storage = {"directory": str(folder / "storage"), "url": database_url}
            service = Service(folder, storage=storage, limits=UNLIMITED, **cluster)
            await stack.enter_async_context(running(service))
            services.append(service)
        yield services


def _load(services: list[Service], sessions: int, length_s: float, rate: float, pairs: int) -> Load:
    urls = [service.http_url for service in services]
    secret = services[0].secret
    return Load("signalling_people", urls, sessions, length_s, rate, pairs, APP_ID, secret)


def _pids(services: list[Service]) -> list[int]:
    return [service.program.process.pid for service in services if service.program.process is not None]
