# SPDX-License-Identifier: GPL-3.0-or-later
"""Where UserSigs come from: given, a file, the service's endpoint."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from callagent.call.credentials import DeviceKeyUserSig, FixedUserSig, UserSigFile
from callagent.protocol.errors import CallAgentError, ErrorCode
from tests.clock import HandClock


class Endpoint:
    """POST /v1/usersig as the service answers it, or not."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.status = 200
        self.lifetime_s = 86400.0
        self.server: TestServer | None = None

    async def issue(self, request: web.Request) -> web.Response:
        self.keys.append((await request.json())["deviceKey"])
        if self.status != 200:
            return web.json_response({"code": 90006, "message": "no"}, status=self.status)
        expires_at = int(time.time() + self.lifetime_s)
        ticket = {
            "sdkAppId": 1,
            "userId": "kiosk",
            "userSig": f"sig{len(self.keys)}",
            "expiresAt": expires_at,
        }
        return web.json_response(ticket)

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.port}"


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    made = Endpoint()
    app = web.Application()
    app.router.add_post("/v1/usersig", made.issue)
    made.server = TestServer(app)
    await made.server.start_server()
    yield made
    await made.server.close()


async def test_a_fixed_ticket() -> None:
    assert await FixedUserSig("abc").usersig(rejected=True) == "abc"


async def test_a_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "usersig"
    ticket = UserSigFile(path)
    with pytest.raises(CallAgentError, match="cannot be read"):
        await ticket.usersig()
    path.write_text("one\n")
    assert await ticket.usersig() == "one"
    path.write_text("two")
    assert await ticket.usersig() == "two"
    path.write_text(" ")
    with pytest.raises(CallAgentError, match="empty"):
        await ticket.usersig()
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(CallAgentError, match="cannot be read"):
        await ticket.usersig()


async def test_a_ticket_is_kept_for_half_its_life(endpoint: Endpoint) -> None:
    clock = HandClock(1000.0)
    ticket = DeviceKeyUserSig(endpoint.url, "key", clock=clock)
    assert await ticket.usersig() == "sig1"
    clock.seconds += 0.4 * 86400
    assert await ticket.usersig() == "sig1"
    clock.seconds += 0.2 * 86400
    assert await ticket.usersig() == "sig2"
    assert endpoint.keys == ["key", "key"]


async def test_a_rejected_ticket_is_fetched_anew(endpoint: Endpoint) -> None:
    ticket = DeviceKeyUserSig(endpoint.url, "key")
    assert await ticket.usersig() == "sig1"
    assert await ticket.usersig(rejected=True) == "sig2"


async def test_a_wrong_date_on_this_machine_does_no_harm(endpoint: Endpoint) -> None:
    clock = HandClock(1000.0)
    endpoint.lifetime_s = -1e6
    ticket = DeviceKeyUserSig(endpoint.url, "key", clock=clock)
    assert await ticket.usersig() == "sig1"
    clock.seconds += 40
    assert await ticket.usersig() == "sig2"


async def test_a_valid_ticket_helps_over_a_silent_endpoint(endpoint: Endpoint) -> None:
    clock = HandClock(1000.0)
    ticket = DeviceKeyUserSig(endpoint.url, "key", clock=clock)
    assert await ticket.usersig() == "sig1"
    endpoint.status = 500
    clock.seconds += 0.9 * 86400
    assert await ticket.usersig() == "sig1"
    clock.seconds += 0.2 * 86400
    with pytest.raises(CallAgentError) as failure:
        await ticket.usersig()
    assert failure.value.code is ErrorCode.SIGNALING_SEND_FAIL


async def test_an_unknown_key_and_no_service_are_told_apart(endpoint: Endpoint) -> None:
    url = endpoint.url
    endpoint.status = 403
    with pytest.raises(CallAgentError) as refused:
        await DeviceKeyUserSig(url, "key").usersig()
    assert refused.value.code is ErrorCode.DEVICE_KEY_INVALID
    assert endpoint.server is not None
    await endpoint.server.close()
    with pytest.raises(CallAgentError) as gone:
        await DeviceKeyUserSig(url, "key").usersig()
    assert gone.value.code is ErrorCode.SIGNALING_SEND_FAIL
