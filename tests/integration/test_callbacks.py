# SPDX-License-Identifier: GPL-3.0-or-later
"""Callbacks to a real back end that is there, away, slow, and back again."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from callagent.server.accounts import ADMINISTRATOR, DEFAULT_APP_ID
from callagent.server.callbacks.delivery import RETRIES_S
from callagent.server.service import CallService
from tests.covers import covers
from tests.unit.server.rest_client import BackEnd, Json
from tests.unit.server.rig import Client, FakeNow, Rig, fresh, running, until

START, MEMBERS, END = (f"Call.CallbackAfter{name}" for name in ("StartCall", "MemberChanged", "EndCall"))
PUSH = "Call.CallbackOfflinePush"
ALL = [START, MEMBERS, END]


class Receiver:
    """A back end: notes what it is sent, answers as it is told."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], Json]] = []
        self.status = 200
        self.gate = asyncio.Event()
        self.gate.set()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> "Receiver":
        app = web.Application()
        app.router.add_post("/hook", self._take)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/hook"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        await self.gate.wait()
        self.requests.append((dict(request.query), body))
        answer = {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0}
        return web.json_response(answer, status=self.status)

    @property
    def commands(self) -> list[str]:
        return [body["CallbackCommand"] for _, body in self.requests]


@pytest.fixture
def now() -> FakeNow:
    return FakeNow()


@pytest.fixture
async def rig(now: FakeNow) -> AsyncIterator[Rig]:
    async with fresh(now=now) as rig:
        yield rig


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


async def administrator(rig: Rig, http: aiohttp.ClientSession) -> BackEnd:
    return BackEnd(http, DEFAULT_APP_ID, ADMINISTRATOR, await rig.usersig(ADMINISTRATOR))


@pytest.fixture
async def back_end(rig: Rig) -> AsyncIterator[BackEnd]:
    async with aiohttp.ClientSession(rig.http) as http:
        yield await administrator(rig, http)


async def want(back_end: BackEnd, url: str, *commands: str) -> None:
    body = {"Url": url, "CallbackCommandList": list(commands or ALL)}
    await back_end.ok("call_config/set_callback", body)


async def one_call(anna: Client, ben: Client) -> str:
    call_id: str = (await anna.ok("calls", userIdList=["ben"], mediaType=2))["callId"]
    await ben.ok("accept", callId=call_id)
    await anna.ok("hangup", callId=call_id)
    return call_id


@covers(
    "callback:Call.CallbackAfterStartCall",
    "callback:Call.CallbackAfterEndCall",
    "callback:Call.CallbackAfterEndCall.CallRecord",
    "callback:Call.CallbackAfterMemberChanged",
    "callback-url:SdkAppid",
    "callback-url:CallbackCommand",
    "callback-url:ClientIP",
    "callback-url:OptPlatform",
)
async def test_a_call_is_told_from_start_to_end(rig: Rig, back_end: BackEnd, receiver: Receiver) -> None:
    await want(back_end, receiver.url)
    async with rig.login("anna", platform="linux") as anna, rig.login("ben") as ben:
        call_id = await one_call(anna, ben)
        await until(lambda: len(receiver.requests) == 4)
    assert receiver.commands == [START, MEMBERS, MEMBERS, END]
    query, start = receiver.requests[0]
    assert (query["SdkAppid"], query["CallbackCommand"]) == (str(DEFAULT_APP_ID), START)
    assert (query["ClientIP"], query["OptPlatform"]) == ("127.0.0.1", "linux")
    assert start["CallInfo"]["CallId"] == call_id
    record = await back_end.ok("call_record_http_srv/get_record_by_callid", {"CallId": call_id})
    assert receiver.requests[3][1]["CallRecord"] == record["Response"]["CallRecord"]
    assert len({query["EventId"] for query, _ in receiver.requests}) == 4


@covers(
    "param:offlinePushInfo",
    "param:offlinePushInfo.title",
    "param:offlinePushInfo.desc",
    "param:offlinePushInfo.isDisablePush",
)
async def test_the_back_end_hears_of_callees_whom_no_device_can_tell(
    rig: Rig, back_end: BackEnd, receiver: Receiver
) -> None:
    await want(back_end, receiver.url, PUSH)
    await rig.service.accounts.add_user(DEFAULT_APP_ID, "carl")
    info = {"title": "Ward 3", "desc": "Anna calls", "iOSSound": "ring.caf", "androidVIVOClassification": 1}
    fields: Json = {"mediaType": 2, "userData": "bed 7", "timeout": 40}
    async with rig.login("anna") as anna, rig.login("ben"):
        for callee in ("ben", "carl"):
            call = await anna.ok("calls", userIdList=[callee], offlinePushInfo=info, **fields)
            await anna.ok("hangup", callId=call["callId"])
        unwanted = {"isDisablePush": True}
        quiet = await anna.ok("calls", userIdList=["carl"], offlinePushInfo=unwanted, **fields)
        await anna.ok("hangup", callId=quiet["callId"])
        plain = await anna.ok("calls", userIdList=["carl"], mediaType=1)
        await until(lambda: len(receiver.requests) == 2)
    first, second = (body for _, body in receiver.requests)
    assert (first["Caller_Account"], first["To_Account"]) == ("anna", ["carl"])
    assert (first["CallInfo"]["CallId"], first["UserData"], first["Timeout"]) == (call["callId"], "bed 7", 40)
    assert first["OfflinePushInfo"] == info | {"isDisablePush": False}
    assert (second["CallInfo"]["CallId"], second["OfflinePushInfo"]) == (plain["callId"], {})


async def test_only_what_is_wanted_is_told(rig: Rig, back_end: BackEnd, receiver: Receiver) -> None:
    await want(back_end, receiver.url, END)
    async with rig.login("anna") as anna, rig.login("ben") as ben:
        await one_call(anna, ben)
        await until(lambda: len(receiver.requests) == 1)
        await want(back_end, receiver.url, START)
        await one_call(anna, ben)
        await until(lambda: len(receiver.requests) == 2)
    assert receiver.commands == [END, START]


async def test_a_back_end_that_fails_gets_all_of_it_in_order_later(
    rig: Rig, back_end: BackEnd, receiver: Receiver, now: FakeNow
) -> None:
    await want(back_end, receiver.url)
    receiver.status = 503
    async with rig.login("anna") as anna, rig.login("ben") as ben:
        await one_call(anna, ben)
        await until(lambda: len(receiver.requests) == 2)
    assert receiver.commands == [START, START], "the first retry comes at once, and nothing overtakes it"
    assert receiver.requests[0][0]["EventId"] == receiver.requests[1][0]["EventId"]
    receiver.status = 200
    now.at += 1
    rig.service.callbacks.wake()
    await until(lambda: len(receiver.requests) == 6)
    assert receiver.commands[2:] == [START, MEMBERS, MEMBERS, END]


async def test_a_dead_letter_holds_nobody_up_and_can_be_sent_again(
    rig: Rig, back_end: BackEnd, receiver: Receiver, now: FakeNow
) -> None:
    await want(back_end, receiver.url, START, END)
    receiver.status = 500
    async with rig.login("anna") as anna, rig.login("ben") as ben:
        await one_call(anna, ben)
        attempts = len(RETRIES_S) + 1

        def tried_enough() -> bool:
            # When a failure is stored decides when the next attempt is due: time must go on meanwhile.
            now.at += 0.2
            rig.service.callbacks.wake()
            return receiver.commands.count(END) >= attempts

        await until(tried_enough)
        assert receiver.commands.count(START) >= attempts
        receiver.status = 200
        sent = len(receiver.requests)
        found = await back_end.ok("call_config/redeliver_callback")
        assert found["Response"]["TotalNum"] >= 1
        await until(lambda: len(receiver.requests) >= sent + 2)
        assert {START, END} <= set(receiver.commands[sent:])
        assert (await back_end.ok("call_config/redeliver_callback"))["Response"]["TotalNum"] == 0


async def test_what_was_not_taken_survives_the_service(
    tmp_path: Path, receiver: Receiver, now: FakeNow
) -> None:
    url = f"sqlite:///{tmp_path / 'service.sqlite'}"
    receiver.gate.clear()
    async with fresh(url, now=now) as rig:
        async with aiohttp.ClientSession(rig.http) as http:
            await want(await administrator(rig, http), "http://127.0.0.1:9/nobody")
        async with rig.login("anna") as anna, rig.login("ben") as ben:
            call_id = await one_call(anna, ben)
    receiver.gate.set()
    service = await CallService.open(url, now=now)
    async with running(service) as rig:
        async with aiohttp.ClientSession(rig.http) as http:
            await want(await administrator(rig, http), receiver.url)
        now.at += 60
        service.callbacks.wake()
        await until(lambda: len(receiver.requests) == 4)
    assert receiver.commands == [START, MEMBERS, MEMBERS, END]
    assert receiver.requests[3][1]["CallRecord"]["CallId"] == call_id


@covers(
    "rest:get_callback",
    "rest:get_callback.Url",
    "rest:get_callback.CallbackCommandList",
    "rest:set_callback",
    "rest:delete_callback",
    "rest-code:100002",
    "rest-code:100301",
)
async def test_configuration(back_end: BackEnd) -> None:
    assert await back_end.code("call_config/get_callback") == 100301
    await want(back_end, "https://www.example.com/a", START)
    await want(back_end, "https://www.example.com/b", START, END)
    assert (await back_end.ok("call_config/get_callback"))["Response"] == {
        "Url": "https://www.example.com/b",
        "CallbackCommandList": [START, END],
    }
    await back_end.ok("call_config/delete_callback")
    assert await back_end.code("call_config/get_callback") == 100301
    for wrong in (
        {"Url": "ftp://x", "CallbackCommandList": [START]},
        {"Url": "https://", "CallbackCommandList": [START]},
        {"Url": "https://x", "CallbackCommandList": ["Call.Other"]},
        {"Url": "https://x"},
    ):
        assert await back_end.code("call_config/set_callback", wrong) == 100002
