# SPDX-License-Identifier: GPL-3.0-or-later
"""The call service without its wires: everything one node is made of."""

import asyncio
import logging
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from callagent import __version__
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.replies import HealthData
from callagent.protocol.requests import Bye
from callagent.server.accounts import Accounts
from callagent.server.announce import Announcer
from callagent.server.bus import Bus, LocalBus
from callagent.server.callbacks.delivery import CallbackDelivery
from callagent.server.calls.control import CallControl
from callagent.server.calls.group_media import GroupMedia, NoGroupMedia
from callagent.server.calls.relay import CallRelay
from callagent.server.clock import Now, steady_clock
from callagent.server.connection import Connection
from callagent.server.handlers import Handlers
from callagent.server.limits import Limits
from callagent.server.nodes import Nodes, new_node_id
from callagent.server.presence import StoredPresence
from callagent.server.profiles import Profiles
from callagent.server.redis_bus import RedisBus
from callagent.server.repository import Repository
from callagent.server.sessions import Sessions
from callagent.server.settings import ServiceSettings
from callagent.server.sfu.desk import Desk
from callagent.server.sfu.group import JanusGroupMedia
from callagent.server.sfu.janus import JanusBackend
from callagent.server.storage import sessions as session_rows
from callagent.server.storage.engine import Conflict, Storage
from callagent.server.storage.timers import Timer, TimerKind
from callagent.server.timers import StoredTimers

HOUSEKEEPING_S = 5.0
DRAIN_S = 1.0
"""How long `close` waits for connections to take their bye."""

logger = logging.getLogger(__name__)


class CallService:
    """One node of the service: opened on a database, started, closed. Used on the event loop."""

    version = __version__

    def __init__(self, storage: Storage, now: Now, settings: ServiceSettings) -> None:
        self.storage = storage
        self.now = now
        self.settings = settings
        self.silence_s = settings.session_silence_s
        self.limits = Limits(settings.limits)
        self.node_id = new_node_id()
        self.accounts = Accounts(storage, now)
        self.profiles = Profiles(storage)
        redis_url = settings.redis_url
        self.bus: Bus = (
            LocalBus() if redis_url is None else RedisBus(redis_url, lambda: self.sessions.newest())
        )
        self.timers = StoredTimers(storage, now, shared=redis_url is not None)
        self.presence = StoredPresence(storage, self.bus)
        repository = Repository(storage)
        self.callbacks = CallbackDelivery(storage, self.accounts, now)
        announcer = Announcer(
            *(repository, self.bus, self.timers, self.presence, self.callbacks.wake),
            on_group_call=lambda call: self.group_media.follow(call),
        )
        self.media_servers = self._on_media_servers(repository, announcer) if settings.media_servers else None
        """None: calls of several are a mesh."""
        self.group_media: GroupMedia = self.media_servers or NoGroupMedia()
        self.control = CallControl(repository, announcer, now, settings, self.group_media)
        relay = CallRelay(repository, self.bus, self.group_media)
        self.sessions = Sessions(
            storage,
            repository,
            announcer,
            self.control,
            self.bus,
            self.timers,
            self.presence,
            now,
            settings.session_silence_s,
            self.node_id,
        )
        self.nodes: Nodes | None = None
        """None: this service is one process."""
        if redis_url is not None:
            self.nodes = Nodes(storage, self.node_id, self._take_over, self._was_forgotten)
        self.handlers = Handlers(
            storage, self.accounts, self.sessions, self.control, relay, self.presence, self.limits
        )
        self._connections: dict[Connection, asyncio.Task[Any]] = {}
        self._housekeeper: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    @classmethod
    async def open(
        cls, database_url: str, *, now: Now | None = None, settings: ServiceSettings | None = None
    ) -> "CallService":
        """Connect to the database and migrate it; nothing runs before `start`.

        `now` gives Unix seconds that never step. Raises sqlalchemy.exc.SQLAlchemyError,
        OSError, DatabaseTaken.
        """
        storage = await Storage.open(database_url)
        service = cls(storage, now or steady_clock(), settings or ServiceSettings())
        try:
            await storage.register(shared=service.settings.redis_url is not None)
            await service.accounts.ensure_default_app()
        except BaseException:
            await storage.close()
            raise
        return service

    async def start(self) -> None:
        """Arm the stored timers; from now on sessions may connect.

        Raises redis.exceptions.RedisError, OSError when Redis does not answer.
        """
        await self.bus.start()
        if self.nodes is None:
            await self.sessions.restart()
        else:
            await self.nodes.start()
        if self.media_servers is not None:
            await self.media_servers.start()
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
        if self.media_servers is not None:
            await self.media_servers.close()
        await self.callbacks.close()
        await self.presence.close()
        await self.bus.close()
        if self.nodes is not None:
            await self.nodes.close()
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

    def _on_media_servers(self, repository: Repository, announcer: Announcer) -> JanusGroupMedia:
        desk = Desk(
            self.storage,
            repository,
            announcer,
            self.bus,
            self.now,
            self.node_id,
            self.settings.ice,
            renegotiate=lambda app_id, call_id, command: self.control.apply(app_id, call_id, command),
        )
        servers = [JanusBackend(one.url, one.api_secret, one.capacity) for one in self.settings.media_servers]
        shared = self.settings.redis_url is not None
        return JanusGroupMedia(servers, self.storage, self.bus, desk, self.node_id, shared=shared)

    async def _take_over(self, node: str) -> None:
        """That node is dead: what it had is the others'."""
        await self.sessions.take_over(node)
        if self.media_servers is not None:
            self.media_servers.take_over()

    async def health(self) -> HealthData:
        """Raises sqlalchemy.exc.SQLAlchemyError when the storage does not answer."""
        total, connected = await self.storage.read(session_rows.count)
        details: dict[str, Any] = {"sessions": total, "connected": connected}
        if self.nodes is not None:
            details |= {
                "node": self.node_id,
                "here": len(self.bus.connected),
                "redis": self.bus.problem or "ok",
            }
        if self.media_servers is not None:
            details["media_servers"] = self.media_servers.problems
        return HealthData(status="ok", version=self.version, details=details)

    async def _fire(self, timer: Timer) -> None:
        if timer.key.kind is TimerKind.RING:
            call_id, _, user_id = timer.key.key.partition("/")
            await self.control.ring_timeout(timer.key.app_id, call_id, user_id)
        else:
            await self.sessions.away_too_long(timer.key.app_id, timer.key.key)

    async def _keep_house(self) -> None:
        """What nobody else does: see the methods."""
        while not self._closing.is_set():
            try:
                async with asyncio.timeout(HOUSEKEEPING_S):
                    await self._closing.wait()
            except TimeoutError:
                pass
            try:
                await self.sessions.trim()
                await self.sessions.end_blocked()
                await self.look_after_connections()
            except (SQLAlchemyError, OSError, Conflict, CallAgentError):
                logger.exception("housekeeping failed; once more in %.0f s", HOUSEKEEPING_S)

    async def look_after_connections(self) -> None:
        """Let go of those whose session is no more or is elsewhere; have the others send what they missed."""
        here = self.bus.connected
        newest = await self.sessions.newest()
        self.bus.newest(newest)
        for key in here.keys() - newest.keys():
            gone = Bye(code=ErrorCode.NOT_LOGGED_IN, message="This session has ended")
            lives = await self.sessions.lives(key)
            # Not through the bus: the session may have come back on a newer connection.
            here[key].dismiss(None if lives else gone)

    def _was_forgotten(self) -> None:
        """The other nodes took this one's sessions to be away: their clients come back and resume."""
        for connection in self.bus.connected.values():
            connection.dismiss(None)


def _stopping() -> Bye:
    return Bye(code=ErrorCode.SERVICE_STOPPING, message="The service is stopping")
