# SPDX-License-Identifier: GPL-3.0-or-later
"""Races on the real repository: whoever comes when, one outcome, one end per side, one true record.

A seeded scheduler decides before every load and every commit who goes next. A
failure names its seed; RACE_SEED=n replays that one.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from callagent.protocol.enums import CallResult
from callagent.protocol.errors import ErrorCode
from callagent.server.accounts import DEFAULT_APP_ID
from callagent.server.calls.commands import EndByService
from callagent.server.calls.group_media import NoGroupMedia
from callagent.server.calls.model import PRESENT, MemberStatus
from tests.unit.server.arena import Arena, arena_with
from tests.unit.server.scheduler import Actor, Outcomes, Scheduler

SEEDS = 126
"""Interleavings of each of the scenarios below: more than a thousand together."""
ENDS = {"onCallEnd", "onCallNotConnected"}


@pytest.fixture
async def arena() -> AsyncIterator[Arena]:
    async with arena_with(NoGroupMedia()) as arena:
        yield arena


@dataclass(frozen=True)
class Scenario:
    actors: Callable[[Arena], dict[str, Actor]]
    check: Callable[[Outcomes, list[str]], None]
    """Of the outcomes and the results of all calls of the race, first to last."""
    calling: bool = True
    """a calls b before it begins."""
    accepted: bool = False
    joined: bool = False
    """c is in it, too."""
    late: bool = False
    """The ring time is up."""


OK, HANDLED, REFUSED = ErrorCode.OK, ErrorCode.INVITE_HANDLED, ErrorCode.REQUEST_REFUSED


def accept_or_cancel(outcomes: Outcomes, results: list[str]) -> None:
    assert outcomes["cancel"] is OK
    assert results == [CallResult.NORMAL_END if outcomes["accept"] is OK else CallResult.CANCEL]
    assert outcomes["accept"] in (OK, HANDLED)


def one_accept(outcomes: Outcomes, results: list[str]) -> None:
    assert sorted(outcomes.values()) == [OK, HANDLED]
    assert results == [CallResult.NORMAL_END]


def one_invitation(outcomes: Outcomes, results: list[str]) -> None:
    assert sorted(outcomes.values()) == [REFUSED, OK]
    assert len(results) == 1


def one_busy(outcomes: Outcomes, results: list[str]) -> None:
    assert list(outcomes.values()) == [OK, OK]
    assert sorted(results) == sorted([CallResult.CALL_BUSY, CallResult.INTERRUPT])


def timer_or_answer(outcomes: Outcomes, results: list[str]) -> None:
    assert outcomes.pop("timer") is OK
    answers = [name for name, code in outcomes.items() if code is OK]
    assert set(outcomes.values()) <= {OK, HANDLED}
    if not answers:
        assert results == [CallResult.NOT_ANSWER]
    else:
        expected = {"accept": CallResult.NORMAL_END, "reject": CallResult.REJECT, "cancel": CallResult.CANCEL}
        assert results[0] in [expected[name] for name in answers]
        if "accept" not in answers:
            assert len(answers) == 1


def one_hang_up(outcomes: Outcomes, results: list[str]) -> None:
    assert sorted(outcomes.values()) == [OK, HANDLED]
    assert results == [CallResult.NORMAL_END]


def lost_caller(outcomes: Outcomes, results: list[str]) -> None:
    assert outcomes["lost"] is OK
    assert outcomes["accept"] in (OK, HANDLED)
    assert results == [CallResult.INTERRUPT]


def opened(outcomes: Outcomes, results: list[str]) -> None:
    assert outcomes["calls"] in (OK, ErrorCode.NOT_LOGGED_IN)
    assert len(results) == int(outcomes["calls"] is OK)


def in_time_or_over(outcomes: Outcomes, results: list[str]) -> None:
    assert outcomes.pop("leave") is OK
    assert set(outcomes.values()) <= {OK, HANDLED}
    assert results == [CallResult.NORMAL_END]


def both(outcomes: Outcomes, results: list[str]) -> None:
    assert set(outcomes.values()) == {OK}
    assert results == [CallResult.NORMAL_END]


def in_one_of_two(outcomes: Outcomes, results: list[str]) -> None:
    assert set(outcomes.values()) == {OK}
    first, second = results
    assert first == CallResult.NORMAL_END
    # c was busy, or still rung when the service ended it.
    assert second in (CallResult.CALL_BUSY, CallResult.INTERRUPT)


def joined_and_maybe_called(outcomes: Outcomes, results: list[str]) -> None:
    assert outcomes["join"] is OK
    called = outcomes["calls"] is OK
    assert called or outcomes["calls"] is REFUSED
    assert results == [CallResult.NORMAL_END, *([CallResult.CALL_BUSY] if called else [])]


def the_last_one_decides(outcomes: Outcomes, results: list[str]) -> None:
    assert set(outcomes.values()) == {OK}
    assert results[0] in (CallResult.NORMAL_END, CallResult.INTERRUPT)


def of_two_or_not(outcomes: Outcomes, results: list[str]) -> None:
    assert outcomes["join"] is OK
    assert outcomes["switch"] in (OK, ErrorCode.SCENE_NOT_SUPPORTED)
    assert results == [CallResult.NORMAL_END]


SCENARIOS = {
    "accept and cancel": Scenario(
        lambda a: {"accept": a.accept("b1"), "cancel": a.hang_up("a1")}, accept_or_cancel
    ),
    "accept on two devices": Scenario(lambda a: {"1": a.accept("b1"), "2": a.accept("b2")}, one_accept),
    "glare": Scenario(
        lambda a: {"a": lambda: a.invite("a", "b"), "b": lambda: a.invite("b", "a")},
        one_invitation,
        calling=False,
    ),
    "two callers": Scenario(
        lambda a: {"a": lambda: a.invite("a", "b"), "c": lambda: a.invite("c", "b")}, one_busy, calling=False
    ),
    "late timer": Scenario(
        lambda a: {
            "timer": a.ring_timeout(),
            "accept": a.accept("b1"),
            "cancel": a.hang_up("a1"),
            "reject": a.reject("b2"),
        },
        timer_or_answer,
        late=True,
    ),
    "hang-up on both sides": Scenario(
        lambda a: {"a": a.hang_up("a1"), "b": a.hang_up("b1")}, one_hang_up, accepted=True
    ),
    "caller lost while accepting": Scenario(
        lambda a: {"lost": a.lose("a1"), "accept": a.accept("b1")}, lost_caller
    ),
    "device comes while calling, caller goes": Scenario(
        lambda a: {
            "calls": lambda: a.invite("a", "b"),
            "opens": lambda: a.open("b", "b3"),
            "lost": a.lose("a1"),
        },
        opened,
        calling=False,
    ),
    "one joins, one leaves": Scenario(
        lambda a: {"join": a.join("c1"), "leave": a.hang_up("b1")}, in_time_or_over, accepted=True
    ),
    "one is invited, one leaves": Scenario(
        lambda a: {"invite": a.invite_more("a1", "c"), "leave": a.hang_up("b1")},
        in_time_or_over,
        accepted=True,
    ),
    "two invite the same": Scenario(
        lambda a: {"a": a.invite_more("a1", "c"), "b": a.invite_more("b1", "c")}, both, accepted=True
    ),
    "one joins who is invited": Scenario(
        lambda a: {"invite": a.invite_more("a1", "c"), "join": a.join("c1")}, both, accepted=True
    ),
    "one is invited and called": Scenario(
        lambda a: {"invite": a.invite_more("a1", "c"), "calls": lambda: a.invite("d", "c")},
        in_one_of_two,
        accepted=True,
    ),
    "one joins and calls": Scenario(
        lambda a: {"join": a.join("c1"), "calls": lambda: a.invite("c", "b")},
        joined_and_maybe_called,
        accepted=True,
    ),
    "two of three go": Scenario(
        lambda a: {"lost": a.lose("a1"), "leave": a.hang_up("b1")},
        the_last_one_decides,
        accepted=True,
        joined=True,
    ),
    "a switch to voice and a third": Scenario(
        lambda a: {"switch": a.switch("a1"), "join": a.join("c1")}, of_two_or_not, accepted=True
    ),
}


async def run_race(arena: Arena, scenario: Scenario, seed: int) -> None:
    """One interleaving from the first move to the last check."""
    arena.calls.clear()
    await arena.renew("a1", "b1", "b2", "c1", "d1")
    if scenario.calling:
        await arena.invite("a", "b")
    if scenario.accepted:
        await arena.accept("b1")()
    if scenario.joined:
        await arena.join("c1")()
    if scenario.late:
        arena.now.at += 30
    scheduler = arena.repository.scheduler = Scheduler(seed)
    try:
        outcomes = await scheduler.run(scenario.actors(arena))
    finally:
        arena.repository.scheduler = None
    live = await arena.check_busy()
    told = await arena.events()
    alive = await arena.alive()
    for call in live:
        for member in call.with_status(*PRESENT):
            assert member.session_id in alive
        for member in call.with_status(MemberStatus.RINGING):
            for session in [one for one in alive if one[0] == member.user_id]:
                assert told[session].count(("onCallReceived", call.call_id)) == 1
        await arena.control.apply(DEFAULT_APP_ID, call.call_id, EndByService())
    assert not live or await arena.check_busy() == []
    for session, more in (await arena.events()).items():
        told.setdefault(session, []).extend(more)
    for session, events in told.items():
        for call_id in {call for _, call in events}:
            names = [event for event, call in events if call == call_id]
            ends = [name for name in names if name in ENDS]
            if names != ["onMissedCall"]:
                assert len(ends) == 1, (session, names)
                assert names[-1] in ENDS, (session, names)
    results = await arena.results()
    assert set(results) == set(arena.calls)
    scenario.check(outcomes, [results[call_id] for call_id in arena.calls])


@pytest.mark.parametrize("name", SCENARIOS)
async def test_race(arena: Arena, name: str) -> None:
    replay = os.environ.get("RACE_SEED")
    for seed in range(SEEDS) if replay is None else [int(replay)]:
        try:
            async with asyncio.timeout(30):
                await run_race(arena, SCENARIOS[name], seed)
        except (Exception, ExceptionGroup) as error:
            raise AssertionError(f"race {name!r} failed with seed {seed}") from error


async def test_a_seed_replays_its_order(arena: Arena) -> None:
    async def order(seed: int) -> list[str]:
        scheduler = Scheduler(seed)

        async def steps() -> None:
            for step in "123":
                await scheduler.gate(step)

        await scheduler.run({"x": steps, "y": steps, "z": steps})
        return scheduler.trace

    assert await order(1) == await order(1)
    assert await order(1) != await order(2)
