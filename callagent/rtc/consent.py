# SPDX-License-Identifier: GPL-3.0-or-later
"""Consent to send: the other side says every few seconds that it still wants media (RFC 7675)."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from callagent.ports import Clock, MonotonicClock

CHECK_INTERVAL_S = 5.0
EXPIRES_S = 30.0


async def keep_consent(
    ask: Callable[[], Awaitable[bool]],
    clock: Clock | None = None,
    *,
    interval_s: float = CHECK_INTERVAL_S,
    expires_s: float = EXPIRES_S,
) -> None:
    """Returns when consent has expired. `ask` says whether an answer came, however long that took.

    It is asked again without waiting for the answer before: any answer to a question of the last 30 s
    is consent (RFC 7675 section 5.1), and on a bad way most get lost and the others come late.
    """
    clock = clock or MonotonicClock()
    answered_at = clock.now()

    async def check() -> None:
        nonlocal answered_at
        if await ask():
            answered_at = clock.now()

    asking: set[asyncio.Task[None]] = set()
    try:
        while clock.now() - answered_at < expires_s:
            await asyncio.sleep(interval_s * random.uniform(0.8, 1.2))
            question = asyncio.create_task(check(), name="consent")
            asking.add(question)
            question.add_done_callback(asking.discard)
    finally:
        for question in asking:
            question.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
