# SPDX-License-Identifier: GPL-3.0-or-later
"""What one side writes the other must be able to read, absent fields included."""

from callagent.protocol import control, events, media, replies, requests
from callagent.protocol.base import Wire
from callagent.protocol.enums import MediaType


def _models() -> list[type[Wire]]:
    found = {
        value
        for module in (control, events, media, replies, requests)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Wire)
    }
    return sorted(found, key=lambda model: model.__name__)


def test_a_field_that_may_be_none_may_be_absent() -> None:
    """`Wire.wire` leaves out what is None: a field that is required all the same could not be read back."""
    for model in _models():
        for name, field in model.model_fields.items():
            if type(None) in getattr(field.annotation, "__args__", ()):
                assert not field.is_required(), f"{model.__name__}.{name}"


def test_a_ringing_call_in_a_login_reply_can_be_read() -> None:
    member = replies.MemberSnapshot(
        user_id="ben", status="ringing", audio_available=True, video_available=False
    )
    call = replies.CallSnapshot(
        call_id="46d5071b-73e2-456f-84c0-c4580c68024c",
        media_type=MediaType.VIDEO,
        caller_id="anna",
        room_id=7,
        user_data="",
        chat_group_id="",
        members=[member],
        epoch=0,
    )
    assert replies.CallSnapshot.model_validate(call.wire()) == call
