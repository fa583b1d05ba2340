# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: a typed error each, and the connection and the running call are unharmed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from callagent.server.accounts import DEFAULT_APP_ID
from tests.covers import covers
from tests.unit.server.rig import Client, Json, Rig, fresh

GOOD: Json = {"userIdList": ["bea"], "mediaType": 2}


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with fresh() as rig:
        for user_id in ("bea", "carl", *(f"u{number}" for number in range(9))):
            await rig.service.accounts.add_user(DEFAULT_APP_ID, user_id)
        yield rig


@covers("code:-1202")
@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        ({"userIdList": []}, -1202, "userIdList"),
        ({"userIdList": ["bea", "no such id!"]}, -1202, "userIdList.1"),
        ({"userIdList": ["bea", ""]}, -1202, "userIdList.1"),
        ({"userIdList": ["bea", "anna"]}, -1202, "userIdList.1"),
        ({"userIdList": ["x" * 33]}, -1202, "userIdList.0"),
        ({"userIdList": ["bea", "\ud800"]}, -1202, "userIdList.1"),
        ({"userIdList": [f"u{number}" for number in range(9)]}, -1202, "userIdList"),
        ({"userIdList": ["stranger"]}, 8021, "userIdList.0"),
        ({"timeout": 9}, -1202, "timeout"),
        ({"timeout": 601}, -1202, "timeout"),
        ({"timeout": -1}, -1202, "timeout"),
        ({"timeout": 10**40}, -1202, "timeout"),
        ({"timeout": "soon"}, 90001, "timeout"),
        ({"mediaType": 3}, -1202, "mediaType"),
        ({"roomId": 2**31}, -1202, "roomId"),
        ({"roomId": "ä"}, -1202, "roomId"),
        ({"roomId": []}, 90001, "roomId"),
        ({"userData": "x" * 4097}, -1202, "userData"),
    ],
)
async def test_calls(rig: Rig, arguments: Json, code: int, field: str) -> None:
    async with rig.login("anna") as anna:
        reply = await anna.ask("calls", **(GOOD | arguments))
        assert (reply["code"], reply["field"]) == (code, field)
        assert reply["message"]
        assert (await anna.ok("calls", **(GOOD | {"timeout": 0})))["timeout"] == 30


@covers("code:6014")
async def test_everything_but_hello_comes_too_early(rig: Rig) -> None:
    async with rig.connect() as client:
        assert await client.code("ping") == 6014
        assert await client.code("calls", **GOOD) == 6014
        await client.login("anna", await rig.usersig("anna"), "d1")
        assert await client.code("ping") == 0


BAD_FRAMES: list[tuple[str | bytes, int]] = [
    ("", 90001),
    ("{", 90001),
    ("7", 90001),
    ("[]", 90001),
    ("[" * 50000, 90001),
    ('{"type": "ping"}', 90001),
    ('{"type": "ping", "id": 0}', 90001),
    ('{"type": "ping", "id": 1.5}', 90001),
    ('{"type": null}', 90001),
    ('{"type": "teleport"}', 90002),
    (json.dumps({"type": "calls", "id": 1, "userData": "x" * 66000}), 90003),
    (b"\x00\x01", 90001),
]


async def test_the_call_goes_on_whatever_comes(rig: Rig) -> None:
    async with AsyncExitStack() as stack:
        anna, bea = [await stack.enter_async_context(rig.login(user)) for user in ("anna", "bea")]
        call_id = await connect(anna, bea)
        for frame, code in BAD_FRAMES:
            await bea.socket.send(frame)
            assert (await bea.message("error"))["code"] == code, frame
        for kind, fields, code, field in (
            ("teleport", {}, 90002, "type"),
            ("accept", {}, 90001, "callId"),
            ("accept", {"callId": "x"}, 90001, "callId"),
            ("accept", {"callId": call_id}, 8010, "callId"),
            ("reject", {"callId": call_id}, 8010, "callId"),
            ("calls", {"userIdList": ["carl"], "mediaType": 2}, -1203, None),
            ("renegotiate", {"callId": call_id, "epoch": 0}, 90001, "epoch"),
            ("setTracks", {"callId": call_id, "audio": "loud"}, 90001, "audio"),
            ("media", {"to": bea.session_id, "media": {}}, 90001, "media.callId"),
            ("getUsers", {"userIds": ["a b"]}, 90001, "userIds.0"),
            ("getHistory", {"limit": 0}, 90001, "limit"),
            ("ping", {"ack": -1}, 90001, "ack"),
        ):
            reply = await bea.ask(kind, **fields)
            assert (reply["code"], reply.get("field")) == (code, field), kind
        assert await bea.code("renegotiate", callId=call_id, epoch=2**70) == 0
        assert (await bea.ok("getHistory", before=-1.0))["calls"] == []
        await anna.quiet()
        await bea.quiet()
        await anna.ok("hangup", callId=call_id)
        assert (await bea.event("onCallEnd"))["reason"] == 1


async def test_the_largest_message_is_taken(rig: Rig) -> None:
    async with rig.login("anna") as anna:
        frame = {"type": "ping", "id": 1000, "filler": ""}
        frame["filler"] = "x" * (65536 - len(json.dumps(frame)))
        await anna.socket.send(json.dumps(frame))
        assert (await anna.reply(1000))["code"] == 0


@covers("code:-1204")
async def test_a_request_that_is_still_running_is_not_run_twice(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, proceed = asyncio.Event(), asyncio.Event()
    invite = rig.service.control.invite

    async def slow(*args: object, **options: object) -> object:
        entered.set()
        await proceed.wait()
        return await invite(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(rig.service.control, "invite", slow)
    async with rig.login("anna") as anna:
        first = await anna.send("calls", **GOOD)
        await entered.wait()
        assert await anna.code("calls", **GOOD) == -1204
        assert await anna.code("ping") == 0
        proceed.set()
        assert (await anna.reply(first))["code"] == 0
        assert await anna.code("calls", **GOOD) == -1203


async def test_a_failing_storage_is_an_answer(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_args: object, **_options: object) -> None:
        raise OSError("disk gone")

    async with rig.login("anna") as anna:
        with monkeypatch.context() as patched:
            patched.setattr(rig.service.control, "invite", broken)
            assert await anna.code("calls", **GOOD) == 101001
        assert await anna.code("calls", **GOOD) == 0


async def connect(anna: Client, bea: Client) -> str:
    call_id: str = (await anna.ok("calls", **GOOD))["callId"]
    await bea.event("onCallReceived")
    await bea.ok("accept", callId=call_id)
    for client in (anna, bea):
        for name in ("onCallBegin", "onUserJoin", "onMediaPlan"):
            await client.event(name)
    return call_id
