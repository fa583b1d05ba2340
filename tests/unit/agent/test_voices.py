# SPDX-License-Identifier: GPL-3.0-or-later
"""Volume events: when something is to be seen, and not otherwise."""

import asyncio

import pytest

from callagent.agent import voices
from callagent.agent.voices import VoiceWatch


async def test_changes_are_told_and_silence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "LOOK_INTERVAL_S", 0.005)
    levels: dict[str, int] = {}
    told: asyncio.Queue[dict[str, int]] = asyncio.Queue()
    watch = VoiceWatch(lambda: levels, told.put_nowait)
    watch.start()

    async def next_told() -> dict[str, int]:
        async with asyncio.timeout(10):
            return await told.get()

    levels |= {"anna": 40, "kiosk": 0}
    assert await next_told() == {"anna": 40, "kiosk": 0}
    levels["anna"] = 43
    await asyncio.sleep(0.05)
    assert told.empty(), "a tremble"
    levels["anna"] = 60
    assert await next_told() == {"anna": 60, "kiosk": 0}
    levels["kiosk"] = 2
    assert (await next_told())["kiosk"] == 2, "from silence to a whisper"
    levels.clear()
    await asyncio.sleep(0.05)
    assert told.empty(), "after the call there is nobody to tell of"
    watch.close()
    watch.close()
    levels["anna"] = 80
    await asyncio.sleep(0.05)
    assert told.empty()
