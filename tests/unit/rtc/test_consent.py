# SPDX-License-Identifier: GPL-3.0-or-later
"""When the other side may still be sent to."""

import asyncio

from callagent.rtc.consent import keep_consent


async def test_late_answers_to_one_question_in_three_are_consent() -> None:
    asked = 0

    async def ask() -> bool:
        nonlocal asked
        asked += 1
        number = asked
        await asyncio.sleep(0.4)
        return number % 3 == 0

    keeping = asyncio.create_task(keep_consent(ask, interval_s=0.05, expires_s=0.8))
    done, _ = await asyncio.wait([keeping], timeout=3.0)
    assert not done
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert asked > 20


async def test_without_answers_it_expires_and_leaves_no_question_behind() -> None:
    async def ask() -> bool:
        await asyncio.sleep(60)
        return True

    before = asyncio.all_tasks()
    await asyncio.wait_for(keep_consent(ask, interval_s=0.05, expires_s=0.3), 5)
    assert asyncio.all_tasks() == before
