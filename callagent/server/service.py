# SPDX-License-Identifier: GPL-3.0-or-later
"""The call service without its wires: everything one node is made of."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from callagent import __version__
from callagent.protocol.errors import ErrorCode
from callagent.protocol.replies import HealthData
from callagent.protocol.requests import SESSION_SILENCE_S, Bye
from callagent.server.accounts import Accounts
from callagent.server.announce import Announcer
from callagent.server.bus import LocalBus
from callagent.server.callbacks.delivery import CallbackDelivery
from callagent.server.calls.control import CallControl
from callagent.server.clock import Now, steady_clock
from callagent.server.connection import Connection
from callagent.server.handlers import Handlers
from callagent.server.presence import StoredPresence
from callagent.server.profiles import Profiles
from callagent.server.repository import Repository
from callagent.server.sessions import Sessions
from callagent.server.storage import sessions as session_rows
from callagent.server.storage.engine import Storage
from callagent.server.storage.timers import Timer, TimerKind
from callagent.server.timers import StoredTimers

HOUSEKEEPING_S = 5.0
DRAIN_S = 1.0
"""How long `close` waits for connections to take their bye."""

logger = logging.getLogger(__name__)


class CallService:
    """One node of the service: opened on a database, started, closed. Used on the event loop."""

    version = __version__

    def __init__(
        self,
        storage: Storage,
        *,
        now: Now,
        ice_servers: Sequence[dict[str, Any]],
        max_members: int,
        session_silence_s: float,
    ) -> None:
        self.storage = storage
        self.now = now
        self.silence_s = session_silence_s
        self.accounts = Accounts(storage, now)
        self.profiles = Profiles(storage)
        self.bus = LocalBus()
        self.timers = StoredTimers(storage, now)
        self.presence = StoredPresence(storage, self.bus)
        repository = Repository(storage)
        self.callbacks = CallbackDelivery(storage, self.accounts, now)
        announcer = Announcer(repository, self.bus, self.timers, self.presence, self.callbacks.wake)
        self.control = CallControl(
            repository, announcer, self.bus, now, ice_servers=ice_servers, max_members=max_members
        )
        self.sessions = Sessions(
            storage,
            repository,
            announcer,
            self.control,
            self.bus,
            self.timers,
            self.presence,
            now,
            session_silence_s,
        )
        self.handlers = Handlers(storage, self.accounts, self.sessions, self.control, self.presence)
        self._connections: dict[Connection, asyncio.Task[Any]] = {}
        self._housekeeper: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    @classmethod
    async def open(
        cls,
        database_url: str,
        *,
        now: Now | None = None,
        ice_servers: Sequence[dict[str, Any]] = (),
        max_members: int = 9,
        session_silence_s: float = SESSION_SILENCE_S,
    ) -> "CallService":
        """Connect to the database and migrate it; nothing runs before `start`.

        `now` gives Unix seconds that never step; `ice_servers` are W3C RTCIceServer
        objects for every media plan. Raises sqlalchemy.exc.SQLAlchemyError, OSError.
        """
        storage = await Storage.open(database_url)
        service = cls(
            storage,
            now=now or steady_clock(),
            ice_servers=ice_servers,
            max_members=max_members,
            session_silence_s=session_silence_s,
        )
        try:
            await service.accounts.ensure_default_app()
        except BaseException:
            await storage.close()
            raise
        return service

    async def start(self) -> None:
        """Arm the stored timers; from now on sessions may connect."""
        await self.sessions.restart()
        await self.timers.start(self._fire)
        self.presence.start()
        self.callbacks.start()
        self._housekeeper = asyncio.create_task(self._keep_house(), name="housekeeping")

    async def close(self) -> None:
        """Say bye to every connection, finish what runs, close the database. Idempotent."""
        if self._closing.is_set():
            return
        self._closing.set()
        serving = list(self._connections.values())
        for connection in list(self._connections):
            connection.outbox.dismiss(_stopping())
        if serving:
            _, late = await asyncio.wait(serving, timeout=DRAIN_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._housekeeper is not None:
            await self._housekeeper
        await self.timers.close()
        await self.callbacks.close()
        await self.presence.close()
        await self.storage.close()
        logger.info("call service closed")

    async def serve(self, connection: Connection) -> None:
        """Run one connection in the caller's task; `close` waits for it."""
        task = asyncio.current_task()
        assert task is not None
        if self._closing.is_set():
            connection.outbox.dismiss(_stopping())
        self._connections[connection] = task
        try:
            await connection.run()
        finally:
            del self._connections[connection]

    async def health(self) -> HealthData:
        """Raises sqlalchemy.exc.SQLAlchemyError when the storage does not answer."""
        async with self.storage.read() as connection:
            total, connected = await session_rows.count(connection)
        details = {"sessions": total, "connected": connected}
        return HealthData(status="ok", version=self.version, details=details)

    async def _fire(self, timer: Timer) -> None:
        if timer.key.kind is TimerKind.RING:
            call_id, _, user_id = timer.key.key.partition("/")
            await self.control.ring_timeout(timer.key.app_id, call_id, user_id)
        else:
            await self.sessions.away_too_long(timer.key.app_id, timer.key.key)

    async def _keep_house(self) -> None:
        """Forget acknowledged events; let go of sessions whose account was removed."""
        while not self._closing.is_set():
            try:
                async with asyncio.timeout(HOUSEKEEPING_S):
                    await self._closing.wait()
            except TimeoutError:
                pass
            try:
                await self.sessions.trim()
                await self.release_vanished()
            except SQLAlchemyError:
                logger.exception("housekeeping failed; once more in %.0f s", HOUSEKEEPING_S)

    async def release_vanished(self) -> None:
        """Let go of connections whose session is no more."""
        for key in await self.sessions.vanished(self.bus.sessions):
            subscriber = self.bus.subscriber(key)
            if subscriber is not None:
                subscriber.dismiss(Bye(code=ErrorCode.NOT_LOGGED_IN, message="This session has ended"))


def _stopping() -> Bye:
    return Bye(code=ErrorCode.SERVICE_STOPPING, message="The service is stopping")
