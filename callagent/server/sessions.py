# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions: who is logged in where, from hello to the end."""

import itertools
import logging
import time
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from callagent.protocol.enums import UserStatus
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.events import Event, OnKickedOffline
from callagent.protocol.requests import PROTOCOL_VERSION, Bye, Hello, Resume
from callagent.protocol.usersig import verify_usersig
from callagent.server.announce import Announcer
from callagent.server.bus import Bus
from callagent.server.callbacks.events import callbacks
from callagent.server.calls import state
from callagent.server.calls.commands import (
    Addressed,
    Command,
    Hangup,
    SessionLost,
    SessionOpened,
    Step,
    ToSession,
)
from callagent.server.calls.control import CallControl, log_end, retried
from callagent.server.calls.model import PRESENT
from callagent.server.clock import Now
from callagent.server.credentials import hashed, matches, new_session_id, new_token
from callagent.server.presence import Presence
from callagent.server.repository import Changes, Repository, UserCall, away_timer_key
from callagent.server.storage import event_log, nodes, sessions, timers
from callagent.server.storage.engine import Storage
from callagent.server.storage.event_log import SessionKey
from callagent.server.storage.sessions import NewSession, SessionEnd, StoredSession
from callagent.server.storage.tables import AppRow, UserRow
from callagent.server.storage.timers import Timer
from callagent.server.timers import Timers

BLOCKED = "This account was blocked"
TRIMMED_AT_ONCE = 50
"""Sessions of one transaction: some milliseconds."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Login:
    """One connection of one session."""

    key: SessionKey
    user_id: str
    connection: int
    """Counts up with every connection of the session."""
    resume_token: str
    resumed: bool
    seq: int
    """The last event this connection's client has."""
    newest_seq: int
    """The last event there is: what it missed ends there."""
    capabilities: frozenset[str] = frozenset()
    """What the client said it can."""


@dataclass(frozen=True, slots=True)
class _App:
    """What a login depends on."""

    secret: str
    multi_device: bool
    blocked: bool
    """The user."""


class Sessions:
    """Opens, resumes and ends sessions. Raises CallAgentError. Used on the event loop."""

    def __init__(
        self,
        storage: Storage,
        repository: Repository,
        announcer: Announcer,
        control: CallControl,
        bus: Bus,
        timers: Timers,
        presence: Presence,
        now: Now,
        silence_s: float,
        node: str = "",
    ) -> None:
        """`node` names this one among those of the service."""
        self._storage = storage
        self._repository = repository
        self._announcer = announcer
        self._control = control
        self._bus = bus
        self._timers = timers
        self._presence = presence
        self._now = now
        self._silence_s = silence_s
        self._node = node
        self._acks: dict[SessionKey, int] = {}

    async def restart(self) -> None:
        """After a stop or a crash: everybody is away from now on, and has the full time to resume."""

        def work(connection: Connection) -> None:
            now = self._now()
            left = sessions.set_all_away(connection, now)
            timers.put(connection, [self._away_timer(key, now) for key in left])

        await self._storage.write(work)

    async def take_over(self, node: str) -> None:
        """That node is dead: its sessions are away from now on."""

        def work(connection: Connection) -> list[Timer]:
            now = self._now()
            left = sessions.set_all_away(connection, now, node)
            due = [self._away_timer(key, now) for key in left]
            timers.put(connection, due)
            nodes.remove(connection, node)
            return due

        due = await retried(lambda: self._storage.write(work))
        self._timers.changed(due, ())
        logger.info("%d sessions of node %s are away", len(due), node)

    async def hello(self, hello: Hello, address: str) -> Login:
        """Verify and resume or open; `address` is the client's.

        Raises PROTOCOL_VERSION, UNKNOWN_APP, USERSIG_INVALID or _EXPIRED, USER_BLOCKED.
        """
        if hello.protocol != PROTOCOL_VERSION:
            raise CallAgentError(
                ErrorCode.PROTOCOL_VERSION, f"This service speaks version {PROTOCOL_VERSION}", "protocol"
            )
        app = await self._app(hello.sdk_app_id, hello.user_id)
        verify_usersig(hello.user_sig, hello.sdk_app_id, app.secret, hello.user_id, now=time.time())
        if app.blocked:
            raise CallAgentError(ErrorCode.USER_BLOCKED, BLOCKED, "userId")
        if hello.resume is not None:
            resume = hello.resume
            login = await retried(lambda: self._resume(hello, resume, address))
            if login is not None:
                return login
        return await retried(lambda: self._open(hello, app.multi_device, address))

    async def events_after(self, key: SessionKey, seq: int) -> list[Event]:
        """The stored events of the session after `seq`, in order."""
        return await self._storage.read(lambda connection: event_log.read_after(connection, key, seq))

    def acknowledge(self, key: SessionKey, seq: int) -> None:
        """Events up to `seq` were handled; they are forgotten at the next `trim`."""
        if seq > self._acks.get(key, 0):
            self._acks[key] = seq

    async def trim(self) -> None:
        """Forget what was acknowledged, so few sessions at once that nobody's ring waits for it."""
        acks, self._acks = self._acks, {}
        while acks:
            some = dict(itertools.islice(acks.items(), TRIMMED_AT_ONCE))

            def work(connection: Connection, some: dict[SessionKey, int] = some) -> None:
                event_log.trim(connection, some)

            try:
                await retried(lambda: self._storage.write(work, short=True))
            except BaseException:
                for key, seq in acks.items():
                    self.acknowledge(key, seq)
                raise
            for key in some:
                del acks[key]

    async def newest(self) -> dict[SessionKey, int]:
        """The sessions connected to this node, as the database knows, and each one's last event."""
        return await self._storage.read(lambda connection: sessions.newest_on(connection, self._node))

    async def lives(self, key: SessionKey) -> bool:
        return await self._storage.read(lambda connection: sessions.load(connection, key)) is not None

    async def away(self, login: Login) -> None:
        """The connection is gone; the session waits for its return."""

        def work(connection: Connection) -> list[Timer]:
            now = self._now()
            if not sessions.set_away(connection, login.key, login.connection, now):
                return []
            timer = self._away_timer(login.key, now)
            timers.put(connection, [timer])
            return [timer]

        self._timers.changed(await retried(lambda: self._storage.write(work, short=True)), ())

    async def logout(self, login: Login) -> None:
        """The user leaves on purpose; a call this session is in, too."""
        await self.end(login.key, UserStatus.UNLOGINED, Hangup(login.user_id, login.key.session_id))

    async def silent(self, login: Login) -> None:
        """Nothing was heard for too long on a connection that is still open."""
        await self.end(login.key, UserStatus.OFFLINE, connection=login.connection)

    async def away_too_long(self, app_id: int, session_id: str) -> None:
        """The away timer fired."""
        await self.end(SessionKey(app_id, session_id), UserStatus.OFFLINE, only_away=True)

    async def add(self, new: NewSession, now: float) -> None:
        """Store a new session; it rings when its user is being rung. Raises Conflict."""
        app_id, session_id = new.key.app_id, new.key.session_id
        in_call = await self._repository.load_of_user(app_id, new.user_id)
        changes = Changes(app_id, expects=in_call, opens=new)
        if in_call.call is not None:
            step = state.apply(in_call.call.call, SessionOpened(new.user_id, session_id), now)
            if step.events:
                changes = replace(changes, before=in_call.call, step=step)
        await self._announcer.commit(changes, now)

    async def end_all(
        self,
        app_id: int,
        user_id: str,
        message: str = "This account was removed",
        code: ErrorCode = ErrorCode.NOT_LOGGED_IN,
    ) -> None:
        """End the user's sessions and their part in calls, and say why."""
        present = await self._storage.read(lambda connection: sessions.of_user(connection, app_id, user_id))
        for session in present:
            leaving = Hangup(user_id, session.key.session_id)
            await self.end(session.key, UserStatus.UNLOGINED, leaving)
            self._dismiss(session.key, message, code)

    async def end_blocked(self) -> None:
        """Of users who were blocked beside this service."""
        for app_id, user_id in await self._storage.read(sessions.blocked_users):
            await self.end_all(app_id, user_id, BLOCKED, ErrorCode.USER_BLOCKED)

    async def end(
        self,
        key: SessionKey,
        status: UserStatus,
        leaving: Command | None = None,
        *,
        connection: int | None = None,
        only_away: bool = False,
        notices: tuple[Addressed, ...] = (),
    ) -> None:
        """End the session and its part in a call; without effect when it is gone already.

        With `connection`: only that one; with `only_away`: only while nobody is connected.
        """

        async def attempt() -> StoredSession | None:
            stored = await self._storage.read(lambda connection: sessions.load(connection, key), short=True)
            now = self._now()
            if stored is None or (connection is not None and stored.connection != connection):
                return None
            if only_away and not self._away_for_too_long(stored, now):
                return None
            in_call = await self._repository.load_of_user(key.app_id, stored.user_id)
            end = SessionEnd(key, stored.user_id, stored.connection, status, only_away)
            command = leaving or SessionLost(stored.user_id, key.session_id)
            step = self._leaving_step(in_call, stored, command, now)
            changes = Changes(key.app_id, expects=in_call, ends=end, notices=notices)
            if step is not None and in_call.call is not None:
                told = callbacks(in_call.call.call, step, command, now)
                changes = replace(
                    changes, before=in_call.call, step=step, callbacks=told, acted=key.session_id
                )
            await self._announcer.commit(changes, now)
            if step is not None:
                log_end(step)
            return stored

        ended = await retried(attempt)
        if ended is not None:
            self._presence.unwatch(key)
            self._bus.forget(key)
            self._acks.pop(key, None)
            logger.info("session %s of %s ended (%s)", key.session_id, ended.user_id, status)

    async def _app(self, app_id: int, user_id: str) -> "_App":
        row = None
        if 0 < app_id < 2**31:
            ours = (UserRow.app_id == AppRow.app_id) & (UserRow.user_id == user_id)
            query = (
                select(AppRow.secret, AppRow.multi_device, UserRow.blocked)
                .join(UserRow, ours, isouter=True)
                .where(AppRow.app_id == app_id)
            )
            row = await self._storage.read(lambda connection: connection.execute(query).first(), short=True)
        if row is None:
            raise CallAgentError(ErrorCode.UNKNOWN_APP, "There is no such app", "sdkAppId")
        return _App(row.secret, row.multi_device, bool(row.blocked))

    async def _resume(self, hello: Hello, resume: Resume, address: str) -> Login | None:
        """None when the session, or some of its events, are gone."""
        key = SessionKey(hello.sdk_app_id, resume.session_id)
        away = away_timer_key(key)

        def work(connection: Connection) -> tuple[StoredSession, int] | None:
            stored = sessions.load(connection, key)
            if stored is None or not _may_resume(stored, hello, resume):
                return None
            number = sessions.reconnect(connection, key, address, self._node)
            timers.remove(connection, [away])
            event_log.trim(connection, {key: resume.last_seq})
            return stored, number

        found = await self._storage.write(work, short=True)
        if found is None:
            return None
        stored, number = found
        self._timers.changed((), [away])
        logger.info("session %s of %s resumed", key.session_id, stored.user_id)
        return Login(
            *(key, stored.user_id, number, resume.resume_token),
            resumed=True,
            seq=resume.last_seq,
            newest_seq=stored.last_seq,
            capabilities=frozenset(hello.capabilities),
        )

    async def _open(self, hello: Hello, multi_device: bool, address: str) -> Login:
        app_id, user_id = hello.sdk_app_id, hello.user_id
        older = await self._storage.read(
            lambda connection: sessions.of_user(connection, app_id, user_id), short=True
        )
        for session in older:
            if session.device_id == hello.device_id:
                await self.end(session.key, UserStatus.OFFLINE)
                self._dismiss(session.key, "This device logged in anew")
            elif not multi_device:
                await self._kick(session.key)
        key, token, now = SessionKey(app_id, new_session_id()), new_token(), self._now()
        new = NewSession(
            key=key,
            user_id=user_id,
            device_id=hello.device_id,
            token_hash=hashed(token),
            platform=hello.platform.value,
            version=hello.version,
            model=hello.model,
            address=address,
            node=self._node,
        )
        await self.add(new, now)
        logger.info(
            "session %s of %s opened on %s (%s)", key.session_id, user_id, hello.device_id, hello.platform
        )
        able = frozenset(hello.capabilities)
        return Login(key, user_id, 1, token, resumed=False, seq=0, newest_seq=0, capabilities=able)

    async def _kick(self, key: SessionKey) -> None:
        message = "You logged in on another device"
        kicked = Addressed(ToSession(key.session_id), OnKickedOffline(message=message))
        await self.end(key, UserStatus.OFFLINE, notices=(kicked,))
        self._dismiss(key, message)

    def _dismiss(self, key: SessionKey, message: str, code: ErrorCode = ErrorCode.KICKED_OFFLINE) -> None:
        self._bus.dismiss(key, Bye(code=code, message=message))

    def _leaving_step(
        self, in_call: UserCall, session: StoredSession, command: Command, now: float
    ) -> Step | None:
        """What the end of this session does to the call its user is in, when it is in it here."""
        if in_call.call is None:
            return None
        member = in_call.call.call.members[session.user_id]
        if member.status not in PRESENT or member.session_id != session.key.session_id:
            return None
        return self._control.step(in_call.call.call, command, now)

    def _away_for_too_long(self, session: StoredSession, now: float) -> bool:
        return session.away_since is not None and now >= session.away_since + self._silence_s

    def _away_timer(self, key: SessionKey, now: float) -> Timer:
        return Timer(away_timer_key(key), now + self._silence_s)


def _may_resume(stored: StoredSession, hello: Hello, resume: Resume) -> bool:
    return (
        stored.user_id == hello.user_id
        and stored.device_id == hello.device_id
        and matches(resume.resume_token, stored.token_hash)
        and stored.acked_seq <= resume.last_seq <= stored.last_seq
    )
