# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the live calls, of who is busy with them, and of the records that remain."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from callagent.server.calls.model import Call, CallRecord
from callagent.server.storage.tables import CallMemberRow, CallRecordRow, CallRow, UserBusyRow


@dataclass(frozen=True, slots=True)
class Versioned:
    call: Call
    version: int


async def load(connection: AsyncConnection, app_id: int, call_id: str) -> Versioned | None:
    query = select(CallRow.state, CallRow.version).where(CallRow.app_id == app_id, CallRow.call_id == call_id)
    row = (await connection.execute(query)).first()
    return Versioned(Call.model_validate(row.state), row.version) if row is not None else None


async def in_room(connection: AsyncConnection, app_id: int, room_id: int | str) -> list[str]:
    """The ids of the live calls in this room."""
    room = json.dumps(room_id)
    query = select(CallRow.call_id).where(CallRow.app_id == app_id, CallRow.room_id == room)
    return list((await connection.execute(query)).scalars())


async def store(connection: AsyncConnection, before: Versioned | None, call: Call) -> bool:
    """Compare-and-set of the version; the row of a call that is over goes."""
    state = call.model_dump(mode="json")
    if before is None:
        if not call.over:
            row = {
                "app_id": call.app_id,
                "call_id": call.call_id,
                "room_id": json.dumps(call.room_id),
                "version": 1,
                "state": state,
            }
            await connection.execute(insert(CallRow).values(row))
        return True
    same = (CallRow.app_id == call.app_id, CallRow.call_id == call.call_id, CallRow.version == before.version)
    if call.over:
        return (await connection.execute(delete(CallRow).where(*same))).rowcount == 1
    change = update(CallRow).where(*same).values(version=before.version + 1, state=state)
    return (await connection.execute(change)).rowcount == 1


async def busy_with(connection: AsyncConnection, app_id: int, user_ids: Iterable[str]) -> dict[str, str]:
    """The call each of the users is in, for those who are in one."""
    query = select(UserBusyRow.user_id, UserBusyRow.call_id).where(
        UserBusyRow.app_id == app_id, UserBusyRow.user_id.in_(list(user_ids))
    )
    return {row.user_id: row.call_id for row in await connection.execute(query)}


async def change_busy(connection: AsyncConnection, before: Call | None, after: Call) -> frozenset[str]:
    """Take and free the users of the call; returns those it changed.

    Raises IntegrityError when another call has one of them.
    """
    was = before.busy_users() if before is not None else frozenset[str]()
    now = after.busy_users()
    if was - now:
        free = delete(UserBusyRow).where(
            UserBusyRow.app_id == after.app_id,
            UserBusyRow.user_id.in_(sorted(was - now)),
            UserBusyRow.call_id == after.call_id,
        )
        await connection.execute(free)
    if now - was:
        rows = [
            {"app_id": after.app_id, "user_id": user_id, "call_id": after.call_id}
            for user_id in sorted(now - was)
        ]
        await connection.execute(insert(UserBusyRow), rows)
    return was ^ now


async def add_record(connection: AsyncConnection, record: CallRecord) -> None:
    values = record.model_dump(mode="json", exclude={"members", "room_id"})
    await connection.execute(insert(CallRecordRow).values(values | {"room_id": json.dumps(record.room_id)}))
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
    await connection.execute(insert(CallMemberRow), rows)
