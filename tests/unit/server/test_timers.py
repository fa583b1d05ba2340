# SPDX-License-Identifier: GPL-3.0-or-later
"""Durable timers: fired once, when due, after a restart too, and again when firing failed."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from callagent.server.storage import timers
from callagent.server.storage.engine import Storage
from callagent.server.storage.timers import Timer, TimerKey, TimerKind
from callagent.server.timers import CLAIM_S, StoredTimers
from tests.unit.server.rig import MEMORY, FakeNow


@pytest.fixture
async def storage() -> AsyncIterator[Storage]:
    storage = await Storage.open(MEMORY)
    yield storage
    await storage.close()


def timer(key: str, due_at: float) -> Timer:
    return Timer(TimerKey(1, TimerKind.RING, key), due_at)


async def put(storage: Storage, *given: Timer) -> None:
    await storage.write(lambda connection: timers.put(connection, given))


async def stored(storage: Storage) -> set[Timer]:
    return set(await storage.read(timers.load_all))


class Fired:
    """Collects what fires; may be told to fail."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Timer] = asyncio.Queue()
        self.failures = 0

    async def __call__(self, due: Timer) -> None:
        if self.failures:
            self.failures -= 1
            self.queue.put_nowait(due)
            raise OSError("not this time")
        self.queue.put_nowait(due)

    async def next(self) -> str:
        async with asyncio.timeout(10):
            return (await self.queue.get()).key.key


async def test_in_order_moved_and_cleared(storage: Storage) -> None:
    now, fired = FakeNow(100.0), Fired()
    running = StoredTimers(storage, now)
    given = [timer("b", 120.0), timer("a", 110.0), timer("moved", 105.0), timer("cleared", 115.0)]
    await put(storage, *given)
    await running.start(fired)
    moved = timer("moved", 130.0)
    await put(storage, moved)
    running.changed([moved], [given[3].key])
    now.at = 119.0
    running.changed((), ())
    assert await fired.next() == "a"
    now.at = 131.0
    running.changed((), ())
    assert [await fired.next(), await fired.next()] == ["b", "moved"]
    await running.close()
    assert fired.queue.empty()
    assert await stored(storage) == {given[3]}


async def test_close_keeps_what_is_not_due(storage: Storage) -> None:
    now, fired = FakeNow(100.0), Fired()
    await put(storage, timer("later", 500.0))
    first = StoredTimers(storage, now)
    await first.start(fired)
    await first.close()
    assert await stored(storage) == {timer("later", 500.0)}
    now.at = 600.0
    second = StoredTimers(storage, now)
    await second.start(fired)
    assert await fired.next() == "later"
    await second.close()
    assert await stored(storage) == set()


async def test_two_nodes_fire_once(storage: Storage) -> None:
    now, fired = FakeNow(100.0), Fired()
    due = timer("once", 110.0)
    await put(storage, due)
    nodes = [StoredTimers(storage, now), StoredTimers(storage, now)]
    for node in nodes:
        await node.start(fired)
    now.at = 110.0
    for node in nodes:
        node.changed((), ())
    assert await fired.next() == "once"
    for node in nodes:
        await node.close()
    assert fired.queue.empty()


async def test_a_failure_is_tried_again(storage: Storage, caplog: pytest.LogCaptureFixture) -> None:
    now, fired = FakeNow(100.0), Fired()
    fired.failures = 1
    await put(storage, timer("x", 100.0))
    running = StoredTimers(storage, now)
    with caplog.at_level(logging.ERROR):
        await running.start(fired)
        assert await fired.next() == "x"
        async with asyncio.timeout(10):
            while not running.armed:
                await asyncio.sleep(0)
        now.at += CLAIM_S
        running.changed((), ())
        assert await fired.next() == "x"
        await running.close()
    assert "once more" in caplog.text
    assert await stored(storage) == set()
