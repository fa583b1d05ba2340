# SPDX-License-Identifier: GPL-3.0-or-later
"""UserSigs against the public library tls-sig-api-v2, and against forgers."""

import base64
import json
import time
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from TLSSigAPIv2 import TLSSigAPIv2

from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.usersig import MAX_EXPIRE_S, MAX_LENGTH, make_usersig, verify_usersig

APP, SECRET = 1400000001, "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"
APPS = st.integers(1, 2**31 - 1)
USERS = st.from_regex(r"[A-Za-z0-9_-]{1,32}", fullmatch=True)
SECRETS = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)


def unpack(usersig: str) -> dict[str, Any]:
    packed = base64.b64decode(usersig.replace("*", "+").replace("-", "/").replace("_", "="))
    body: dict[str, Any] = json.loads(zlib.decompress(packed))
    return body


def pack(body: Any) -> str:
    packed = base64.b64encode(zlib.compress(json.dumps(body).encode())).decode()
    return packed.replace("+", "*").replace("/", "-").replace("=", "_")


def code_of(usersig: str, user_id: str = "kiosk", **options: Any) -> ErrorCode:
    try:
        verify_usersig(usersig, APP, SECRET, user_id, **options)
    except CallAgentError as error:
        return error.code
    return ErrorCode.OK


@given(APPS, SECRETS, USERS, st.integers(1, MAX_EXPIRE_S))
def test_theirs_are_accepted(app_id: int, secret: str, user_id: str, expire_s: int) -> None:
    ticket = verify_usersig(TLSSigAPIv2(app_id, secret).gen_sig(user_id, expire_s), app_id, secret, user_id)
    assert (ticket.app_id, ticket.user_id, ticket.expire_s) == (app_id, user_id, expire_s)
    assert abs(ticket.issued_at - time.time()) < 60


@given(st.binary(min_size=1, max_size=64), USERS)
def test_theirs_with_a_user_buffer_are_accepted(userbuf: bytes, user_id: str) -> None:
    theirs = TLSSigAPIv2(APP, SECRET).gen_sig_with_userbuf(user_id, 60, userbuf)
    assert verify_usersig(theirs, APP, SECRET, user_id).userbuf == userbuf


@given(APPS, SECRETS, USERS, st.integers(1, MAX_EXPIRE_S))
def test_ours_are_what_theirs_would_be(app_id: int, secret: str, user_id: str, expire_s: int) -> None:
    ours = unpack(make_usersig(app_id, secret, user_id, expire_s))
    library = TLSSigAPIv2(app_id, secret)
    expected = library._TLSSigAPIv2__hmacsha256(user_id, ours["TLS.time"], expire_s)
    assert ours.pop("TLS.sig") == expected.decode()
    assert ours == {
        "TLS.ver": "2.0",
        "TLS.identifier": user_id,
        "TLS.sdkappid": app_id,
        "TLS.expire": expire_s,
        "TLS.time": ours["TLS.time"],
    }


def test_expiry() -> None:
    ticket = make_usersig(APP, SECRET, "kiosk", 100, now=1000)
    assert code_of(ticket, now=1099.9) is ErrorCode.OK
    assert code_of(ticket, now=1100) is ErrorCode.USERSIG_EXPIRED


def test_another_users_apps_or_secrets() -> None:
    assert code_of(make_usersig(APP, SECRET, "kiosk"), "other") is ErrorCode.USERSIG_INVALID
    assert code_of(make_usersig(APP + 1, SECRET, "kiosk")) is ErrorCode.USERSIG_INVALID
    assert code_of(make_usersig(APP, SECRET[::-1], "kiosk")) is ErrorCode.USERSIG_INVALID


@given(st.sampled_from(["TLS.time", "TLS.expire", "TLS.userbuf", "TLS.sig"]), st.integers(1, 10**9))
def test_every_field_is_signed(field: str, more: int) -> None:
    body = unpack(make_usersig(APP, SECRET, "kiosk", 100, now=1000, userbuf=b"seat"))
    body[field] = body[field] + more if isinstance(body[field], int) else "AAAA" + body[field]
    assert code_of(pack(body), now=1000) is ErrorCode.USERSIG_INVALID


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=10),
    lambda inner: st.lists(inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from([*unpack(make_usersig(APP, SECRET, "kiosk"))]), ANYTHING))
def test_damaged_fields(changes: dict[str, Any]) -> None:
    good = unpack(make_usersig(APP, SECRET, "kiosk"))
    changed = {name: value for name, value in changes.items() if name != "TLS.ver" and value != good[name]}
    if changed:
        assert code_of(pack(good | changed)) is ErrorCode.USERSIG_INVALID


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: base64.b64encode(raw).decode()))
def test_any_text(text: str) -> None:
    assert code_of(text) is ErrorCode.USERSIG_INVALID


def test_a_lone_surrogate_and_a_bomb() -> None:
    body = unpack(make_usersig(APP, SECRET, "kiosk"))
    assert code_of(pack(body | {"TLS.sig": "\ud800"})) is ErrorCode.USERSIG_INVALID
    assert code_of(pack(body | {"TLS.filler": "0" * 10_000_000})[:MAX_LENGTH]) is ErrorCode.USERSIG_INVALID
    assert code_of("e" * (MAX_LENGTH + 1)) is ErrorCode.USERSIG_INVALID


@pytest.mark.parametrize("body", [[], 7, "x", None])
def test_no_object(body: object) -> None:
    assert code_of(pack(body)) is ErrorCode.USERSIG_INVALID
