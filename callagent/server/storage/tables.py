# SPDX-License-Identifier: GPL-3.0-or-later
"""Every table of the service, each keyed by app. Times are Unix seconds."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


def table(row: type["Base"]) -> Table:
    """Of a row's class, for statements that are made once and run often: their columns cost less."""
    found = row.__table__
    assert isinstance(found, Table)
    return found


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {float: Double, dict[str, Any]: JSON, list[str]: JSON}  # noqa: RUF012 (SQLAlchemy reads it as is)


def _of_user() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["app_id", "user_id"], ["users.app_id", "users.user_id"], ondelete="CASCADE")


class AppRow(Base):
    """One app: the owner of users and the secret that vouches for them."""

    __tablename__ = "apps"

    app_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    secret: Mapped[str]
    """In clear: UserSigs are checked and made with it."""
    name: Mapped[str]
    multi_device: Mapped[bool]


class UserRow(Base):
    __tablename__ = "users"

    app_id: Mapped[int] = mapped_column(ForeignKey("apps.app_id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(primary_key=True)
    nickname: Mapped[str]
    avatar: Mapped[str]
    created_at: Mapped[float]
    ever_logged_in: Mapped[bool]
    last_status: Mapped[str]
    """What the user is when no session of it is alive: `offline` or `unlogined`."""
    is_admin: Mapped[bool]
    """May sign REST requests."""
    blocked: Mapped[bool]
    """May not log in, and is not called."""
    profile: Mapped[dict[str, Any]]
    """By tag, but nickname and avatar."""


class SessionRow(Base):
    """A session that is connected or away; the row of an ended session is gone."""

    __tablename__ = "sessions"
    __table_args__ = (_of_user(), UniqueConstraint("app_id", "user_id", "device_id"))

    app_id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str]
    device_id: Mapped[str]
    token_hash: Mapped[str]
    platform: Mapped[str]
    version: Mapped[str]
    model: Mapped[str]
    address: Mapped[str]
    """Of the client, as of its last login."""
    opened_at: Mapped[float]
    node: Mapped[str]
    """Which node of the service has, or had, its connection."""
    connection: Mapped[int]
    """Counts the connections of this session; what an older one still does has no effect."""
    connected: Mapped[bool]
    away_since: Mapped[float | None]
    last_seq: Mapped[int]
    acked_seq: Mapped[int]
    """Events up to this one are forgotten; a resume from before it is impossible."""


class DeviceRow(Base):
    """A device that logged in at least once; what it said of itself at the last login."""

    __tablename__ = "devices"
    __table_args__ = (_of_user(),)

    app_id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(primary_key=True)
    device_id: Mapped[str] = mapped_column(primary_key=True)
    platform: Mapped[str]
    version: Mapped[str]
    model: Mapped[str]
    address: Mapped[str]
    first_seen_at: Mapped[float]
    last_seen_at: Mapped[float]
    """The login, or the end of the last session."""


class NodeRow(Base):
    """A node that shares this database with others, until one of them finds it dead."""

    __tablename__ = "nodes"

    node_id: Mapped[str] = mapped_column(primary_key=True)
    beat: Mapped[int]
    """Counts up while the node lives."""


class SessionEventRow(Base):
    """The durable event log of a session."""

    __tablename__ = "session_events"
    __table_args__ = (
        ForeignKeyConstraint(
            ["app_id", "session_id"], ["sessions.app_id", "sessions.session_id"], ondelete="CASCADE"
        ),
    )

    app_id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    event: Mapped[str]
    time_ms: Mapped[int] = mapped_column(BigInteger)
    data: Mapped[dict[str, Any]]


class DeviceKeyRow(Base):
    __tablename__ = "device_keys"
    __table_args__ = (_of_user(), UniqueConstraint("key_hash"))

    app_id: Mapped[int] = mapped_column(primary_key=True)
    key_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str]
    device_id: Mapped[str]
    model: Mapped[str]
    created_at: Mapped[float]


class EnrolmentCodeRow(Base):
    __tablename__ = "enrolment_codes"
    __table_args__ = (_of_user(), UniqueConstraint("code_hash"))

    app_id: Mapped[int] = mapped_column(primary_key=True)
    code_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str]
    expires_at: Mapped[float]
    used_at: Mapped[float | None]


class CallRow(Base):
    """A live call. `version` counts up with every change: the compare-and-set of the repository."""

    __tablename__ = "calls"
    __table_args__ = (Index(None, "app_id", "room_id"),)

    app_id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[str] = mapped_column(primary_key=True)
    room_id: Mapped[str]
    """JSON, so that 123 and "123" stay apart."""
    version: Mapped[int]
    state: Mapped[dict[str, Any]]


class MediaRoomRow(Base):
    """What an epoch of a call has on a media server. It goes only after that was given up there."""

    __tablename__ = "media_rooms"

    app_id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[str] = mapped_column(primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    node: Mapped[str]
    """The node of the service that looks after it; empty: whichever finds it."""
    server: Mapped[str]
    """The media server's URL."""
    seats: Mapped[int]
    """How many peer connections it has there."""
    views: Mapped[int]
    """Counts the changes of `media_views` of its call."""
    state: Mapped[dict[str, Any]]


class MediaViewRow(Base):
    """Which picture of a user a session wants; absent: the large one."""

    __tablename__ = "media_views"
    __table_args__ = (
        ForeignKeyConstraint(["app_id", "call_id"], ["calls.app_id", "calls.call_id"], ondelete="CASCADE"),
    )

    app_id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(primary_key=True)
    layer: Mapped[str]


class UserBusyRow(Base):
    """The one call a user is in: the primary key is what keeps it one."""

    __tablename__ = "user_busy"

    app_id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(primary_key=True)
    call_id: Mapped[str]


class TimerRow(Base):
    __tablename__ = "timers"
    __table_args__ = (Index(None, "due_at"),)

    app_id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[float]
    claimed_until: Mapped[float | None]
    """Some node is firing it until then; free again after."""


class CallRecordRow(Base):
    __tablename__ = "call_records"

    app_id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[str] = mapped_column(primary_key=True)
    caller_id: Mapped[str]
    media_type: Mapped[int]
    room_id: Mapped[str]
    """JSON, so that 123 and "123" stay apart."""
    user_data: Mapped[str]
    chat_group_id: Mapped[str]
    result: Mapped[str]
    end_reason: Mapped[int]
    ended_by: Mapped[str]
    """The user who caused the end; empty: the service."""
    began_at: Mapped[float]
    accepted_at: Mapped[float | None]
    ended_at: Mapped[float]
    total_s: Mapped[float]


class CallMemberRow(Base):
    """One member of a recorded call, the caller included."""

    __tablename__ = "call_members"
    __table_args__ = (
        ForeignKeyConstraint(
            ["app_id", "call_id"], ["call_records.app_id", "call_records.call_id"], ondelete="CASCADE"
        ),
        Index(None, "app_id", "user_id", "began_at"),
    )

    app_id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(primary_key=True)
    began_at: Mapped[float]
    """Of the call; here for the history's index."""
    position: Mapped[int]
    """0 the caller, then in the order of invitation."""
    status: Mapped[str]
    accepted_at: Mapped[float | None]
    ended_at: Mapped[float | None]
    total_s: Mapped[float]


class CallbackConfigRow(Base):
    """Where an app's back end wants to be told, and of what."""

    __tablename__ = "callback_configs"

    app_id: Mapped[int] = mapped_column(ForeignKey("apps.app_id", ondelete="CASCADE"), primary_key=True)
    url: Mapped[str]
    commands: Mapped[list[str]]


class CallbackRow(Base):
    """A callback the back end has not taken yet."""

    __tablename__ = "callbacks"
    __table_args__ = (Index(None, "app_id", "call_id", "seq"), Index(None, "due_at"))

    app_id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(primary_key=True)
    """The same in every attempt."""
    seq: Mapped[int]
    """The order among those that wait."""
    call_id: Mapped[str]
    command: Mapped[str]
    body: Mapped[str]
    """JSON, as it is sent."""
    address: Mapped[str]
    """Of the client that acted; empty: none did."""
    platform: Mapped[str]
    attempts: Mapped[int]
    due_at: Mapped[float]
    claimed_until: Mapped[float | None]
    """Some node is sending it until then; free again after."""
    first_failed_at: Mapped[float | None]
    dead: Mapped[bool]
    """It failed too often to hold up others; tried seldom, and one day no more."""
    last_error: Mapped[str]
