# SPDX-License-Identifier: GPL-3.0-or-later
"""Deadlines that do not run while the loop is late."""

import asyncio
import time

from callagent.call.own_time import comes_within


async def test_what_comes_in_time_and_what_does_not() -> None:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[None] = loop.create_future()
    loop.call_later(0.1, answer.set_result, None)
    assert await comes_within(answer, 5.0)
    never: asyncio.Future[None] = loop.create_future()
    began = loop.time()
    assert not await comes_within(never, 0.6)
    assert loop.time() - began >= 0.6
    assert not never.cancelled()


async def test_a_loop_that_is_late_does_not_blame_the_other_side() -> None:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[None] = loop.create_future()
    rounds = 0

    def hog() -> None:
        """Three turns of the loop take nearly twice the deadline; the answer is there after them."""
        nonlocal rounds
        time.sleep(0.6)
        rounds += 1
        if rounds == 3:
            answer.set_result(None)
        elif rounds < 3:
            loop.call_soon(hog)

    loop.call_soon(hog)
    assert await comes_within(answer, 1.0)


async def test_even_then_it_ends() -> None:
    loop = asyncio.get_running_loop()
    never: asyncio.Future[None] = loop.create_future()
    stopped = asyncio.Event()

    def hog() -> None:
        time.sleep(0.5)
        if not stopped.is_set():
            loop.call_soon(hog)

    loop.call_soon(hog)
    began = loop.time()
    assert not await comes_within(never, 0.3)
    assert loop.time() - began < 3.0 + 2 * 0.5
    stopped.set()
