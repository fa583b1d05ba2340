# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames from strangers: a request, or a typed answer; never another exception."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.protocol.errors import ErrorCode
from callagent.protocol.requests import MAX_MESSAGE_BYTES, REQUEST_TYPES, ProtocolError, Reply
from callagent.server.parsing import BadMessage, parse

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = [
    "id",
    "type",
    "userIdList",
    "mediaType",
    "timeout",
    "callId",
    "media",
    "to",
    "userId",
    "resume",
    "ack",
]


def refused(message: object) -> tuple[Reply | ProtocolError, ErrorCode, str | None]:
    text = message if isinstance(message, str) else json.dumps(message)
    with pytest.raises(BadMessage) as bad:
        parse(text)
    answer = bad.value.answer
    assert isinstance(answer, Reply | ProtocolError)
    return answer, ErrorCode(answer.code), answer.field


@given(st.text() | JSON_VALUES.map(json.dumps))
def test_any_text(text: str) -> None:
    try:
        parse(text)
    except BadMessage as bad:
        json.dumps(bad.answer.wire())


@given(
    st.sampled_from([*REQUEST_TYPES, "nonsense"]),
    st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES, max_size=6),
    st.integers(1, 2**53),
)
def test_any_request(kind: str, fields: dict[str, Any], number: int) -> None:
    answer = None
    try:
        request, _ = parse(json.dumps({**fields, "type": kind, "id": number}))
        assert (request.type, request.id) == (kind, number)
    except BadMessage as bad:
        answer = bad.answer
    assert answer is None or (isinstance(answer, Reply) and answer.id == number)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", ErrorCode.MALFORMED_MESSAGE),
        ("[1]", ErrorCode.MALFORMED_MESSAGE),
        ('{"type": "ping"}', ErrorCode.MALFORMED_MESSAGE),
        ('{"type": "ping", "id": true}', ErrorCode.MALFORMED_MESSAGE),
        ('{"type": "ping", "id": NaN}', ErrorCode.MALFORMED_MESSAGE),
        ('{"type": "ping", "id": 1' + "0" * 5000 + "}", ErrorCode.MALFORMED_MESSAGE),
        ("[" * 60000, ErrorCode.MALFORMED_MESSAGE),
        ('{"type": "teleport"}', ErrorCode.UNKNOWN_MESSAGE_TYPE),
        ('"' + "x" * MAX_MESSAGE_BYTES + '"', ErrorCode.MESSAGE_TOO_LARGE),
        ('"' + "é" * (MAX_MESSAGE_BYTES // 2) + '"', ErrorCode.MESSAGE_TOO_LARGE),
    ],
)
def test_without_a_usable_id(text: str, code: ErrorCode) -> None:
    answer, found, _ = refused(text)
    assert isinstance(answer, ProtocolError)
    assert found is code


CALLS: dict[str, Any] = {"type": "calls", "id": 4, "userIdList": ["b"], "mediaType": 2}


@pytest.mark.parametrize(
    ("message", "code", "field"),
    [
        ({"type": "teleport", "id": 4}, ErrorCode.UNKNOWN_MESSAGE_TYPE, "type"),
        ({"type": 7, "id": 4}, ErrorCode.MALFORMED_MESSAGE, "type"),
        ({"type": "accept", "id": 4}, ErrorCode.MALFORMED_MESSAGE, "callId"),
        ({"type": "ping", "id": 4, "ack": "x"}, ErrorCode.MALFORMED_MESSAGE, "ack"),
        (CALLS | {"mediaType": 7}, ErrorCode.PARAM_INVALID, "mediaType"),
        (CALLS | {"roomId": 0}, ErrorCode.PARAM_INVALID, "roomId"),
        (CALLS | {"roomId": "x" * 65}, ErrorCode.PARAM_INVALID, "roomId"),
        (CALLS | {"userData": "x" * 5000}, ErrorCode.PARAM_INVALID, "userData"),
        (CALLS | {"userIdList": "b"}, ErrorCode.MALFORMED_MESSAGE, "userIdList"),
        (CALLS | {"userIdList": ["b", 1]}, ErrorCode.MALFORMED_MESSAGE, "userIdList.1"),
        ({"type": "calls", "id": 4, "mediaType": 2}, ErrorCode.MALFORMED_MESSAGE, "userIdList"),
    ],
)
def test_with_an_id(message: dict[str, Any], code: ErrorCode, field: str) -> None:
    answer, found, where = refused(message)
    assert isinstance(answer, Reply)
    assert (answer.id, found, where) == (4, code, field)


def test_the_content_leaves_the_id_out() -> None:
    first = parse(json.dumps(CALLS))
    second = parse(json.dumps(CALLS | {"id": 5}))
    assert first[1] == second[1]
    assert (first[0].id, second[0].id) == (4, 5)
