# SPDX-License-Identifier: Apache-2.0
"""The `data` of the service's replies, by request."""

from typing import Any

from callagent.protocol.base import Wire
from callagent.protocol.enums import CallResult, MediaType, Placement, RecentCallResult, UserStatus


class MemberSnapshot(Wire):
    user_id: str
    session_id: str | None = None
    """The session that connected; none while it rings."""
    status: str
    """`ringing` or `connected`."""
    audio_available: bool
    video_available: bool
    privacy: bool = False
    commands: list[str] = []


class CallSnapshot(Wire):
    """The call a user is in, as the service has it now."""

    call_id: str
    media_type: MediaType
    caller_id: str
    room_id: int | str
    user_data: str
    chat_group_id: str
    members: list[MemberSnapshot]
    epoch: int
    began_seconds_ago: float | None = None
    """None while nobody has accepted."""
    placement: Placement = Placement.P2P


class HelloData(Wire):
    session_id: str
    resume_token: str
    resumed: bool
    """True: the session goes on, missed events follow. False: a new session, in no call."""
    seq: int
    """The session's newest event: 0 in a new one; in a resumed one those after `lastSeq` up to it follow."""
    server_version: str
    server_time: int
    """Unix milliseconds."""
    nickname: str
    avatar: str
    ping_idle: float
    ping_call: float
    ping_reply: float
    session_silence: float
    call: CallSnapshot | None = None
    """The call this very session is connected in or rings for."""


class RefusedUser(Wire):
    """One of several who is not rung, and why."""

    user_id: str
    code: int
    message: str


class CallsData(Wire):
    call_id: str
    room_id: int | str
    timeout: int
    refused: list[RefusedUser] = []
    """Those of the list that cannot be called; the others are."""


class InviteData(Wire):
    invited: list[str]
    """Who is being rung now; not who was in the call already, or is busy."""
    refused: list[RefusedUser] = []


class JoinData(Wire):
    room_id: int | str
    media_type: MediaType


class UserInfo(Wire):
    user_id: str
    nickname: str
    avatar: str
    status: UserStatus
    in_call: bool
    platforms: list[str]


class UsersData(Wire):
    users: list[UserInfo]


class HistoryEntry(Wire):
    call_id: str
    inviter: str
    invite_list: list[str]
    media_type: MediaType
    result: RecentCallResult
    call_result: CallResult
    begin_time: float
    """Unix seconds of the invitation."""
    total_time: float
    """Seconds connected."""


class HistoryData(Wire):
    calls: list[HistoryEntry]


class UserSigData(Wire):
    """Answer of POST /v1/usersig."""

    sdk_app_id: int
    user_id: str
    user_sig: str
    expires_at: int
    """Unix seconds."""


class EnrolData(Wire):
    """Answer of POST /v1/devices/enrol."""

    sdk_app_id: int
    user_id: str
    device_key: str


class HealthData(Wire):
    """Answer of GET /healthz."""

    status: str
    version: str
    details: dict[str, Any]
