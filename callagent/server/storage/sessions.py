# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the live sessions."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select, update

from callagent.protocol.enums import UserStatus
from callagent.server.storage.event_log import SessionKey
from callagent.server.storage.tables import SessionRow, UserRow, table

_SESSIONS = table(SessionRow).c
_IDS = select(_SESSIONS.user_id, _SESSIONS.session_id).where(_SESSIONS.app_id == bindparam("app"))
# Not OR: for that SQLite looks through all sessions of the app.
_IDS_OF = _IDS.where(_SESSIONS.user_id.in_(bindparam("users", expanding=True))).union(
    _IDS.where(_SESSIONS.session_id == bindparam("session"))
)


@dataclass(frozen=True, slots=True)
class StoredSession:
    key: SessionKey
    user_id: str
    device_id: str
    token_hash: str
    platform: str
    opened_at: float
    connection: int
    connected: bool
    away_since: float | None
    last_seq: int
    acked_seq: int


@dataclass(frozen=True, slots=True)
class NewSession:
    key: SessionKey
    user_id: str
    device_id: str
    token_hash: str
    platform: str
    version: str
    model: str
    address: str = ""
    """Of the client; empty: not known."""
    node: str = ""
    """Which node of the service has its connection."""


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """Ends a session if it still has this connection (and, with `only_away`, is away)."""

    key: SessionKey
    user_id: str
    connection: int
    last_status: UserStatus
    """What the user is when this was its last session."""
    only_away: bool = False


def load(connection: Connection, key: SessionKey) -> StoredSession | None:
    return next(iter(_select(connection, *_is(key))), None)


def of_user(connection: Connection, app_id: int, user_id: str) -> list[StoredSession]:
    """Oldest first."""
    return _select(connection, SessionRow.app_id == app_id, SessionRow.user_id == user_id)


def ids_of(
    connection: Connection, app_id: int, user_ids: set[str], session_id: str | None
) -> list[tuple[str, str]]:
    """Of these users and, if it is there, this one: pairs of user and session."""
    rows = connection.execute(_IDS_OF, {"app": app_id, "users": list(user_ids), "session": session_id})
    return [(user_id, found) for user_id, found in rows]


def add(connection: Connection, new: NewSession, now: float) -> None:
    """Raises IntegrityError when the device has a session already."""
    connection.execute(
        insert(SessionRow).values(
            app_id=new.key.app_id,
            session_id=new.key.session_id,
            user_id=new.user_id,
            device_id=new.device_id,
            token_hash=new.token_hash,
            platform=new.platform,
            version=new.version,
            model=new.model,
            address=new.address,
            node=new.node,
            opened_at=now,
            connection=1,
            connected=True,
            away_since=None,
            last_seq=0,
            acked_seq=0,
        )
    )


def reconnect(connection: Connection, key: SessionKey, address: str, node: str) -> int:
    """The session is connected anew; returns the number of the connection, 0 when it is gone."""
    change = (
        update(SessionRow)
        .where(*_is(key))
        .values(
            connection=SessionRow.connection + 1,
            connected=True,
            away_since=None,
            address=address,
            node=node,
        )
        .returning(SessionRow.connection)
    )
    return connection.execute(change).scalar_one_or_none() or 0


def set_away(connection: Connection, key: SessionKey, number: int, now: float) -> bool:
    """Connection `number` is lost; False when a newer one took over or the session ended."""
    change = (
        update(SessionRow)
        .where(*_is(key), SessionRow.connection == number)
        .values(connected=False, away_since=now)
    )
    return connection.execute(change).rowcount == 1


def set_all_away(connection: Connection, now: float, node: str | None = None) -> list[SessionKey]:
    """Nobody has the connections of this node any more (None: of any); the sessions that are away now."""
    of_node = [] if node is None else [SessionRow.node == node, SessionRow.connected.is_(True)]
    change = (
        update(SessionRow)
        .where(*of_node)
        .values(connected=False, away_since=now)
        .returning(SessionRow.app_id, SessionRow.session_id)
    )
    return [SessionKey(row.app_id, row.session_id) for row in connection.execute(change)]


def blocked_users(connection: Connection) -> list[tuple[int, str]]:
    """App and id of users that are blocked and have a session."""
    ours = (UserRow.app_id == SessionRow.app_id) & (UserRow.user_id == SessionRow.user_id)
    query = select(UserRow.app_id, UserRow.user_id).join(SessionRow, ours).where(UserRow.blocked.is_(True))
    return [(row.app_id, row.user_id) for row in connection.execute(query.distinct())]


def newest_on(connection: Connection, node: str) -> dict[SessionKey, int]:
    """The sessions connected to this node, and the number of each one's last event."""
    query = select(SessionRow.app_id, SessionRow.session_id, SessionRow.last_seq).where(
        SessionRow.node == node, SessionRow.connected.is_(True)
    )
    rows = connection.execute(query)
    return {SessionKey(row.app_id, row.session_id): row.last_seq for row in rows}


def remove(connection: Connection, end: SessionEnd) -> bool:
    """False when the session is gone already or connected again."""
    conditions = [*_is(end.key), SessionRow.connection == end.connection]
    if end.only_away:
        conditions.append(SessionRow.connected.is_(False))
    if connection.execute(delete(SessionRow).where(*conditions)).rowcount != 1:
        return False
    connection.execute(
        update(UserRow)
        .where(UserRow.app_id == end.key.app_id, UserRow.user_id == end.user_id)
        .values(last_status=end.last_status.value)
    )
    return True


def count(connection: Connection) -> tuple[int, int]:
    """How many sessions live, and how many of them are connected."""
    total = connection.scalar(select(func.count()).select_from(SessionRow))
    live = select(func.count()).select_from(SessionRow).where(SessionRow.connected.is_(True))
    return total or 0, connection.scalar(live) or 0


def _is(key: SessionKey) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return SessionRow.app_id == key.app_id, SessionRow.session_id == key.session_id


def _select(connection: Connection, *where: ColumnElement[bool]) -> list[StoredSession]:
    query = (
        select(
            SessionRow.app_id,
            SessionRow.session_id,
            SessionRow.user_id,
            SessionRow.device_id,
            SessionRow.token_hash,
            SessionRow.platform,
            SessionRow.opened_at,
            SessionRow.connection,
            SessionRow.connected,
            SessionRow.away_since,
            SessionRow.last_seq,
            SessionRow.acked_seq,
        )
        .where(*where)
        .order_by(SessionRow.opened_at, SessionRow.session_id)
    )
    rows = connection.execute(query)
    return [StoredSession(SessionKey(app_id, session_id), *rest) for app_id, session_id, *rest in rows]
