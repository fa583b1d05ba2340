# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the devices that ever logged in."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from callagent.server.storage.sessions import NewSession
from callagent.server.storage.tables import DeviceRow, SessionRow


@dataclass(frozen=True, slots=True)
class KnownDevice:
    user_id: str
    device_id: str
    platform: str
    version: str
    """Of its software."""
    model: str
    address: str
    first_seen_at: float
    last_seen_at: float
    """Unix seconds of its login, or of the end of its session."""
    online: bool
    """It has a session."""


def listed(connection: Connection, app_id: int, skip: int, limit: int) -> list[KnownDevice]:
    """By user and device."""
    ours = (
        (SessionRow.app_id == DeviceRow.app_id)
        & (SessionRow.user_id == DeviceRow.user_id)
        & (SessionRow.device_id == DeviceRow.device_id)
    )
    query = (
        select(
            DeviceRow.user_id,
            DeviceRow.device_id,
            DeviceRow.platform,
            DeviceRow.version,
            DeviceRow.model,
            DeviceRow.address,
            DeviceRow.first_seen_at,
            DeviceRow.last_seen_at,
            SessionRow.session_id.is_not(None),
        )
        .join(SessionRow, ours, isouter=True)
        .where(DeviceRow.app_id == app_id)
        .order_by(DeviceRow.user_id, DeviceRow.device_id)
        .offset(skip)
        .limit(limit)
    )
    return [KnownDevice(*row) for row in connection.execute(query)]


def count(connection: Connection, app_id: int) -> int:
    query = select(func.count()).select_from(DeviceRow).where(DeviceRow.app_id == app_id)
    return connection.scalar(query) or 0


def logged_in(connection: Connection, new: NewSession, now: float) -> None:
    """Note what it says of itself. Raises IntegrityError when it logs in twice at once."""
    said = {
        "platform": new.platform,
        "version": new.version,
        "model": new.model,
        "address": new.address,
        "last_seen_at": now,
    }
    change = update(DeviceRow).where(*_is(new.key.app_id, new.user_id, new.device_id)).values(said)
    if connection.execute(change).rowcount == 0:
        row = {
            "app_id": new.key.app_id,
            "user_id": new.user_id,
            "device_id": new.device_id,
            "first_seen_at": now,
        }
        connection.execute(insert(DeviceRow).values(row | said))


def left(connection: Connection, app_id: int, session_id: str, now: float) -> None:
    """Its session, which is still there, ends."""
    ours = select(SessionRow.user_id, SessionRow.device_id).where(
        SessionRow.app_id == app_id, SessionRow.session_id == session_id
    )
    row = connection.execute(ours).first()
    if row is not None:
        of_device = _is(app_id, row.user_id, row.device_id)
        connection.execute(update(DeviceRow).where(*of_device).values(last_seen_at=now))


def _is(app_id: int, user_id: str, device_id: str) -> tuple[ColumnElement[bool], ...]:
    return DeviceRow.app_id == app_id, DeviceRow.user_id == user_id, DeviceRow.device_id == device_id
