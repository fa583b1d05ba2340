# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is there, and telling those who want to know."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

from sqlalchemy import ColumnElement, Connection, select
from sqlalchemy.exc import SQLAlchemyError

from callagent.protocol.enums import UserStatus
from callagent.protocol.events import PresenceChange
from callagent.protocol.replies import UserInfo
from callagent.server.bus import Bus
from callagent.server.storage.engine import Storage
from callagent.server.storage.event_log import SessionKey
from callagent.server.storage.tables import SessionRow, UserBusyRow, UserRow

logger = logging.getLogger(__name__)


class Presence(Protocol):
    """Used on the event loop. Heartbeats never reach the database; a session's begin and end do."""

    def watch(self, session: SessionKey) -> None:
        """Tell this session of every change in its app from now on."""
        ...

    def unwatch(self, session: SessionKey) -> None: ...

    async def users(self, app_id: int, user_ids: Iterable[str] | None) -> list[UserInfo]:
        """All accounts of the app, or those named (UNKNOWN where there is none), by id."""
        ...

    def changed(self, app_id: int, user_ids: Iterable[str]) -> None:
        """Something about these users changed: who watches is told soon."""
        ...


class StoredPresence:
    """Read from the stored sessions; the watchers are those connected to this node."""

    def __init__(self, storage: Storage, bus: Bus) -> None:
        self._storage = storage
        self._bus = bus
        self._watchers: set[SessionKey] = set()
        self._pending: dict[int, set[str]] = {}
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._bus.hear_presence(self._heard)
        self._task = asyncio.create_task(self._run(), name="presence")

    async def close(self) -> None:
        if self._task is not None:
            self._closing = True
            self._wake.set()
            await self._task
            self._task = None

    def watch(self, session: SessionKey) -> None:
        self._watchers.add(session)

    def unwatch(self, session: SessionKey) -> None:
        self._watchers.discard(session)

    async def users(self, app_id: int, user_ids: Iterable[str] | None) -> list[UserInfo]:
        wanted = None if user_ids is None else list(dict.fromkeys(user_ids))
        known = await self._storage.read(lambda connection: _read(connection, app_id, wanted))
        if wanted is None:
            return list(known.values())
        return [known.get(user_id) or _unknown(user_id) for user_id in wanted]

    def changed(self, app_id: int, user_ids: Iterable[str]) -> None:
        users = set(user_ids)
        self._bus.presence_changed(app_id, users)
        self._heard(app_id, users)

    def _heard(self, app_id: int, user_ids: Iterable[str]) -> None:
        if any(session.app_id == app_id for session in self._watchers):
            self._pending.setdefault(app_id, set()).update(user_ids)
            self._wake.set()

    async def _run(self) -> None:
        while not self._closing:
            await self._wake.wait()
            self._wake.clear()
            while self._pending:
                app_id, user_ids = self._pending.popitem()
                try:
                    await self._tell(app_id, user_ids)
                except SQLAlchemyError:
                    logger.exception("presence of %d users not told", len(user_ids))

    async def _tell(self, app_id: int, user_ids: set[str]) -> None:
        for user in await self.users(app_id, user_ids):
            change = PresenceChange(
                user_id=user.user_id, nickname=user.nickname, status=user.status, in_call=user.in_call
            )
            for session in [watcher for watcher in self._watchers if watcher.app_id == app_id]:
                await self._bus.signal(session, change)


def _read(connection: Connection, app_id: int, wanted: list[str] | None) -> dict[str, UserInfo]:
    def those(table: type[UserRow | SessionRow | UserBusyRow]) -> list[ColumnElement[bool]]:
        named = [] if wanted is None else [table.user_id.in_(wanted)]
        return [table.app_id == app_id, *named]

    users = connection.execute(
        select(UserRow.user_id, UserRow.nickname, UserRow.avatar, UserRow.last_status)
        .where(*those(UserRow))
        .order_by(UserRow.user_id)
    )
    sessions = connection.execute(select(SessionRow.user_id, SessionRow.platform).where(*those(SessionRow)))
    platforms: dict[str, set[str]] = {}
    for user_id, platform in sessions:
        platforms.setdefault(user_id, set()).add(platform)
    busy = set(connection.scalars(select(UserBusyRow.user_id).where(*those(UserBusyRow))))
    return {
        user_id: UserInfo(
            user_id=user_id,
            nickname=nickname,
            avatar=avatar,
            status=UserStatus.ONLINE if user_id in platforms else UserStatus(last_status),
            in_call=user_id in busy,
            platforms=sorted(platforms.get(user_id, ())),
        )
        for user_id, nickname, avatar, last_status in users
    }


def _unknown(user_id: str) -> UserInfo:
    return UserInfo(
        user_id=user_id, nickname="", avatar="", status=UserStatus.UNKNOWN, in_call=False, platforms=[]
    )
