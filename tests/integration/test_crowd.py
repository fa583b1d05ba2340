# SPDX-License-Identifier: GPL-3.0-or-later
"""A crowd that calls, answers, leaves and is cut off at random: every rule holds, on one node and on two.

CROWD_SEED=n draws the same again.
"""

import itertools
import logging
import os
import random

import pytest
from sqlalchemy import func, select

from callagent.protocol.enums import CallEndReason, CallResult
from callagent.server.limits import LimitSettings
from callagent.server.storage.tables import CallMemberRow, CallRecordRow, CallRow, TimerRow, UserBusyRow
from tests.integration.conftest import Backing
from tests.integration.crowd import Crowd
from tests.unit.server.rig import Rig, until

PEOPLE, TWO_DEVICES = 20, 6
COMMANDS, LENGTH_S = 5_000, 20.0
"""On each of the two."""
SILENCE_S = 3.0
QUIET_S = 30.0
"""Rings end after ten seconds, who was lost after three."""

_UNANSWERED = {
    CallEndReason.REJECT: CallResult.REJECT,
    CallEndReason.NO_RESPONSE: CallResult.NOT_ANSWER,
    CallEndReason.LINE_BUSY: CallResult.CALL_BUSY,
    CallEndReason.CANCELED: CallResult.CANCEL,
    CallEndReason.OFFLINE: CallResult.INTERRUPT,
}
_BEGUN = {
    CallEndReason.HANGUP: CallResult.NORMAL_END,
    CallEndReason.OFFLINE: CallResult.INTERRUPT,
    # The last but one had gone, and whom the last was waiting for did not come.
    CallEndReason.REJECT: CallResult.NORMAL_END,
    CallEndReason.NO_RESPONSE: CallResult.NORMAL_END,
    CallEndReason.LINE_BUSY: CallResult.NORMAL_END,
}

logger = logging.getLogger(__name__)


async def settled(rig: Rig) -> bool:
    """Nobody is in a call or busy, and nothing is waited for."""
    left = (
        select(func.count()).select_from(CallRow),
        select(func.count()).select_from(UserBusyRow),
        select(func.count()).select_from(TimerRow).where(TimerRow.kind == "ring"),
    )
    return not await rig.service.storage.read(lambda c: sum(c.scalar(query) or 0 for query in left))


@pytest.mark.timeout(240)
async def test_a_crowd(backing: Backing) -> None:
    seed = int(os.environ.get("CROWD_SEED") or random.SystemRandom().randrange(2**32))
    logger.warning("CROWD_SEED=%d", seed)
    unlimited = LimitSettings(requests_per_s=10_000, calls_per_minute=100_000)
    async with backing.fresh(session_silence_s=SILENCE_S, limits=unlimited) as rig:
        crowd = Crowd(rig, seed, PEOPLE, TWO_DEVICES)
        await crowd.run(COMMANDS, LENGTH_S)
        await until(lambda: settled(rig), QUIET_S)
        for device in crowd.devices:
            await device.ask("getHistory")  # what was on its way has come
            await device.go(logout=True)
        await check(rig, crowd)
    assert crowd.count >= COMMANDS
    logger.warning("%s", dict(crowd.commands))


async def check(rig: Rig, crowd: Crowd) -> None:
    rows, members = await rig.service.storage.read(
        lambda c: (c.execute(select(CallRecordRow)).all(), c.execute(select(CallMemberRow)).all())
    )
    records = {row.call_id: row for row in rows}
    assert crowd.started <= set(records), "a call left no record"
    assert len(records) > 100

    told: dict[str, set[tuple[int, str]]] = {}
    for device in crowd.devices:
        for (session_id, call_id), stories in device.stories.items():
            assert call_id in records, f"a ghost: {device.name} ({session_id}) of call {call_id}"
            for story in stories:
                assert len(story.ends) <= 1, f"{device.name} ({session_id}) of call {call_id}: {story.names}"
                # Who leaves others behind was told of nobody's end but its own.
                if story.begun and story.ends and story.ends[0]["userId"] != device.user:
                    told.setdefault(call_id, set()).add((story.ends[0]["reason"], story.ends[0]["userId"]))
    for call_id, ends in told.items():
        assert len(ends) == 1, f"the sides of {call_id} were told different ends: {ends}"
        assert ends == {(records[call_id].end_reason, records[call_id].ended_by)}
    for record in rows:
        reason = CallEndReason(record.end_reason)
        assert CallResult(record.result) == (_BEGUN if record.accepted_at else _UNANSWERED)[reason]

    of_user: dict[str, list[tuple[float, float, str]]] = {}
    for member in members:
        if member.accepted_at is not None:
            assert member.ended_at is not None
            if abs(member.ended_at - member.accepted_at - member.total_s) > 1e-3:
                continue  # was out of it in between, and may have been elsewhere
            of_user.setdefault(member.user_id, []).append(
                (member.accepted_at, member.ended_at, member.call_id)
            )
    for user, stays in of_user.items():
        stays.sort()
        for (_, left, first), (came, _, second) in itertools.pairwise(stays):
            assert left <= came + 1e-6, f"{user} was in {first} and {second} at once"
