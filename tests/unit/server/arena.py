# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's core without wires: people who do what they do straight to the control of calls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, and_, false, or_, select

from callagent.protocol.enums import MediaType, UserStatus
from callagent.protocol.requests import Calls, InviteUser
from callagent.server.accounts import DEFAULT_APP_ID, Accounts
from callagent.server.announce import Announcer
from callagent.server.bus import LocalBus
from callagent.server.calls.commands import Accept, Hangup, Reject, SwitchMediaType
from callagent.server.calls.control import CallControl, retried
from callagent.server.calls.group_media import GroupMedia
from callagent.server.calls.model import Call
from callagent.server.calls.relay import CallRelay
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
from tests.unit.server.scheduler import Actor, GatedRepository


@dataclass
class Arena:
    """Sessions are named after their users: `b2` is the second one of b."""

    storage: Storage
    repository: GatedRepository
    control: CallControl
    relay: CallRelay
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

    def invite_more(self, session: str, callee: str) -> Actor:
        key = SessionKey(DEFAULT_APP_ID, session)

        def request() -> InviteUser:
            return InviteUser(id=1, call_id=self.calls[0], user_id_list=[callee])

        return lambda: self.control.invite_more(key, session[0], request())

    def join(self, session: str) -> Actor:
        key = SessionKey(DEFAULT_APP_ID, session)
        return lambda: self.control.join(key, session[0], self.calls[0], sfu=False)

    def switch(self, session: str) -> Actor:
        command = SwitchMediaType(session[0], session, MediaType.AUDIO)
        return lambda: self.control.apply(DEFAULT_APP_ID, self.calls[0], command)

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


@asynccontextmanager
async def arena_with(media: GroupMedia) -> AsyncIterator[Arena]:
    storage = await Storage.open(MEMORY)
    await Accounts(storage).ensure_default_app()
    now, bus = FakeNow(), LocalBus()
    repository, presence, timers = (
        GatedRepository(storage),
        StoredPresence(storage, bus),
        StoredTimers(storage, now),
    )
    announcer = Announcer(repository, bus, timers, presence, lambda: None, media.follow)
    control = CallControl(repository, announcer, now, ServiceSettings(), media)
    sessions = Sessions(storage, repository, announcer, control, bus, timers, presence, now, 30.0)
    relay = CallRelay(repository, bus, media)
    yield Arena(storage, repository, control, relay, sessions, now)
    await storage.close()
