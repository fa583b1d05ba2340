# SPDX-License-Identifier: GPL-3.0-or-later
"""A time limit with one timer: reached, moved, not in the way of others."""

import asyncio
import contextlib

import pytest

from callagent.server.patience import Patience

FOREVER_S = 20.0


async def test_what_takes_too_long_ends_and_can_be_tried_again() -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + 0.05
    patience = Patience(lambda: until)
    for _ in range(2):
        until = loop.time() + 0.05
        with pytest.raises(TimeoutError), patience:
            await asyncio.sleep(FOREVER_S)
        assert loop.time() >= until
        # The task is not left cancelled.
        await asyncio.sleep(0)
    patience.close()


async def test_a_deadline_that_moves_is_kept() -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + 0.05
    patience = Patience(lambda: until)
    moved = loop.time() + 0.2

    def move() -> None:
        nonlocal until
        until = moved

    loop.call_soon(move)
    with pytest.raises(TimeoutError), patience:
        await asyncio.sleep(FOREVER_S)
    assert loop.time() >= moved
    patience.close()


async def test_time_outside_does_not_count() -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + 0.02
    patience = Patience(lambda: until)
    with patience:
        pass
    await asyncio.sleep(0.05)
    until = loop.time() + FOREVER_S
    with patience:
        await asyncio.sleep(0.05)
    patience.close()


async def test_a_task_that_is_cancelled_stays_so() -> None:
    """Also when its time is over at the same moment."""
    for own in (FOREVER_S, 0.0):
        loop = asyncio.get_running_loop()
        until = loop.time() + own
        patience = Patience(lambda until=until: until)  # type: ignore[misc]

        async def wait(patience: Patience = patience) -> None:
            with patience:
                await asyncio.sleep(FOREVER_S)

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
        patience.close()


async def test_an_error_inside_is_the_one_that_is_raised() -> None:
    patience = Patience(lambda: asyncio.get_running_loop().time() + FOREVER_S)
    with pytest.raises(OSError, match="gone"), patience:
        raise OSError("gone")
    patience.close()


async def test_many_times_take_one_timer() -> None:
    loop = asyncio.get_running_loop()
    armed = 0
    call_at = loop.call_at

    def counted(*args: object, **more: object) -> asyncio.TimerHandle:
        nonlocal armed
        armed += 1
        return call_at(*args, **more)  # type: ignore[arg-type]

    patience = Patience(lambda: loop.time() + FOREVER_S)
    loop.call_at = counted  # type: ignore[method-assign]
    try:
        for _ in range(100):
            with patience:
                pass
    finally:
        del loop.call_at
    assert armed == 1
    patience.close()
