# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts, credentials and the small things around them."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.usersig import verify_usersig
from callagent.server.accounts import ADMINISTRATOR, DEFAULT_APP_ID, MAX_ADMINS, Accounts
from callagent.server.credentials import new_enrolment_code, typed_code
from callagent.server.rate_limit import MAX_CLIENTS, RateLimit


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/service.db"


@pytest.fixture
async def accounts(url: str) -> AsyncIterator[Accounts]:
    async with Accounts.open(url) as accounts:
        yield accounts


def everything_in(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.iterdir())


async def refused(doing: object) -> tuple[ErrorCode, str | None]:
    with pytest.raises(CallAgentError) as error:
        await doing  # type: ignore[misc]
    return error.value.code, error.value.field


async def test_the_default_app_is_made_once(url: str) -> None:
    async with Accounts.open(url) as first:
        secret = await first.secret(DEFAULT_APP_ID)
        (app,) = await first.apps()
    assert len(secret) == 64
    assert (app.app_id, app.multi_device) == (DEFAULT_APP_ID, True)
    async with Accounts.open(url) as second:
        assert await second.secret(DEFAULT_APP_ID) == secret


async def test_users(accounts: Accounts) -> None:
    await accounts.add_user(DEFAULT_APP_ID, "kiosk", "Front door")
    (user,) = await accounts.users(DEFAULT_APP_ID)
    assert (user.user_id, user.nickname, user.ever_logged_in) == ("kiosk", "Front door", False)
    assert await refused(accounts.add_user(DEFAULT_APP_ID, "kiosk")) == (ErrorCode.PARAM_INVALID, "userId")
    for wrong in ("", "a b", "x" * 33, "ä", "kiosk\n"):
        assert await refused(accounts.add_user(DEFAULT_APP_ID, wrong)) == (ErrorCode.PARAM_INVALID, "userId")
    long = accounts.add_user(DEFAULT_APP_ID, "long", "x" * 501)
    assert await refused(long) == (ErrorCode.PARAM_INVALID, "nickname")
    await accounts.delete_user(DEFAULT_APP_ID, "kiosk")
    assert await accounts.users(DEFAULT_APP_ID) == []
    assert await refused(accounts.delete_user(DEFAULT_APP_ID, "kiosk")) == (ErrorCode.PARAM_INVALID, "userId")


async def test_administrators(accounts: Accounts) -> None:
    assert await accounts.is_admin(DEFAULT_APP_ID, ADMINISTRATOR), "without an account"
    for number in range(MAX_ADMINS):
        await accounts.add_user(DEFAULT_APP_ID, f"admin{number}")
    for number in range(MAX_ADMINS - 1):
        await accounts.set_admin(DEFAULT_APP_ID, f"admin{number}", True)
        await accounts.set_admin(DEFAULT_APP_ID, f"admin{number}", True)
    for user in (f"admin{MAX_ADMINS - 1}", ADMINISTRATOR, "nobody"):
        code, field = await refused(accounts.set_admin(DEFAULT_APP_ID, user, True))
        assert (code, field) == (ErrorCode.PARAM_INVALID, "userId")
    await accounts.set_admin(DEFAULT_APP_ID, "admin0", False)
    assert await accounts.admins(DEFAULT_APP_ID) == [f"admin{n}" for n in range(1, MAX_ADMINS - 1)]
    assert not await accounts.is_admin(DEFAULT_APP_ID, "admin0")
    assert not await accounts.is_admin(DEFAULT_APP_ID + 1, "admin1")


async def test_unknown_apps(accounts: Accounts) -> None:
    for app_id in (7, -1, 2**80):
        for doing in (
            accounts.users(app_id),
            accounts.add_user(app_id, "kiosk"),
            accounts.usersig(app_id, "kiosk"),
            accounts.enrolment_code(app_id, "kiosk"),
            accounts.set_multi_device(app_id, True),
        ):
            assert (await refused(doing))[0] is ErrorCode.UNKNOWN_APP


async def test_usersigs(accounts: Accounts) -> None:
    ticket = await accounts.usersig(DEFAULT_APP_ID, "kiosk", 60)
    secret = await accounts.secret(DEFAULT_APP_ID)
    assert verify_usersig(ticket, DEFAULT_APP_ID, secret, "kiosk").expire_s == 60
    assert await refused(accounts.usersig(DEFAULT_APP_ID, "kiosk", 0)) == (ErrorCode.PARAM_INVALID, "expire")


async def test_a_removed_users_device_key_is_dead(accounts: Accounts) -> None:
    code = await accounts.enrolment_code(DEFAULT_APP_ID, "kiosk")
    enrolled = await accounts.enrol(code, "d1", "")
    assert (await accounts.device_usersig(enrolled.device_key)).user_id == "kiosk"
    await accounts.delete_user(DEFAULT_APP_ID, "kiosk")
    gone = await refused(accounts.device_usersig(enrolled.device_key))
    assert gone == (ErrorCode.DEVICE_KEY_INVALID, "deviceKey")


async def test_secrets_are_neither_stored_nor_logged(
    tmp_path: Path, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with Accounts.open(url) as accounts:
            secret = await accounts.secret(DEFAULT_APP_ID)
            code = await accounts.enrolment_code(DEFAULT_APP_ID, "kiosk")
            key = (await accounts.enrol(code, "d1", "")).device_key
    content = everything_in(tmp_path)
    assert secret.encode() in content
    assert code.encode() not in content
    assert key.encode() not in content
    ours = "".join(record.getMessage() for record in caplog.records if record.name.startswith("callagent"))
    assert "enrolled" in ours
    for hidden in (secret, code, key):
        assert hidden not in ours


def test_codes_as_people_type_them() -> None:
    code = new_enrolment_code()
    for typed in (code, code.lower(), code.replace("-", ""), f" {code.replace('-', ' ')} "):
        assert typed_code(typed) == code


def test_rate_limit() -> None:
    limit = RateLimit(burst=3, per_s=0.5)
    assert [limit.allows("a", 0.0) for _ in range(5)] == [True, True, True, False, False]
    assert limit.allows("b", 0.0)
    assert [limit.allows("a", 2.0) for _ in range(2)] == [True, False]
    assert [limit.allows("a", 1000.0) for _ in range(4)] == [True, True, True, False]
    for number in range(MAX_CLIENTS):
        limit.allows(str(number), 1000.0)
    assert limit.allows("a", 1000.0)
