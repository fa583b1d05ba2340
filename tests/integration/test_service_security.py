# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may what: policy, blocked users, limits, origins, proxies, and what never gets into a log."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import yaml
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from callagent.cli.logs import configure_logging
from callagent.config import parse_server_config
from callagent.config.log import LogConfig
from callagent.protocol.errors import ErrorCode
from callagent.server.accounts import ADMINISTRATOR, DEFAULT_APP_ID
from callagent.server.calls.policy import CallPolicy, CallRule
from callagent.server.ice import IceSettings, TurnServer
from callagent.server.limits import FAILED_LOGINS, LimitSettings
from callagent.server.serve import ServeHandle, running_service
from callagent.server.storage import devices
from tests.integration.conftest import Backing
from tests.unit.server.rest_client import BackEnd
from tests.unit.server.rig import Client, Rig, fresh, until

VIDEO = {"mediaType": 2}


@pytest.fixture
async def rig(backing: Backing) -> AsyncIterator[Rig]:
    async with backing.fresh() as rig:
        yield rig


async def back_end(rig: Rig, http: aiohttp.ClientSession) -> BackEnd:
    return BackEnd(http, DEFAULT_APP_ID, ADMINISTRATOR, await rig.usersig(ADMINISTRATOR))


async def in_a_call(rig: Rig, anna: Client, bea: Client) -> str:
    call_id = str((await anna.ok("calls", userIdList=["bea"], **VIDEO))["callId"])
    await bea.event("onCallReceived")
    await bea.ok("accept", callId=call_id)
    for client in (anna, bea):
        for name in ("onCallBegin", "onUserJoin", "onMediaPlan"):
            await client.event(name)
    return call_id


async def test_who_may_not_call_whom_is_told_who() -> None:
    rules = [CallRule(("kiosk-*",), ("desk",), allow=True), CallRule(("kiosk-*",), ("*",), allow=False)]
    async with (
        fresh(policy=CallPolicy(rules)) as rig,
        rig.login("kiosk-1") as kiosk,
        rig.login("desk") as desk,
        rig.login("kiosk-2"),
    ):
        refused = await kiosk.ask("calls", userIdList=["kiosk-2"], **VIDEO)
        assert (refused["code"], refused["field"]) == (90013, "userIdList.0")
        call_id = (await kiosk.ok("calls", userIdList=["desk"], **VIDEO))["callId"]
        await kiosk.ok("hangup", callId=call_id)
        await desk.ok("calls", userIdList=["kiosk-2"], **VIDEO)


async def test_a_blocked_user_leaves_its_call_and_does_not_come_back(rig: Rig) -> None:
    async with (
        rig.login("anna") as anna,
        rig.login("bea") as bea,
        aiohttp.ClientSession(rig.http) as http,
    ):
        await in_a_call(rig, anna, bea)
        rest = await back_end(rig, http)
        await rest.ok("im_open_login_svc/account_block", {"UserID": "bea", "Blocked": True})
        assert (await anna.event("onCallEnd"))["userId"] == "bea"
        assert (await bea.message("bye"))["code"] == 90012
        await bea.closed.wait()
        async with rig.connect() as again:
            sig = await rig.usersig("bea")
            assert (await again.hello("bea", sig, "bea-1", resume=bea.resume))["code"] == 90012
        refused = await anna.ask("calls", userIdList=["bea"], **VIDEO)
        assert (refused["code"], refused["field"]) == (90012, "userIdList.0")

        await rest.ok("im_open_login_svc/account_block", {"UserID": "bea", "Blocked": False})
        async with rig.login("bea") as bea:
            await anna.ok("calls", userIdList=["bea"], **VIDEO)
            await bea.event("onCallReceived")
        assert (
            await rest.code("im_open_login_svc/account_block", {"UserID": "no-one", "Blocked": True}) == 70107
        )


@pytest.mark.parametrize(("arguments", "code"), [(["block"], 90012), (["remove"], 90012)])
async def test_commands_beside_a_running_service_end_the_users_call(
    tmp_path: Path, arguments: list[str], code: int
) -> None:
    url = f"sqlite:///{tmp_path}/callagent.sqlite"
    config = tmp_path / "server.yaml"
    config.write_text(yaml.safe_dump({"storage": {"directory": str(tmp_path)}}))
    async with fresh(url) as rig, rig.login("anna") as anna, rig.login("bea") as bea:
        await in_a_call(rig, anna, bea)
        command = [sys.executable, "-m", "callagent", "account", *arguments, "bea", "-c", str(config)]
        running = asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, timeout=60)
        done = asyncio.create_task(running)
        assert (await anna.event("onCallEnd"))["userId"] == "bea"
        assert (await bea.message("bye"))["code"] == code
        await done


async def test_too_many_requests_and_calls_are_told() -> None:
    limits = LimitSettings(requests_per_s=10, calls_per_minute=60)
    async with fresh(limits=limits) as rig, rig.login("anna") as anna, rig.login("bea") as bea:
        codes = [await anna.code("getHistory", limit=number) for number in range(1, 61)]
        assert codes[:30] == [0] * 30
        assert 90014 in codes
        assert await anna.code("ping") == 0, "the session lives"
        assert await bea.code("getHistory") == 0, "another user"


async def test_calls_have_a_limit_of_their_own() -> None:
    async with fresh(limits=LimitSettings(calls_per_minute=1)) as rig, rig.login("anna") as anna:
        codes = [await anna.code("calls", userIdList=["nobody"], timeout=10 + n, **VIDEO) for n in range(11)]
        assert codes == [8021] * 10 + [90014]


async def test_who_guesses_is_slowed_down_and_nobody_else_of_that_address() -> None:
    async with fresh() as rig, aiohttp.ClientSession(rig.http) as http:
        codes = []
        for _ in range(FAILED_LOGINS + 1):
            async with rig.connect() as client:
                codes.append((await client.hello("anna", "guessed", "d1"))["code"])
                assert (await client.message("bye"))["code"] == codes[-1]
        assert codes == [ErrorCode.USERSIG_INVALID] * FAILED_LOGINS + [ErrorCode.TOO_MANY_REQUESTS]
        wrong = BackEnd(http, DEFAULT_APP_ID, ADMINISTRATOR, "guessed")
        assert await wrong.code("call_engine_http_srv/end_call", {"CallId": "x"}) == 60007
        right = await back_end(rig, http)
        assert await right.code("call_engine_http_srv/end_call", {"CallId": "x"}) == 101004
        async with rig.login("anna"):
            pass


async def test_too_many_connections_are_refused() -> None:
    async with fresh(limits=LimitSettings(connections_per_address=2)) as rig:
        async with rig.login("anna"), rig.login("bea"):
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"ws://127.0.0.1:{rig.port}/v1/signal")
            assert refused.value.response.status_code == 403

        async def free() -> bool:
            try:
                async with rig.login("anna"):
                    return True
            except InvalidStatus:
                return False

        await until(free)


async def test_pages_of_other_hosts_may_not_connect() -> None:
    async with fresh(origins=["https://intranet.example.org"]) as rig:
        url = f"ws://127.0.0.1:{rig.port}/v1/signal"
        for origin in (f"http://127.0.0.1:{rig.port}", "https://intranet.example.org"):
            async with connect(url, origin=origin):  # type: ignore[arg-type]
                pass
        for origin in ("https://evil.example", f"http://localhost:{rig.port}", "null"):
            with pytest.raises(InvalidStatus):
                await connect(url, origin=origin)  # type: ignore[arg-type]


async def _address_of(handle: ServeHandle, user_id: str) -> str:
    """Log in as a proxy's client; what the service takes for its address."""
    headers = {"X-Forwarded-For": "203.0.113.9"}
    sig = await handle.service.accounts.usersig(DEFAULT_APP_ID, user_id)
    async with aiohttp.ClientSession() as web:
        url = f"http://127.0.0.1:{handle.http_port}/v1/signal"
        async with web.ws_connect(url, headers=headers) as channel:
            hello = {"protocol": 1, "sdkAppId": DEFAULT_APP_ID, "userId": user_id, "userSig": sig}
            await channel.send_json({"type": "hello", "id": 1, "deviceId": "d1", **hello})
            assert (await channel.receive_json(timeout=20))["code"] == 0
        (device,) = await handle.service.storage.read(lambda c: devices.listed(c, DEFAULT_APP_ID, 0, 10))
    return device.address


@pytest.mark.parametrize(
    ("proxies", "address"), [([], "127.0.0.1"), (["127.0.0.0/8"], "203.0.113.9"), (["10.0.0.1"], "127.0.0.1")]
)
async def test_only_a_known_proxy_says_whose_connection_it_is(
    tmp_path: Path, proxies: list[str], address: str
) -> None:
    config = parse_server_config(
        {
            "listen": {"https": {"port": 0}, "http": {"port": 0}, "proxies": proxies},
            "storage": {"directory": str(tmp_path)},
        }
    )
    async with running_service(config) as handle:
        assert await _address_of(handle, "anna") == address


async def test_no_secret_gets_into_a_log(backing: Backing, caplog: pytest.LogCaptureFixture) -> None:
    """However much is logged; the tests' own clients are not the service's."""
    configure_logging(LogConfig(level="debug"))
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "websockets.client")
    shared = TurnServer("turn.example.org", "what the relay and the service share")
    fixed = {"urls": ["turn:10.0.0.1"], "username": "kiosk", "credential": "never changed"}
    async with backing.fresh(ice=IceSettings([fixed], [shared])) as rig:
        await _nothing_hidden_is_in(rig, caplog, shared.secret, fixed["credential"])


async def _nothing_hidden_is_in(rig: Rig, caplog: pytest.LogCaptureFixture, *hidden: object) -> None:
    secret = await rig.service.accounts.secret(DEFAULT_APP_ID)
    code = await rig.service.accounts.enrolment_code(DEFAULT_APP_ID, "kiosk")
    async with aiohttp.ClientSession(rig.http) as http:
        enrolment = {"code": code, "deviceId": "k1", "model": "m"}
        async with http.post("/v1/devices/enrol", json=enrolment) as reply:
            key = (await reply.json())["deviceKey"]
        async with http.post("/v1/usersig", json={"deviceKey": key}) as reply:
            ticket = (await reply.json())["userSig"]
        rest = await back_end(rig, http)
        assert await rest.code("call_engine_http_srv/end_call", {"CallId": "x"}) == 101004
        async with rig.login("anna") as anna, rig.login("bea") as bea:
            call_id = await in_a_call(rig, anna, bea)
            await anna.ok("renegotiate", callId=call_id, epoch=1)
            plan = await anna.event("onMediaPlan")
            passwords = [server["credential"] for server in plan["iceServers"]]
            assert len(passwords) == 2
            await anna.hello("anna", "forged", "x")
            tokens = [client.session["resumeToken"] for client in (anna, bea)]
    for each in (secret, code, key, ticket, rest.query["usersig"], *tokens, *passwords, *hidden):
        assert str(each) not in caplog.text
