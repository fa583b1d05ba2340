# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP interface, over real connections."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from callagent import __version__
from callagent.protocol.usersig import verify_usersig
from callagent.server.accounts import DEFAULT_APP_ID
from callagent.server.app import create_app
from callagent.server.service import CallService
from tests.unit.server.rig import FakeNow, Json, Rig, fresh, running


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with fresh(now=FakeNow()) as rig:
        yield rig


@pytest.fixture
async def http(rig: Rig) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(rig.http) as session:
        yield session


async def post(http: aiohttp.ClientSession, path: str, body: object) -> tuple[int, Json]:
    async with http.post(path, json=body) as response:
        return response.status, await response.json()


async def test_health(rig: Rig, http: aiohttp.ClientSession) -> None:
    async with rig.login("anna"), http.get("/healthz") as response:
        assert response.status == 200
        assert await response.json() == {
            "status": "ok",
            "version": __version__,
            "details": {"sessions": 1, "connected": 1},
        }


async def test_enrolment_to_login(rig: Rig, http: aiohttp.ClientSession) -> None:
    code = await rig.service.accounts.enrolment_code(DEFAULT_APP_ID, "kiosk")
    body = {"code": f" {code.lower()} ", "deviceId": "d1", "model": "M 1"}
    status, enrolled = await post(http, "/v1/devices/enrol", body)
    assert (status, enrolled["sdkAppId"], enrolled["userId"]) == (200, DEFAULT_APP_ID, "kiosk")
    status, again = await post(http, "/v1/devices/enrol", body)
    assert (status, again["code"], again["field"]) == (401, 90007, "code")

    status, ticket = await post(http, "/v1/usersig", {"deviceKey": enrolled["deviceKey"]})
    assert status == 200
    secret = await rig.service.accounts.secret(DEFAULT_APP_ID)
    claims = verify_usersig(ticket["userSig"], DEFAULT_APP_ID, secret, "kiosk")
    assert (claims.expire_s, claims.expires_at) == (86400, ticket["expiresAt"])
    async with rig.connect() as kiosk:
        await kiosk.login("kiosk", ticket["userSig"], "d1")


async def test_a_code_is_good_for_an_hour(rig: Rig, http: aiohttp.ClientSession) -> None:
    now = rig.service.now
    assert isinstance(now, FakeNow)
    code = await rig.service.accounts.enrolment_code(DEFAULT_APP_ID, "kiosk")
    now.at += 3600
    status, refused = await post(http, "/v1/devices/enrol", {"code": code, "deviceId": "d1"})
    assert (status, refused["code"]) == (401, 90007)


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "field"),
    [
        ("/v1/usersig", {"deviceKey": "wrong"}, 401, 90006, "deviceKey"),
        ("/v1/usersig", {}, 400, 90001, "deviceKey"),
        ("/v1/usersig", [], 400, 90001, None),
        ("/v1/devices/enrol", {"code": "x", "deviceId": "a b"}, 400, 90001, "deviceId"),
        ("/v1/devices/enrol", {"code": "x", "deviceId": "d"}, 401, 90007, "code"),
    ],
)
async def test_refusals(
    http: aiohttp.ClientSession, path: str, body: object, status: int, code: int, field: str | None
) -> None:
    found, answer = await post(http, path, body)
    assert (found, answer["code"], answer.get("field")) == (status, code, field)
    assert answer["message"]


async def test_no_json(http: aiohttp.ClientSession) -> None:
    async with http.post("/v1/usersig", data="{", headers={"Content-Type": "application/json"}) as response:
        assert response.status == 400
        assert (await response.json())["code"] == 90001


async def test_guessing_is_slowed_down(http: aiohttp.ClientSession) -> None:
    body = {"code": "AAAA-AAAA-AAAA", "deviceId": "d1"}
    statuses = [(await post(http, "/v1/devices/enrol", body))[0] for _ in range(12)]
    assert statuses[:10] == [401] * 10
    assert statuses[-1] == 429


async def test_the_pages(tmp_path: Path) -> None:
    for name in ("phone", "sdk"):
        (tmp_path / name).mkdir()
    (tmp_path / "phone" / "index.html").write_text("<p>phone")
    (tmp_path / "sdk" / "engine.js").write_text("export {};")
    service = await CallService.open("sqlite://")
    async with (
        running(service, create_app(service, tmp_path)) as rig,
        aiohttp.ClientSession(rig.http) as http,
    ):
        async with http.get("/") as response:
            assert (response.url.path, await response.text()) == ("/phone/", "<p>phone")
        async with http.get("/sdk/engine.js") as response:
            assert response.content_type in ("text/javascript", "application/javascript")
        async with http.get("/phone/../../service.py") as response:
            assert response.status == 404


async def test_pages_are_asked_for_every_time(http: aiohttp.ClientSession) -> None:
    """A browser that kept an old module beside a new one would break the phone after an upgrade."""
    for path in ("/phone/", "/sdk/index.js"):
        async with http.get(path) as response:
            assert (response.status, response.headers["Cache-Control"]) == (200, "no-cache")
