# SPDX-License-Identifier: GPL-3.0-or-later
"""The load generator, a process of its own: people who are logged in, and pairs of them who call each other.

Reads one JSON object (`Load`) from its standard input, logs everybody in, prints `ready`, waits for a
line, makes calls, prints a JSON object of what it found.
"""

import asyncio
import importlib
import json
import resource
import statistics
import sys
import time
from collections import deque

import aiohttp

from benchmarks.signalling_contract import Failed, Load, People

AT_ONCE = 32
"""Logins on their way at the same time."""
SHOWN = 5
"""Failures that are told one by one."""


async def generate(load: Load) -> dict[str, float]:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as web:
        people: People = importlib.import_module(f"benchmarks.{load.people}").People(load, web)
        await people.prepare()
        await _log_in(people, load.sessions)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        found = await _call(load, people)
        await people.log_out()
    return found


async def _log_in(people: People, sessions: int) -> None:
    numbers = iter(range(sessions))

    async def next_ones() -> None:
        for number in numbers:
            await people.log_in(number)

    async with asyncio.TaskGroup() as running:
        for _ in range(AT_ONCE):
            running.create_task(next_ones())


async def _call(load: Load, people: People) -> dict[str, float]:
    pairs = deque((2 * number, 2 * number + 1) for number in range(load.pairs))
    free = asyncio.Semaphore(load.pairs)
    rang: list[float] = []
    failures: list[str] = []
    loop = asyncio.get_running_loop()

    async def one(due: float) -> None:
        pair = pairs.popleft()
        try:
            rang.append(await people.set_up(*pair, due))
        except Failed as failure:
            failures.append(str(failure))
        finally:
            pairs.append(pair)
            free.release()

    began, spent = loop.time(), time.process_time()
    number = 0
    async with asyncio.TaskGroup() as running:
        while (due := began + number / load.rate if load.rate else loop.time()) < began + load.seconds:
            await asyncio.sleep(max(0.0, due - loop.time()))
            # Who has to wait for a free pair has waited from when the call was due.
            await free.acquire()
            running.create_task(one(due if load.rate else loop.time()))
            number += 1
    lasted = loop.time() - began
    for failure in failures[:SHOWN]:
        print(failure, file=sys.stderr)
    percentiles = statistics.quantiles(rang, n=100) if len(rang) > 1 else [0.0] * 99
    return {
        "set_ups": len(rang),
        "failed": len(failures),
        "seconds": lasted,
        "ring_p50_ms": 1000 * percentiles[49],
        "ring_p99_ms": 1000 * percentiles[98],
        "own_core": (time.process_time() - spent) / lasted,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(generate(Load(**json.loads(sys.stdin.readline()))))), flush=True)
