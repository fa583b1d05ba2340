# SPDX-License-Identifier: GPL-3.0-or-later
"""The load generator, a process of its own: people who are logged in, and pairs of them who call each other.

Reads one JSON object (`Load`) from its standard input, logs everybody in, prints `ready`, waits for a
line, makes calls, prints a JSON object of what it found.
"""

import asyncio
import json
import resource
import statistics
import sys
import time
from collections import deque
from dataclasses import dataclass

import aiohttp

from benchmarks.signalling_people import Failed, Person, set_up

AT_ONCE = 50
"""Logins on their way at the same time."""


@dataclass(frozen=True)
class Load:
    urls: list[str]
    """Of the nodes; people are spread over them in turn."""
    app_id: int
    secret: str
    sessions: int
    seconds: float
    rate: float
    """Calls begun per second, whatever became of those before; 0: as many as `pairs` can."""
    pairs: int


async def generate(load: Load) -> dict[str, float]:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as web:
        people = [Person(f"p{number:05d}", load.app_id, load.secret) for number in range(load.sessions)]
        gate = asyncio.Semaphore(AT_ONCE)

        async def log_in(number: int) -> None:
            async with gate:
                await people[number].log_in(web, load.urls[number % len(load.urls)])

        await asyncio.gather(*(log_in(number) for number in range(load.sessions)))
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        found = await _calls(load, people)
        await asyncio.gather(*(person.log_out() for person in people))
    return found


async def _calls(load: Load, people: list[Person]) -> dict[str, float]:
    # Neighbours are on different nodes where there are several.
    pairs = deque(zip(people[0 : 2 * load.pairs : 2], people[1 : 2 * load.pairs : 2], strict=True))
    rang: list[float] = []
    failures: list[str] = []
    loop = asyncio.get_running_loop()
    free = asyncio.Semaphore(load.pairs)

    async def one(due: float) -> None:
        caller, callee = pairs.popleft()
        try:
            rang.append(await set_up(caller, callee, due))
        except Failed as failure:
            failures.append(str(failure))
        finally:
            pairs.append((caller, callee))
            free.release()

    began, spent = loop.time(), time.process_time()
    number = 0
    async with asyncio.TaskGroup() as running:
        while (due := began + number / load.rate if load.rate else loop.time()) < began + load.seconds:
            await asyncio.sleep(max(0.0, due - loop.time()))
            # Who has to wait for a free pair has waited from when he wanted to call.
            await free.acquire()
            running.create_task(one(due))
            number += 1
    lasted = loop.time() - began
    for failure in failures[:5]:
        print(failure, file=sys.stderr)
    quantiles = statistics.quantiles(rang, n=100) if len(rang) > 1 else [0.0] * 99
    return {
        "set_ups": len(rang),
        "failed": len(failures),
        "seconds": lasted,
        "ring_p50_ms": 1000 * quantiles[49],
        "ring_p99_ms": 1000 * quantiles[98],
        "own_core": (time.process_time() - spent) / lasted,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(generate(Load(**json.loads(sys.stdin.readline()))))), flush=True)
