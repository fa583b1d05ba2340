# SPDX-License-Identifier: GPL-3.0-or-later
"""What an account tells of itself, by tag (callkit-server 4.3)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from callagent.server.storage.engine import Storage
from callagent.server.storage.tables import UserRow

Value = str | int

MAX_BYTES = 500
_PREFIX = "Tag_Profile_IM_"
NICK, IMAGE = f"{_PREFIX}Nick", f"{_PREFIX}Image"
_OF_COLUMN = {NICK: "nickname", IMAGE: "avatar"}
_TEXTS = frozenset(
    {NICK, IMAGE}
    | {f"{_PREFIX}{name}" for name in ("Gender", "Location", "SelfSignature", "AllowType", "AdminForbidType")}
)
_NUMBERS = frozenset(f"{_PREFIX}{name}" for name in ("BirthDay", "Language", "MsgSettings", "Level", "Role"))
_CHOICES = {
    f"{_PREFIX}Gender": {"Gender_Type_Unknown", "Gender_Type_Female", "Gender_Type_Male"},
    f"{_PREFIX}AllowType": {
        "AllowType_Type_NeedConfirm",
        "AllowType_Type_AllowAny",
        "AllowType_Type_DenyAny",
    },
    f"{_PREFIX}AdminForbidType": {"AdminForbid_Type_None", "AdminForbid_Type_SendOut"},
}
_CUSTOM = re.compile(r"Tag_Profile_Custom_[A-Za-z]{1,8}")


class UnknownTag(ValueError):
    """Neither one of the standard tags nor `Tag_Profile_Custom_` and up to eight letters."""


class WrongType(ValueError):
    """Text where a number belongs, or the other way round."""


class WrongValue(ValueError):
    """None of those a standard tag takes."""


class TooLong(ValueError):
    """More than 500 bytes of UTF-8."""


def check(tag: str, value: Value) -> None:
    """Raises UnknownTag, WrongType, WrongValue, TooLong."""
    check_tag(tag)
    if tag in _NUMBERS and not isinstance(value, int):
        raise WrongType(f"{tag} is a number")
    if tag in _TEXTS and not isinstance(value, str):
        raise WrongType(f"{tag} is a string")
    if isinstance(value, int) and not 0 <= value < 2**32:
        raise WrongValue(f"{tag} is 0 to {2**32 - 1}")
    if isinstance(value, str) and len(value.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise TooLong(f"{tag} has more than {MAX_BYTES} bytes")
    if value != "" and value not in _CHOICES.get(tag, {value}):
        raise WrongValue(f"{tag} is one of {', '.join(sorted(_CHOICES[tag]))}")


def check_tag(tag: str) -> None:
    if tag not in _TEXTS | _NUMBERS and _CUSTOM.fullmatch(tag) is None:
        raise UnknownTag(f"There is no profile tag {tag}")


class Profiles:
    """Of all accounts. Used on the event loop."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def change(self, app_id: int, user_id: str, values: Mapping[str, Value]) -> bool:
        """Set what is given, all or nothing; False: there is no such account. Raises as `check`."""
        for tag, value in values.items():
            check(tag, value)
        columns: dict[str, Any] = {_OF_COLUMN[tag]: values[tag] for tag in values.keys() & _OF_COLUMN.keys()}
        others = {tag: value for tag, value in values.items() if tag not in _OF_COLUMN}
        ours = (UserRow.app_id == app_id, UserRow.user_id == user_id)

        def work(connection: Connection) -> bool:
            stored = connection.execute(select(UserRow.profile).where(*ours).with_for_update()).first()
            if stored is None:
                return False
            changed = columns | ({"profile": stored.profile | others} if others else {})
            if changed:
                connection.execute(update(UserRow).where(*ours).values(changed))
            return True

        return await self._storage.write(work)

    async def read(
        self, app_id: int, user_ids: Sequence[str], tags: Sequence[str]
    ) -> dict[str, dict[str, Value]]:
        """What each account has of these tags; accounts that do not exist are missing."""
        columns = (UserRow.user_id, UserRow.nickname, UserRow.avatar, UserRow.profile)
        query = select(*columns).where(UserRow.app_id == app_id, UserRow.user_id.in_(user_ids))
        rows = await self._storage.read(lambda connection: connection.execute(query).all())
        found: dict[str, dict[str, Value]] = {}
        for user_id, nickname, avatar, profile in rows:
            values = profile | {NICK: nickname, IMAGE: avatar}
            found[user_id] = {tag: values[tag] for tag in tags if tag in values}
        return found
