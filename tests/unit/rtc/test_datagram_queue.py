# SPDX-License-Identifier: GPL-3.0-or-later
"""Datagrams that come faster than they can be used."""

import asyncio

import pytest

from callagent.rtc.datagram_queue import CAPACITY, DatagramQueue
from tests.clock import HandClock


async def test_first_in_first_out() -> None:
    queue = DatagramQueue()
    for number in range(50):
        queue.put_nowait((bytes((number,)), 1))
    queue.put_nowait(None)
    taken = [await queue.get() for _ in range(51)]
    assert taken == [*((bytes((number,)), 1) for number in range(50)), None]
    assert queue.empty()


async def test_what_comes_later_is_waited_for() -> None:
    queue = DatagramQueue()
    taking = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.put_nowait((b"x", 1))
    assert await taking == (b"x", 1)


async def test_the_oldest_gives_way_and_the_end_does_not() -> None:
    queue = DatagramQueue()
    for number in range(CAPACITY + 3):
        queue.put_nowait((b"", number))
    assert queue.dropped == 3
    assert queue.qsize() == CAPACITY
    assert await queue.get() == (b"", 3)
    closed = DatagramQueue()
    for item in (None, *[(b"", 1)] * CAPACITY):
        closed.put_nowait(item)
    assert await closed.get() is None


@pytest.mark.parametrize(("cost_s", "others_s"), [(0.001, 0.0), (0.02, 0.0), (0.001, 0.05), (0.02, 0.05)])
async def test_others_on_the_loop_get_half_of_its_time(cost_s: float, others_s: float) -> None:
    """A datagram costs more time than passes until the next one comes: the queue is never empty."""
    clock = HandClock()
    queue = DatagramQueue(clock)
    for _ in range(2):
        queue.put_nowait((b"x", 1))
    received_s = 0.0

    async def take() -> None:
        nonlocal received_s
        while True:
            await queue.get()
            clock.seconds += cost_s
            received_s += cost_s
            queue.put_nowait((b"x", 1))

    taking = asyncio.create_task(take())
    try:
        for turn in range(1, 20):
            await asyncio.sleep(0)
            clock.seconds += others_s
            # The last datagram of a turn begins within it.
            assert received_s <= turn * (max(0.005, others_s) + cost_s) + 1e-9
        assert received_s >= 18 * max(0.005, others_s)
    finally:
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
