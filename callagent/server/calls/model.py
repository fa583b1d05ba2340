# SPDX-License-Identifier: GPL-3.0-or-later
"""A live call as it is stored. Times are Unix seconds of the service's clock."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from callagent.protocol.enums import CallEndReason, CallResult, MediaType, MemberKind, Placement


class MemberStatus(StrEnum):
    CALLING = "calling"
    """The caller, until somebody accepts."""
    RINGING = "ringing"
    CONNECTED = "connected"
    REJECTED = "rejected"
    NO_RESPONSE = "no_response"
    BUSY = "busy"
    CANCELED = "canceled"
    """The call ended before this member answered."""
    LEFT = "left"


PRESENT = frozenset({MemberStatus.CALLING, MemberStatus.CONNECTED})
ALIVE = PRESENT | {MemberStatus.RINGING}


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True)


class Member(_Stored):
    user_id: str
    kind: MemberKind = MemberKind.USER
    status: MemberStatus
    session_id: str | None = None
    """The session that calls or is connected."""
    rings_until: float | None = None
    began_at: float | None = None
    """When it connected (the caller: at the first accept)."""
    ended_at: float | None = None
    audio: bool = False
    video: bool = False
    privacy: bool = False
    remote_commands: tuple[str, ...] = ()
    """What the others may ask this member's device to do."""
    sfu: bool = False
    """Its session can use a media server."""
    invited_by: str = ""
    """Who had it rung for the running call, itself if it joined; empty: of the first invitation."""
    inviter_name: str = ""
    earlier_s: float = 0.0
    """How long it was connected before it left and came again."""
    first_began_at: float | None = None
    """When it connected for the first time, if it came again."""

    def first_began(self) -> float | None:
        return self.began_at if self.first_began_at is None else self.first_began_at

    def connected_s(self, now: float | None = None) -> float:
        """All its stays together; `now` for one that lasts."""
        end = self.ended_at if self.ended_at is not None else now
        if self.began_at is None or end is None:
            return self.earlier_s
        return self.earlier_s + max(0.0, end - self.began_at)


class Call(_Stored):
    app_id: int
    call_id: str
    room_id: int | str
    media_type: MediaType
    caller_id: str
    caller_name: str
    user_data: str
    chat_group_id: str
    invited_at: float
    accepted_at: float | None = None
    """The first accept."""
    epoch: int = 0
    """0 until media is planned for the first time."""
    placement: Placement = Placement.P2P
    """Of the present epoch."""
    members: dict[str, Member]
    """By user id: the caller, then in the order of invitation."""
    over: bool = False

    @property
    def callees(self) -> list[str]:
        return [user_id for user_id in self.members if user_id != self.caller_id]

    def with_status(self, *statuses: MemberStatus) -> list[Member]:
        return [member for member in self.members.values() if member.status in statuses]

    def busy_users(self) -> frozenset[str]:
        """Whom this call keeps from being in another."""
        return frozenset(m.user_id for m in self.members.values() if m.status in ALIVE)

    def ring_deadlines(self) -> dict[str, float]:
        """Until when each ringing member rings."""
        return {
            m.user_id: m.rings_until
            for m in self.with_status(MemberStatus.RINGING)
            if m.rings_until is not None
        }


class MemberRecord(_Stored):
    user_id: str
    status: MemberStatus
    accepted_at: float | None
    ended_at: float | None
    total_s: float


class CallRecord(_Stored):
    """What remains of a call. Written once, with its end."""

    app_id: int
    call_id: str
    caller_id: str
    media_type: MediaType
    room_id: int | str
    user_data: str
    chat_group_id: str
    result: CallResult
    end_reason: CallEndReason
    ended_by: str
    """The user who caused the end; empty: the service."""
    began_at: float
    """The invitation."""
    accepted_at: float | None
    ended_at: float
    total_s: float
    """From the first accept to the end."""
    members: tuple[MemberRecord, ...]
