# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls and records as REST and callbacks show them (callkit-server 5.3, 5.5, 6)."""

from typing import Literal

from pydantic import Field

from callagent.protocol.enums import CallResult, MediaType
from callagent.server.calls.model import ALIVE, Call, CallRecord, MemberStatus
from callagent.server.calls.records import CallType
from callagent.server.rest.contract import Rest

MediaTypeName = Literal["Audio", "Video"]
NUMERIC_ROOM, STRING_ROOM = 1, 2


class CallUser(Rest):
    user_account: str = Field(alias="User_Account")
    status: Literal["Calling", "Waiting"]


class CallInfo(Rest):
    call_id: str
    media_type: MediaTypeName
    chat_group_id: str
    room_id: str
    room_id_type: int
    """1: a number, 2: a string."""


class RestRecord(Rest):
    call_id: str
    caller_account: str = Field(alias="Caller_Account")
    media_type: MediaTypeName
    call_type: CallType
    start_time: int
    """Unix seconds: the invitation."""
    end_time: int
    accept_time: int
    """0: nobody accepted."""
    call_result: CallResult
    end_reason: int
    """Ours: the reason the clients were told, 0 to 9."""
    callee_list_account: list[str] = Field(alias="CalleeList_Account")
    """All members, the caller first."""
    room_id: str
    room_id_type: int


def call_info(call: Call) -> CallInfo:
    room_id, room_id_type = _room(call.room_id)
    return CallInfo(
        call_id=call.call_id,
        media_type=_media_type(call.media_type),
        chat_group_id=call.chat_group_id,
        room_id=room_id,
        room_id_type=room_id_type,
    )


def call_users(call: Call) -> list[CallUser]:
    """Who is in it or being rung. The caller is in it from the start."""
    return [
        CallUser(
            user_account=member.user_id,
            status="Waiting" if member.status is MemberStatus.RINGING else "Calling",
        )
        for member in call.with_status(*ALIVE)
    ]


def rest_record(record: CallRecord) -> RestRecord:
    room_id, room_id_type = _room(record.room_id)
    return RestRecord(
        call_id=record.call_id,
        caller_account=record.caller_id,
        media_type=_media_type(record.media_type),
        call_type="MultiCall" if len(record.members) > 2 else "SingleCall",
        start_time=int(record.began_at),
        end_time=int(record.ended_at),
        accept_time=int(record.accepted_at or 0),
        call_result=record.result,
        end_reason=int(record.end_reason),
        callee_list_account=[member.user_id for member in record.members],
        room_id=room_id,
        room_id_type=room_id_type,
    )


def _media_type(media_type: MediaType) -> MediaTypeName:
    return "Video" if media_type is MediaType.VIDEO else "Audio"


def _room(room_id: int | str) -> tuple[str, int]:
    return str(room_id), NUMERIC_ROOM if isinstance(room_id, int) else STRING_ROOM
