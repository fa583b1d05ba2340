# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of what calls have on media servers, and of what their sessions want to see there."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from callagent.server.calls.group_media import Layer
from callagent.server.storage.tables import CallRow, MediaRoomRow, MediaViewRow

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RoomKey:
    """One epoch of one call."""

    app_id: int
    call_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class StoredRoom:
    key: RoomKey
    node: str
    server: str
    state: Json


@dataclass(frozen=True, slots=True)
class Noted:
    """What a room was made from last; another one means that there is something to do."""

    call: int | None
    """The version of the call; None: it is over."""
    views: int


def add(connection: Connection, room: StoredRoom) -> None:
    """Raises IntegrityError when the epoch has a room already."""
    row = _key(room.key) | {
        "node": room.node,
        "server": room.server,
        "seats": 0,
        "views": 0,
        "state": room.state,
    }
    connection.execute(insert(MediaRoomRow).values(row))


def save(connection: Connection, key: RoomKey, node: str, seats: int, state: Json) -> bool:
    """False when another node has it."""
    change = update(MediaRoomRow).where(*_is(key), MediaRoomRow.node == node)
    return connection.execute(change.values(seats=seats, state=state)).rowcount == 1


def remove(connection: Connection, key: RoomKey, node: str) -> bool:
    """False when another node has it."""
    return connection.execute(delete(MediaRoomRow).where(*_is(key), MediaRoomRow.node == node)).rowcount == 1


def load(connection: Connection, key: RoomKey) -> StoredRoom | None:
    return next(iter(_select(connection, *_is(key))), None)


def take_unowned(connection: Connection, node: str, alive: Iterable[str]) -> list[StoredRoom]:
    """What nodes had that are not alive belongs to this one now; two that ask at once share it out."""
    taken = []
    for room in _select(connection, MediaRoomRow.node.not_in({node, *alive})):
        change = update(MediaRoomRow).where(*_is(room.key), MediaRoomRow.node == room.node)
        if connection.execute(change.values(node=node)).rowcount == 1:
            taken.append(room)
    return taken


def release(connection: Connection, node: str) -> None:
    """Whoever finds them has this node's rooms."""
    connection.execute(update(MediaRoomRow).where(MediaRoomRow.node == node).values(node=""))


def noted(connection: Connection, node: str) -> dict[RoomKey, Noted]:
    """Of the rooms of this node."""
    of_call = (CallRow.app_id == MediaRoomRow.app_id) & (CallRow.call_id == MediaRoomRow.call_id)
    query = (
        select(
            MediaRoomRow.app_id,
            MediaRoomRow.call_id,
            MediaRoomRow.epoch,
            CallRow.version,
            MediaRoomRow.views,
        )
        .join(CallRow, of_call, isouter=True)
        .where(MediaRoomRow.node == node)
    )
    return {
        RoomKey(row.app_id, row.call_id, row.epoch): Noted(row.version, row.views)
        for row in connection.execute(query)
    }


def seats(connection: Connection) -> dict[str, int]:
    """How many each media server has."""
    query = select(MediaRoomRow.server, func.sum(MediaRoomRow.seats)).group_by(MediaRoomRow.server)
    return {server: int(count) for server, count in connection.execute(query)}


def on_server(connection: Connection, server: str) -> list[RoomKey]:
    return [room.key for room in _select(connection, MediaRoomRow.server == server)]


def set_view(
    connection: Connection, app_id: int, call_id: str, session_id: str, user_id: str, layer: Layer
) -> None:
    """Raises IntegrityError when the call is over."""
    ours = (
        MediaViewRow.app_id == app_id,
        MediaViewRow.call_id == call_id,
        MediaViewRow.session_id == session_id,
        MediaViewRow.user_id == user_id,
    )
    if connection.execute(update(MediaViewRow).where(*ours).values(layer=layer)).rowcount == 0:
        row = {"app_id": app_id, "call_id": call_id, "session_id": session_id, "user_id": user_id}
        connection.execute(insert(MediaViewRow).values(row | {"layer": layer}))
    of_call = (MediaRoomRow.app_id == app_id, MediaRoomRow.call_id == call_id)
    connection.execute(update(MediaRoomRow).where(*of_call).values(views=MediaRoomRow.views + 1))


def views(connection: Connection, app_id: int, call_id: str) -> dict[tuple[str, str], Layer]:
    """By session and user."""
    query = select(MediaViewRow.session_id, MediaViewRow.user_id, MediaViewRow.layer).where(
        MediaViewRow.app_id == app_id, MediaViewRow.call_id == call_id
    )
    rows = connection.execute(query)
    return {(row.session_id, row.user_id): cast(Layer, row.layer) for row in rows}


def _key(key: RoomKey) -> Json:
    return {"app_id": key.app_id, "call_id": key.call_id, "epoch": key.epoch}


def _is(key: RoomKey) -> tuple[ColumnElement[bool], ...]:
    return (
        MediaRoomRow.app_id == key.app_id,
        MediaRoomRow.call_id == key.call_id,
        MediaRoomRow.epoch == key.epoch,
    )


def _select(connection: Connection, *where: ColumnElement[bool]) -> list[StoredRoom]:
    query = select(
        MediaRoomRow.app_id,
        MediaRoomRow.call_id,
        MediaRoomRow.epoch,
        MediaRoomRow.node,
        MediaRoomRow.server,
        MediaRoomRow.state,
    ).where(*where)
    return [_stored(row) for row in connection.execute(query)]


def _stored(row: Row[Any]) -> StoredRoom:
    return StoredRoom(RoomKey(row.app_id, row.call_id, row.epoch), row.node, row.server, row.state)
