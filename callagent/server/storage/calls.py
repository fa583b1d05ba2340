# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the live calls, of who is busy with them, and of the records that remain."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from callagent.server.calls.model import Call, CallRecord
from callagent.server.storage.tables import CallMemberRow, CallRecordRow, CallRow, UserBusyRow, table

_CALLS, _BUSY = table(CallRow).c, table(UserBusyRow).c
_THIS = (_CALLS.app_id == bindparam("app"), _CALLS.call_id == bindparam("call"))
_SAME = (*_THIS, _CALLS.version == bindparam("known"))
_LOAD = select(_CALLS.state, _CALLS.version).where(*_THIS)
_IN_ROOM = select(_CALLS.call_id).where(
    _CALLS.app_id == bindparam("app"), _CALLS.room_id == bindparam("room")
)
_BEGIN = insert(table(CallRow))
_CHANGE = update(table(CallRow)).where(*_SAME).values(version=bindparam("next"), state=bindparam("now"))
_END = delete(table(CallRow)).where(*_SAME)
_OF_USERS = (_BUSY.app_id == bindparam("app"), _BUSY.user_id.in_(bindparam("users", expanding=True)))
_BUSY_WITH = select(_BUSY.user_id, _BUSY.call_id).where(*_OF_USERS)
_TAKE = insert(table(UserBusyRow))
_FREE = delete(table(UserBusyRow)).where(*_OF_USERS, _BUSY.call_id == bindparam("call"))
_RECORD, _MEMBERS = insert(table(CallRecordRow)), insert(table(CallMemberRow))


@dataclass(frozen=True, slots=True)
class Versioned:
    call: Call
    version: int


def load(connection: Connection, app_id: int, call_id: str) -> Versioned | None:
    row = connection.execute(_LOAD, {"app": app_id, "call": call_id}).first()
    return Versioned(Call.model_validate(row.state), row.version) if row is not None else None


def in_room(connection: Connection, app_id: int, room_id: int | str) -> list[str]:
    """The ids of the live calls in this room."""
    return list(connection.execute(_IN_ROOM, {"app": app_id, "room": json.dumps(room_id)}).scalars())


def store(connection: Connection, before: Versioned | None, call: Call) -> bool:
    """Compare-and-set of the version; the row of a call that is over goes."""
    if before is None:
        if not call.over:
            row = {
                "app_id": call.app_id,
                "call_id": call.call_id,
                "room_id": json.dumps(call.room_id),
                "version": 1,
                "state": call.model_dump(mode="json"),
            }
            connection.execute(_BEGIN, row)
        return True
    same = {"app": call.app_id, "call": call.call_id, "known": before.version}
    if call.over:
        return connection.execute(_END, same).rowcount == 1
    change = same | {"next": before.version + 1, "now": call.model_dump(mode="json")}
    return connection.execute(_CHANGE, change).rowcount == 1


def busy_with(connection: Connection, app_id: int, user_ids: Iterable[str]) -> dict[str, str]:
    """The call each of the users is in, for those who are in one."""
    rows = connection.execute(_BUSY_WITH, {"app": app_id, "users": list(user_ids)})
    return {row.user_id: row.call_id for row in rows}


def change_busy(connection: Connection, before: Call | None, after: Call) -> frozenset[str]:
    """Take and free the users of the call; returns those it changed.

    Raises IntegrityError when another call has one of them.
    """
    was = before.busy_users() if before is not None else frozenset[str]()
    now = after.busy_users()
    if was - now:
        gone = {"app": after.app_id, "users": sorted(was - now), "call": after.call_id}
        connection.execute(_FREE, gone)
    if now - was:
        rows = [
            {"app_id": after.app_id, "user_id": user_id, "call_id": after.call_id}
            for user_id in sorted(now - was)
        ]
        connection.execute(_TAKE, rows)
    return was ^ now


def add_record(connection: Connection, record: CallRecord) -> None:
    values = record.model_dump(mode="json", exclude={"members", "room_id"})
    connection.execute(_RECORD, values | {"room_id": json.dumps(record.room_id)})
    rows = [
        member.model_dump(mode="json")
        | {
            "app_id": record.app_id,
            "call_id": record.call_id,
            "began_at": record.began_at,
            "position": position,
        }
        for position, member in enumerate(record.members)
    ]
    connection.execute(_MEMBERS, rows)
