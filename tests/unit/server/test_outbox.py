# SPDX-License-Identifier: GPL-3.0-or-later
"""The outbox: events once and in order however the bus brings them; a consumer too slow is given up."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.protocol.enums import UserStatus
from callagent.protocol.events import Event, PresenceChange
from callagent.protocol.requests import Bye, Reply
from callagent.server import connection
from callagent.server.connection import MAX_QUEUED, Outbox

BYE = Bye(code=90010, message="")


def event(seq: int) -> Event:
    return Event(seq=seq, event="onCallEnd", time=0, data={})


class Wire:
    """What was sent; may be made to stop taking."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def send(self, text: str) -> None:
        await self.open.wait()
        self.sent.append(json.loads(text))

    @property
    def seqs(self) -> list[int]:
        return [message["seq"] for message in self.sent if message["type"] == "event"]


@given(
    order=st.permutations(range(1, 9)),
    again=st.lists(st.integers(1, 8), max_size=4),
    after=st.integers(0, 4),
    known_at=st.integers(0, 8),
    breaks=st.sets(st.integers(0, 12)),
)
def test_every_event_once_and_in_order(
    order: list[int], again: list[int], after: int, known_at: int, breaks: set[int]
) -> None:
    async def run() -> list[int]:
        outbox, wire, log = Outbox(), Wire(), set(range(1, after + 1))

        async def read(seq: int) -> list[Event]:
            stored = [event(number) for number in sorted(log) if number > seq]
            await asyncio.sleep(0)
            return stored

        writer = asyncio.create_task(outbox.write(wire.send))
        published = [*order, *again]
        for position, seq in enumerate(published):
            # The log gets its events in order, before any of them is published.
            log.update(range(1, max(published[: position + 1]) + 1))
            if position == known_at:
                outbox.replay(read, after)
            outbox.event(event(seq))
            if position in breaks:
                await asyncio.sleep(0)
        if known_at >= len(published):
            outbox.replay(read, after)
        async with asyncio.timeout(10):
            while len(wire.seqs) < 8 - after:
                await asyncio.sleep(0)
        outbox.dismiss(BYE)
        await writer
        assert wire.sent[-1]["type"] == "bye"
        return wire.seqs

    assert asyncio.run(run()) == list(range(after + 1, 9))


async def test_a_reply_precedes_what_it_caused() -> None:
    outbox, wire = Outbox(), Wire()
    writer = asyncio.create_task(outbox.write(wire.send))

    async def read(_seq: int) -> list[Event]:
        return []

    outbox.replay(read, 0)
    outbox.hold()
    await asyncio.sleep(0)
    outbox.event(event(1))
    outbox.moment(PresenceChange(user_id="b", nickname="", status=UserStatus.ONLINE))
    outbox.put(Reply(id=7))
    outbox.release()
    outbox.dismiss(BYE)
    await writer
    assert [message["type"] for message in wire.sent] == ["reply", "event", "presence", "bye"]


async def test_a_consumer_that_does_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SEND_TIMEOUT_S", 0.05)
    outbox, wire = Outbox(), Wire()
    wire.open.clear()
    writer = asyncio.create_task(outbox.write(wire.send))
    outbox.put(Reply(id=1))
    await asyncio.sleep(0)
    for number in range(MAX_QUEUED + 1):
        outbox.put(Reply(id=number + 2))
    assert outbox.overflowed
    with pytest.raises(TimeoutError):
        await writer


async def test_a_long_log_does_not_overflow() -> None:
    outbox, wire = Outbox(), Wire()
    writer = asyncio.create_task(outbox.write(wire.send))

    async def read(seq: int) -> list[Event]:
        return [event(number) for number in range(seq + 1, 1001)]

    outbox.replay(read, 0)
    async with asyncio.timeout(10):
        while len(wire.sent) < 1000:
            await asyncio.sleep(0)
    outbox.dismiss(None)
    await writer
    assert wire.seqs == list(range(1, 1001))
