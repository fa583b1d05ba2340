# SPDX-License-Identifier: GPL-3.0-or-later
"""Apps, users and their credentials: what the HTTP interface and the command line use."""

import logging
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Delete, Executable, Update, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.replies import EnrolData, UserSigData
from callagent.protocol.usersig import DEFAULT_EXPIRE_S, MAX_EXPIRE_S, make_usersig
from callagent.server.clock import Now
from callagent.server.credentials import hashed, new_enrolment_code, new_secret, new_token, typed_code
from callagent.server.storage.engine import Storage
from callagent.server.storage.tables import (
    AppRow,
    DeviceKeyRow,
    EnrolmentCodeRow,
    SessionRow,
    UserRow,
    table,
)

DEFAULT_APP_ID = 1400000001
ADMINISTRATOR = "administrator"
"""Of every app, with or without an account."""
MAX_ADMINS = 10
"""Of one app, that one included."""
DEVICE_USERSIG_EXPIRE_S = 24 * 3600
ENROLMENT_EXPIRE_S = 3600

_USER_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_SECRET = select(table(AppRow).c.secret).where(table(AppRow).c.app_id == bindparam("app"))
_MAX_TEXT = 500

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class App:
    app_id: int
    name: str
    multi_device: bool


@dataclass(frozen=True, slots=True)
class Account:
    user_id: str
    nickname: str
    avatar: str
    created_at: float
    """Unix seconds."""
    ever_logged_in: bool
    blocked: bool


class Accounts:
    """Works beside a running service on the same database: every call reads what is stored now.

    All methods raise CallAgentError: UNKNOWN_APP, PARAM_INVALID for a bad or unknown
    user, and what each names itself. Used on the event loop.
    """

    def __init__(self, storage: Storage, now: Now = time.time) -> None:
        self._storage = storage
        self._now = now

    @classmethod
    @asynccontextmanager
    async def open(cls, database_url: str) -> AsyncIterator["Accounts"]:
        """Only the accounts, for the command line: no timers, no sessions."""
        storage = await Storage.open(database_url)
        try:
            accounts = cls(storage)
            await accounts.ensure_default_app()
            yield accounts
        finally:
            await storage.close()

    async def ensure_default_app(self) -> None:
        """Create the one app with a random secret when there is none at all."""
        if await self.apps():
            return
        row = {"app_id": DEFAULT_APP_ID, "secret": new_secret(), "name": "default", "multi_device": True}
        try:
            await self._storage.write(lambda connection: connection.execute(insert(AppRow).values(row)))
        except IntegrityError:
            return  # another process was first
        logger.info("app %d created with a new secret", DEFAULT_APP_ID)

    async def apps(self) -> list[App]:
        query = select(AppRow.app_id, AppRow.name, AppRow.multi_device).order_by(AppRow.app_id)
        return [App(*row) for row in await self._all(query)]

    async def secret(self, app_id: int) -> str:
        """The app's secret key."""
        wanted = {"app": _storable(app_id)}
        secret: str | None = await self._storage.read(
            lambda connection: connection.execute(_SECRET, wanted).scalar_one_or_none(), short=True
        )
        if secret is None:
            raise _unknown_app()
        return secret

    async def set_multi_device(self, app_id: int, allowed: bool) -> None:
        """Whether a user may be logged in on several devices; takes effect at the next login."""
        change = update(AppRow).where(AppRow.app_id == _storable(app_id)).values(multi_device=allowed)
        if await self._changed(change) == 0:
            raise _unknown_app()

    async def add_user(self, app_id: int, user_id: str, nickname: str = "", avatar: str = "") -> None:
        """Create an account. Raises PARAM_INVALID when it exists or the id is not allowed."""
        _check_user_id(user_id)
        _check_text(nickname, "nickname")
        _check_text(avatar, "avatar")
        await self.secret(app_id)
        row = new_user(app_id, user_id, self._now()) | {"nickname": nickname, "avatar": avatar}
        try:
            await self._storage.write(lambda connection: connection.execute(insert(UserRow).values(row)))
        except IntegrityError as error:
            raise CallAgentError(
                ErrorCode.PARAM_INVALID, f"The user {user_id} exists already", "userId"
            ) from error

    async def users(self, app_id: int) -> list[Account]:
        await self.secret(app_id)
        columns = (
            UserRow.user_id,
            UserRow.nickname,
            UserRow.avatar,
            UserRow.created_at,
            UserRow.ever_logged_in,
            UserRow.blocked,
        )
        query = select(*columns).where(UserRow.app_id == app_id).order_by(UserRow.user_id)
        return [Account(*row) for row in await self._all(query)]

    async def put_user(self, app_id: int, user_id: str, nickname: str | None, avatar: str | None) -> None:
        """Create the account, or change what is given of the one there is."""
        _check_user_id(user_id)
        given = {"nickname": nickname, "avatar": avatar}
        values = {name: value for name, value in given.items() if value is not None}
        for name, value in values.items():
            _check_text(value, name)
        await self.secret(app_id)
        ours = (UserRow.app_id == app_id, UserRow.user_id == user_id)

        def work(connection: Connection) -> None:
            if connection.execute(select(UserRow.user_id).where(*ours)).first() is None:
                row = new_user(app_id, user_id, self._now()) | values
                connection.execute(insert(UserRow).values(row))
            elif values:
                connection.execute(update(UserRow).where(*ours).values(values))

        await self._storage.write(work)

    async def known(self, app_id: int, user_ids: Sequence[str]) -> set[str]:
        """Those that have an account."""
        query = select(UserRow.user_id).where(UserRow.app_id == app_id, UserRow.user_id.in_(user_ids))
        return {row.user_id for row in await self._all(query)}

    async def is_admin(self, app_id: int, user_id: str) -> bool:
        """Whether this user may sign REST requests."""
        return user_id == ADMINISTRATOR or user_id in await self.admins(app_id)

    async def admins(self, app_id: int) -> list[str]:
        """Beside `administrator`, which always is one and needs no account."""
        query = select(UserRow.user_id).where(UserRow.app_id == _storable(app_id), UserRow.is_admin)
        return [row.user_id for row in await self._all(query.order_by(UserRow.user_id))]

    async def set_admin(self, app_id: int, user_id: str, admin: bool) -> None:
        """Raises PARAM_INVALID when there would be more than ten."""
        if user_id == ADMINISTRATOR:
            raise CallAgentError(ErrorCode.PARAM_INVALID, f"{ADMINISTRATOR} always is one", "userId")
        others = [each for each in await self.admins(app_id) if each != user_id]
        if admin and len(others) + 1 >= MAX_ADMINS:
            raise CallAgentError(ErrorCode.PARAM_INVALID, f"At most {MAX_ADMINS} administrators", "userId")
        change = update(UserRow).where(UserRow.app_id == _storable(app_id), UserRow.user_id == user_id)
        if await self._changed(change.values(is_admin=admin)) == 0:
            raise _unknown_user(user_id)

    async def set_blocked(self, app_id: int, user_id: str, blocked: bool) -> None:
        """Whether the user may log in and be called. Raises PARAM_INVALID when there is no such user.

        A running service ends the user's sessions within seconds.
        """
        change = update(UserRow).where(UserRow.app_id == _storable(app_id), UserRow.user_id == user_id)
        if await self._changed(change.values(blocked=blocked)) == 0:
            raise _unknown_user(user_id)

    async def has_sessions(self, app_id: int, user_id: str) -> bool:
        query = select(SessionRow.session_id).where(
            SessionRow.app_id == _storable(app_id), SessionRow.user_id == user_id
        )
        return bool(await self._all(query.limit(1)))

    async def delete_user(self, app_id: int, user_id: str) -> None:
        """Remove the account, its device keys, codes and sessions; its call records stay.

        Sessions are to be ended before: `Sessions.end_all`, or blocking the user beside a service.
        """
        gone = delete(UserRow).where(UserRow.app_id == _storable(app_id), UserRow.user_id == user_id)
        if await self._changed(gone) == 0:
            raise _unknown_user(user_id)

    async def usersig(self, app_id: int, user_id: str, expire_s: int = DEFAULT_EXPIRE_S) -> str:
        """A login ticket; the user need not have an account yet."""
        _check_user_id(user_id)
        if not 1 <= expire_s <= MAX_EXPIRE_S:
            raise CallAgentError(
                ErrorCode.PARAM_INVALID, f"The lifetime must be 1 to {MAX_EXPIRE_S} seconds", "expire"
            )
        return make_usersig(app_id, await self.secret(app_id), user_id, expire_s, now=time.time())

    async def enrolment_code(self, app_id: int, user_id: str) -> str:
        """A code that works once within an hour; the account is created when there is none."""
        _check_user_id(user_id)
        await self.secret(app_id)
        code, now = new_enrolment_code(), self._now()

        def work(connection: Connection) -> None:
            known = select(UserRow.user_id).where(UserRow.app_id == app_id, UserRow.user_id == user_id)
            if connection.execute(known).first() is None:
                connection.execute(insert(UserRow).values(new_user(app_id, user_id, now)))
            old = EnrolmentCodeRow.expires_at < now - ENROLMENT_EXPIRE_S
            connection.execute(delete(EnrolmentCodeRow).where(old))
            connection.execute(
                insert(EnrolmentCodeRow).values(
                    app_id=app_id,
                    code_hash=hashed(code),
                    user_id=user_id,
                    expires_at=now + ENROLMENT_EXPIRE_S,
                )
            )

        await self._storage.write(work)
        return code

    async def enrol(self, code: str, device_id: str, model: str) -> EnrolData:
        """Exchange a code for a device key. Raises ENROLMENT_CODE_INVALID."""
        code_hash, device_key, now = hashed(typed_code(code)), new_token(), self._now()
        use = (
            update(EnrolmentCodeRow)
            .where(
                EnrolmentCodeRow.code_hash == code_hash,
                EnrolmentCodeRow.used_at.is_(None),
                EnrolmentCodeRow.expires_at > now,
            )
            .values(used_at=now)
            .returning(EnrolmentCodeRow.app_id, EnrolmentCodeRow.user_id)
        )

        def work(connection: Connection) -> tuple[int, str]:
            owner = connection.execute(use).first()
            if owner is None:
                raise CallAgentError(
                    ErrorCode.ENROLMENT_CODE_INVALID,
                    "The code is wrong, used already or over an hour old",
                    "code",
                )
            connection.execute(
                insert(DeviceKeyRow).values(
                    app_id=owner.app_id,
                    key_hash=hashed(device_key),
                    user_id=owner.user_id,
                    device_id=device_id,
                    model=model,
                    created_at=now,
                )
            )
            return owner.app_id, owner.user_id

        app_id, user_id = await self._storage.write(work)
        logger.info("device %s enrolled for user %s of app %d", device_id, user_id, app_id)
        return EnrolData(sdk_app_id=app_id, user_id=user_id, device_key=device_key)

    async def device_usersig(self, device_key: str) -> UserSigData:
        """A ticket of 24 hours for the owner of the key. Raises DEVICE_KEY_INVALID."""
        query = (
            select(DeviceKeyRow.app_id, DeviceKeyRow.user_id, AppRow.secret)
            .join(AppRow, AppRow.app_id == DeviceKeyRow.app_id)
            .where(DeviceKeyRow.key_hash == hashed(device_key))
        )
        owner = next(iter(await self._all(query)), None)
        if owner is None:
            raise CallAgentError(ErrorCode.DEVICE_KEY_INVALID, "The device key is not known", "deviceKey")
        app_id, user_id, secret = owner
        issued = int(time.time())
        return UserSigData(
            sdk_app_id=app_id,
            user_id=user_id,
            user_sig=make_usersig(app_id, secret, user_id, DEVICE_USERSIG_EXPIRE_S, now=issued),
            expires_at=issued + DEVICE_USERSIG_EXPIRE_S,
        )

    async def set_self_info(
        self, app_id: int, user_id: str, nickname: str | None, avatar: str | None
    ) -> None:
        """What a user changes of itself; None leaves as it is."""
        given = {"nickname": nickname, "avatar": avatar}
        values = {name: value for name, value in given.items() if value is not None}
        if not values:
            return
        change = update(UserRow).where(UserRow.app_id == app_id, UserRow.user_id == user_id).values(values)
        if await self._changed(change) == 0:
            raise _unknown_user(user_id)

    async def _all(self, query: Executable) -> Sequence[Any]:
        """The rows."""
        return await self._storage.read(lambda connection: connection.execute(query).all())

    async def _changed(self, change: Update | Delete) -> int:
        """How many rows."""
        return await self._storage.write(lambda connection: connection.execute(change).rowcount)


def new_user(app_id: int, user_id: str, now: float) -> dict[str, object]:
    """The row of an account that nobody has logged in to."""
    return {
        "app_id": app_id,
        "user_id": user_id,
        "nickname": "",
        "avatar": "",
        "created_at": now,
        "ever_logged_in": False,
        "last_status": "unlogined",
        "is_admin": False,
        "blocked": False,
        "profile": {},
    }


def _storable(app_id: int) -> int:
    """Databases have 64-bit integers; JSON has not."""
    if not 0 < app_id < 2**31:
        raise _unknown_app()
    return app_id


def _check_user_id(user_id: str) -> None:
    if _USER_ID.fullmatch(user_id) is None:
        raise CallAgentError(
            ErrorCode.PARAM_INVALID, "A user id is 1 to 32 of the characters A-Z a-z 0-9 _ -", "userId"
        )


def _check_text(text: str, field: str) -> None:
    if len(text) > _MAX_TEXT:
        raise CallAgentError(ErrorCode.PARAM_INVALID, f"At most {_MAX_TEXT} characters", field)


def _unknown_app() -> CallAgentError:
    return CallAgentError(ErrorCode.UNKNOWN_APP, "There is no such app", "sdkAppId")


def _unknown_user(user_id: str) -> CallAgentError:
    return CallAgentError(ErrorCode.PARAM_INVALID, f"There is no user {user_id}", "userId")
