# SPDX-License-Identifier: GPL-3.0-or-later
"""A binding finds a device for its slot, and looks again when there was none."""

import asyncio

import pytest

from callagent.agent import binding as under_test
from callagent.agent.binding import Binding
from callagent.devices.virtual import VirtualMicrophone
from callagent.media import MicrophoneSlot
from callagent.ports import SourceError, SourceState


async def until_state(slot: MicrophoneSlot, state: SourceState) -> None:
    async with asyncio.timeout(10):
        while slot.state is not state:
            await asyncio.sleep(0.01)


async def test_a_device_that_comes_later_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "RETRY_FIRST_S", 0.05)
    present: list[VirtualMicrophone] = []
    looks = 0

    def choose() -> VirtualMicrophone:
        nonlocal looks
        looks += 1
        if not present:
            raise SourceError("No microphone is plugged in", 60003)
        return present[0]

    slot = MicrophoneSlot()
    binding: Binding[VirtualMicrophone] = Binding("microphone", slot, choose)
    slot.on_change = binding.slot_changed
    await binding.start()
    slot.start()
    try:
        await until_state(slot, SourceState.ABSENT)
        assert slot.reason == "No microphone is plugged in"
        async with asyncio.timeout(10):
            while looks < 3:
                await asyncio.sleep(0.01)
        present.append(VirtualMicrophone())
        await until_state(slot, SourceState.LIVE)
        assert binding.chosen is present[0]
    finally:
        await binding.close()
        slot.stop()
        assert await asyncio.to_thread(slot.wait_closed, 5)
    seen = looks
    await asyncio.sleep(0.2)
    assert looks == seen, "it goes on looking after close"


async def test_a_slot_that_speaks_after_the_end_disturbs_nobody() -> None:
    slot = MicrophoneSlot()
    binding: Binding[VirtualMicrophone] = Binding("microphone", slot, VirtualMicrophone)
    binding.slot_changed()
    await binding.start()
    await binding.close()
    binding.slot_changed()
    await binding.close()
