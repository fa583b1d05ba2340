# SPDX-License-Identifier: GPL-3.0-or-later
"""Deadlines for others that do not run while this process itself gets no time."""

import asyncio
from typing import Any

_STEP_S = 0.25
_MOST = 10
"""So many times its length a deadline may take, however late this process is."""


async def own_sleep(seconds: float) -> None:
    """Until this process had so much time to itself, or ten times as much has passed."""
    await comes_within(asyncio.get_running_loop().create_future(), seconds)


async def comes_within(answer: asyncio.Future[Any], seconds: float) -> bool:
    """Whether it is done in that time; it is not cancelled.

    When the loop is late, so is everything that waits to be read: what it is late by does not count, or a
    busy machine would take its own silence for the other side's.
    """
    loop = asyncio.get_running_loop()
    left, latest = seconds, loop.time() + _MOST * seconds
    while left > 0 and loop.time() < latest:
        step = min(left, _STEP_S)
        await asyncio.wait([answer], timeout=step)
        if answer.done():
            return True
        left -= step
    return False
