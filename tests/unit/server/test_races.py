# SPDX-License-Identifier: GPL-3.0-or-later
"""Races on the real repository: whoever comes when, one outcome, one end per side, one true record.

A seeded scheduler decides before every load and every commit who goes next. A
failure names its seed; RACE_SEED=n replays that one.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from sqlalchemy import Connection, and_, false, or_, select

from callagent.protocol.enums import CallResult, MediaType, UserStatus
from callagent.protocol.errors import ErrorCode
from callagent.protocol.requests import Calls
from callagent.server.accounts import DEFAULT_APP_ID, Accounts
from callagent.server.announce import Announcer
from callagent.server.bus import LocalBus
from callagent.server.calls.commands import Accept, EndByService, Hangup, Reject
from callagent.server.calls.control import CallControl, retried
from callagent.server.calls.group_media import NoGroupMedia
from callagent.server.calls.model import PRESENT, Call, MemberStatus
from callagent.server.presence import StoredPresence
from callagent.server.sessions import Sessions
from callagent.server.settings import ServiceSettings
from callagent.server.storage.engine import Storage
from callagent.server.storage.event_log import SessionKey
from callagent.server.storage.sessions import NewSession
from callagent.server.storage.tables import (
    CallRecordRow,
    CallRow,
    SessionEventRow,
    SessionRow,
    TimerRow,
    UserBusyRow,
)
from callagent.server.timers import StoredTimers
from tests.unit.server.rig import MEMORY, FakeNow
from tests.unit.server.scheduler import Actor, GatedRepository, Outcomes, Scheduler

SEEDS = 126
"""Interleavings of each of the scenarios below: more than a thousand together."""
ENDS = {"onCallEnd", "onCallNotConnected"}


@dataclass
class Arena:
    """The service's core without wires, three users, Bea with two devices."""

    storage: Storage
    repository: GatedRepository
    control: CallControl
    sessions: Sessions
    now: FakeNow
    calls: list[str] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)

    async def open(self, user_id: str, session_id: str) -> None:
        new = NewSession(SessionKey(DEFAULT_APP_ID, session_id), user_id, session_id, "", "other", "", "")
        await retried(lambda: self.sessions.add(new, self.now()))

    async def invite(self, caller: str, callee: str) -> None:
        request = Calls(id=1, user_id_list=[callee], media_type=MediaType.VIDEO)
        session = SessionKey(DEFAULT_APP_ID, f"{caller}1")
        started = await self.control.invite(session, caller, request, sfu=False)
        self.calls.append(started.call_id)

    def accept(self, session: str) -> Actor:
        return lambda: self.control.apply(DEFAULT_APP_ID, self.calls[0], Accept(session[0], session))

    def reject(self, session: str) -> Actor:
        return lambda: self.control.apply(DEFAULT_APP_ID, self.calls[0], Reject(session[0], session))

    def hang_up(self, session: str) -> Actor:
        return lambda: self.control.apply(DEFAULT_APP_ID, self.calls[0], Hangup(session[0], session))

    def ring_timeout(self) -> Actor:
        return lambda: self.control.ring_timeout(DEFAULT_APP_ID, self.calls[0], "b")

    def lose(self, session: str) -> Actor:
        return lambda: self.sessions.end(SessionKey(DEFAULT_APP_ID, session), UserStatus.OFFLINE)

    async def events(self) -> dict[str, list[tuple[str, str]]]:
        """By session, what was logged since the last look: event and call."""
        row = SessionEventRow
        seen = [and_(row.session_id == session, row.seq <= seq) for session, seq in self.seen.items()]
        query = select(row.session_id, row.seq, row.event, row.data).where(~or_(false(), *seen))
        told: dict[str, list[tuple[str, str]]] = {}
        rows = await self.storage.read(lambda c: c.execute(query.order_by(row.seq)).all())
        for session, seq, event, data in rows:
            assert seq == self.seen.get(session, 0) + 1
            self.seen[session] = seq
            told.setdefault(session, []).append((event, data["callId"]))
        return told

    async def check_busy(self) -> list[Call]:
        """Who is busy is exactly who is in a live call, and so are the timers; returns the live calls."""

        def look(connection: Connection) -> tuple[list[Call], dict[str, str], set[str]]:
            return (
                [Call.model_validate(row.state) for row in connection.execute(select(CallRow.state))],
                {row.user_id: row.call_id for row in connection.execute(select(UserBusyRow))},
                set(connection.scalars(select(TimerRow.key).where(TimerRow.kind == "ring"))),
            )

        calls, busy, timers = await self.storage.read(look)
        in_calls = [(user, call.call_id) for call in calls for user in call.busy_users()]
        assert len(in_calls) == len(busy)
        assert dict(in_calls) == busy
        assert timers == {f"{call.call_id}/{user}" for call in calls for user in call.ring_deadlines()}
        return calls

    async def results(self) -> dict[str, str]:
        query = select(CallRecordRow.call_id, CallRecordRow.result)
        of_ours = query.where(CallRecordRow.call_id.in_(self.calls))
        rows = await self.storage.read(lambda c: c.execute(of_ours).all())
        return {row.call_id: row.result for row in rows}

    async def alive(self) -> set[str]:
        return await self.storage.read(lambda c: set(c.scalars(select(SessionRow.session_id))))

    async def renew(self, *sessions: str) -> None:
        """Sessions that a race ended begin again."""
        alive = await self.alive()
        for session in sessions:
            if session not in alive:
                self.seen[session] = 0
                await self.open(session[0], session)
        for passing in alive - set(sessions):
            await self.lose(passing)()
            self.seen.pop(passing, None)


@pytest.fixture
async def arena() -> AsyncIterator[Arena]:
    storage = await Storage.open(MEMORY)
    await Accounts(storage).ensure_default_app()
    now, bus = FakeNow(), LocalBus()
    repository, presence, timers = (
        GatedRepository(storage),
        StoredPresence(storage, bus),
        StoredTimers(storage, now),
    )
    media = NoGroupMedia()
    announcer = Announcer(repository, bus, timers, presence, lambda: None, media.follow)
    control = CallControl(repository, announcer, now, ServiceSettings(), media)
    sessions = Sessions(storage, repository, announcer, control, bus, timers, presence, now, 30.0)
    yield Arena(storage, repository, control, sessions, now)
    await storage.close()


@dataclass(frozen=True)
class Scenario:
    actors: Callable[[Arena], dict[str, Actor]]
    check: Callable[[Outcomes, list[str]], None]
    """Of the outcomes and the results of all calls of the race, first to last."""
    calling: bool = True
    """a calls b before it begins."""
    accepted: bool = False
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
}


async def run_race(arena: Arena, scenario: Scenario, seed: int) -> None:
    """One interleaving from the first move to the last check."""
    arena.calls.clear()
    await arena.renew("a1", "b1", "b2", "c1")
    if scenario.calling:
        await arena.invite("a", "b")
    if scenario.accepted:
        await arena.accept("b1")()
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
