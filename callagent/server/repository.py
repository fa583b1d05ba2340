# SPDX-License-Identifier: GPL-3.0-or-later
"""The one versioned repository: what is loaded, and changes that are committed whole or not at all.

Between a load and its commit others may commit; the commit then finds it out by
compare-and-set and raises `Conflict`, and the caller starts again from the load.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, bindparam, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.events import AnyEventData
from callagent.server.accounts import new_user
from callagent.server.callbacks.events import Callback
from callagent.server.calls.commands import Addressed, Step, ToUser
from callagent.server.calls.model import Call
from callagent.server.storage import callbacks, calls, devices, event_log, sessions, timers
from callagent.server.storage.calls import Versioned
from callagent.server.storage.engine import Conflict, Storage
from callagent.server.storage.event_log import Delivery, SessionKey
from callagent.server.storage.sessions import NewSession, SessionEnd
from callagent.server.storage.tables import SessionRow, UserBusyRow, UserRow, table
from callagent.server.storage.timers import Timer, TimerKey, TimerKind

_USERS, _BUSY, _SESSIONS = table(UserRow).c, table(UserBusyRow).c, table(SessionRow).c
_FACTS = (
    select(
        _USERS.user_id,
        _USERS.nickname,
        _USERS.blocked,
        _BUSY.call_id,
        exists()
        .where(
            _SESSIONS.app_id == _USERS.app_id,
            _SESSIONS.user_id == _USERS.user_id,
            _SESSIONS.connected.is_(True),
        )
        .label("connected"),
    )
    .select_from(
        table(UserRow).join(
            table(UserBusyRow),
            (_BUSY.app_id == _USERS.app_id) & (_BUSY.user_id == _USERS.user_id),
            isouter=True,
        )
    )
    .where(_USERS.app_id == bindparam("app"), _USERS.user_id.in_(bindparam("users", expanding=True)))
)


@dataclass(frozen=True, slots=True)
class InviteFacts:
    """What the start of a call depends on."""

    known: dict[str, str]
    """Nickname (may be empty) of those users that have an account."""
    busy: frozenset[str]
    blocked: frozenset[str] = frozenset()
    """By the operator."""
    connected: frozenset[str] = frozenset()
    """Whom a ring would reach at this moment."""


@dataclass(frozen=True, slots=True)
class UserCall:
    """The call a user is in, as it was loaded; a commit may insist that it still is."""

    user_id: str
    call: Versioned | None

    @property
    def call_id(self) -> str | None:
        return self.call.call.call_id if self.call is not None else None


@dataclass(frozen=True, slots=True)
class Changes:
    """One transaction."""

    app_id: int
    before: Versioned | None = None
    """The call the step was computed from; None for a new call."""
    step: Step | None = None
    expects: UserCall | None = None
    needs_session: str | None = None
    """The session that asks must still live."""
    opens: NewSession | None = None
    ends: SessionEnd | None = None
    notices: tuple[Addressed, ...] = ()
    """Events beside those of the step."""
    callbacks: tuple[Callback, ...] = ()
    """For the app's back end, as far as it wants them."""
    acted: str | None = None
    """The session whose doing it is."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What others must now be told."""

    deliveries: tuple[Delivery, ...] = ()
    timers_set: tuple[Timer, ...] = ()
    timers_cleared: tuple[TimerKey, ...] = ()
    presence_changed: frozenset[str] = frozenset()
    """Users whose status, or being in a call, changed."""
    callbacks: bool = False
    """Whether there is something to be sent to the app's back end."""


class Repository:
    """Used on the event loop; every method is one transaction."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._live: dict[tuple[int, str], Versioned] = {}
        """The live calls as they were stored last, where this process is the only one that writes."""

    async def load(self, app_id: int, call_id: str) -> Versioned | None:
        """A live call; None when it is over or never was."""
        known = self._live.get((app_id, call_id))
        if known is not None:
            return known
        return await self._storage.read(
            lambda connection: calls.load(connection, app_id, call_id), short=True
        )

    async def in_room(self, app_id: int, room_id: int | str) -> list[str]:
        """The ids of the live calls in this room; 123 and "123" are two."""
        return await self._storage.read(lambda connection: calls.in_room(connection, app_id, room_id))

    async def load_of_user(self, app_id: int, user_id: str) -> UserCall:
        def work(connection: Connection) -> UserCall:
            busy = calls.busy_with(connection, app_id, [user_id])
            call = calls.load(connection, app_id, busy[user_id]) if busy else None
            return UserCall(user_id, call)

        return await self._storage.read(work, short=True)

    async def load_invite(self, app_id: int, users: list[str]) -> InviteFacts:
        def work(connection: Connection) -> InviteFacts:
            rows = connection.execute(_FACTS, {"app": app_id, "users": users}).all()
            return InviteFacts(
                known={row.user_id: row.nickname for row in rows},
                busy=frozenset(row.user_id for row in rows if row.call_id is not None),
                blocked=frozenset(row.user_id for row in rows if row.blocked),
                connected=frozenset(row.user_id for row in rows if row.connected),
            )

        return await self._storage.read(work, short=True)

    async def commit(self, changes: Changes, now: float) -> Committed:
        """Raises Conflict; NOT_LOGGED_IN when the session that asks is gone."""
        remember = partial(self._remember, changes) if self._storage.one_writer else None
        try:
            return await self._storage.write(
                lambda connection: _apply(connection, changes, now), remember, short=True
            )
        except (Conflict, IntegrityError) as error:
            self._forget(changes.before)
            raise Conflict from error

    def _remember(self, changes: Changes) -> None:
        """In the order of the commits: an older call never follows a newer one."""
        if changes.step is None:
            return
        call = changes.step.call
        if call.over:
            self._live.pop((call.app_id, call.call_id), None)
        else:
            version = 1 if changes.before is None else changes.before.version + 1
            self._live[call.app_id, call.call_id] = Versioned(call, version)

    def _forget(self, before: Versioned | None) -> None:
        """Somebody else must have changed it; what is forgotten without need is only read once more."""
        if before is not None:
            key = before.call.app_id, before.call.call_id
            if self._live.get(key) is before:
                self._live.pop(key, None)


def _apply(connection: Connection, changes: Changes, now: float) -> Committed:
    app_id, step = changes.app_id, changes.step
    _check(connection, changes)
    presence: frozenset[str] = frozenset()
    if changes.opens is not None:
        _open_session(connection, changes.opens, now)
        presence |= {changes.opens.user_id}
    deliveries: list[Delivery] = []
    due: list[Timer] = []
    cleared: list[TimerKey] = []
    if step is not None:
        before = changes.before.call if changes.before is not None else None
        if not calls.store(connection, changes.before, step.call):
            raise Conflict
        presence |= calls.change_busy(connection, before, step.call)
        if step.record is not None:
            calls.add_record(connection, step.record)
        due, cleared = _ring_timers(before, step.call)
        (timers.add if before is None else timers.put)(connection, due)
        timers.remove(connection, cleared)
    events = (step.events if step is not None else ()) + changes.notices
    sessions_of = _sessions_of(connection, changes, events)
    if events:
        addressed = _resolve(events, sessions_of)
        deliveries = event_log.append(connection, app_id, addressed, now)
    told = False
    if changes.callbacks:
        rows = [(each.command.value, each.call_id, each.body) for each in changes.callbacks]
        told = callbacks.add(connection, app_id, rows, changes.acted, now)
    if changes.ends is not None:
        devices.left(connection, app_id, changes.ends.key.session_id, now)
        if not sessions.remove(connection, changes.ends):
            raise Conflict
        away = away_timer_key(changes.ends.key)
        timers.remove(connection, [away])
        cleared = [*cleared, away]
        presence |= {changes.ends.user_id}
    return Committed(tuple(deliveries), tuple(due), tuple(cleared), presence, told)


def _check(connection: Connection, changes: Changes) -> None:
    if changes.expects is not None:
        user_id = changes.expects.user_id
        # Other databases than SQLite have several writers: they meet at the user's row.
        lock = select(UserRow.user_id).where(UserRow.app_id == changes.app_id, UserRow.user_id == user_id)
        connection.execute(lock.with_for_update())
        busy = calls.busy_with(connection, changes.app_id, [user_id])
        if busy.get(user_id) != changes.expects.call_id:
            raise Conflict


def _open_session(connection: Connection, new: NewSession, now: float) -> None:
    app_id = new.key.app_id
    ours = (UserRow.app_id == app_id, UserRow.user_id == new.user_id)
    if connection.execute(select(UserRow.user_id).where(*ours)).first() is None:
        connection.execute(insert(UserRow).values(new_user(app_id, new.user_id, now)))
    connection.execute(update(UserRow).where(*ours).values(ever_logged_in=True))
    sessions.add(connection, new, now)
    devices.logged_in(connection, new, now)


def _sessions_of(
    connection: Connection, changes: Changes, events: tuple[Addressed, ...]
) -> Mapping[str, list[str]]:
    """Of the users who are told something. Raises NOT_LOGGED_IN when the session that asks is gone."""
    users = {event.to.user_id for event in events if isinstance(event.to, ToUser)}
    needed = changes.needs_session
    found: dict[str, list[str]] = defaultdict(list)
    if not users and needed is None:
        return found
    asks = needed is None
    for user_id, session_id in sessions.ids_of(connection, changes.app_id, users, needed):
        asks = asks or session_id == needed
        found[user_id].append(session_id)
    if not asks:
        raise CallAgentError(ErrorCode.NOT_LOGGED_IN, "This session has ended; log in again")
    return found


def _resolve(
    events: tuple[Addressed, ...], sessions_of: Mapping[str, list[str]]
) -> dict[str, list[AnyEventData]]:
    """The events of each session, in order."""
    of_session: dict[str, list[AnyEventData]] = defaultdict(list)
    for event in events:
        if isinstance(event.to, ToUser):
            targets = [s for s in sessions_of.get(event.to.user_id, ()) if s != event.to.but_session]
        else:
            targets = [event.to.session_id]
        for session_id in targets:
            of_session[session_id].append(event.data)
    return of_session


def _ring_timers(before: Call | None, after: Call) -> tuple[list[Timer], list[TimerKey]]:
    was = before.ring_deadlines() if before is not None else {}
    now = after.ring_deadlines()
    due = [
        Timer(ring_timer_key(after, user_id), deadline)
        for user_id, deadline in now.items()
        if was.get(user_id) != deadline
    ]
    return due, [ring_timer_key(after, user_id) for user_id in was if user_id not in now]


def ring_timer_key(call: Call, user_id: str) -> TimerKey:
    return TimerKey(call.app_id, TimerKind.RING, f"{call.call_id}/{user_id}")


def away_timer_key(session: SessionKey) -> TimerKey:
    return TimerKey(session.app_id, TimerKind.AWAY, session.session_id)
