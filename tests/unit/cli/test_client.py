# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python client against a real server on a Unix socket."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from callagent.client import AgentClient, AgentUnreachable, default_socket_path
from callagent.protocol import control as api
from callagent.protocol.enums import MediaType
from callagent.protocol.errors import CallAgentError, ErrorCode
from tests.unit.cli.agent_server import (
    CALL_ID,
    DEVICES,
    EVENTS,
    HISTORY,
    STATS,
    STATUS,
    agent_server,
    not_now,
)


async def test_every_command(tmp_path: Path) -> None:
    async with agent_server(tmp_path / "s") as server, AgentClient(server.path) as agent:
        assert await agent.status() == STATUS
        assert await agent.devices() == DEVICES
        assert await agent.history(5) == HISTORY
        assert await agent.stats(0.5) == STATS
        assert (await agent.call(["alice"], MediaType.AUDIO, 20, "x")).call_id == CALL_ID
        assert (await agent.call(["bob"])).timeout == 30
        assert (await agent.answer()).call_id == CALL_ID
        assert (await agent.reject()).call_id == CALL_ID
        assert (await agent.hangup()).call_id == CALL_ID
        assert (await agent.set_microphone(False)).enabled is False
        assert (await agent.set_camera(True)).enabled is True
        assert set((await agent.openapi())["paths"]) == {operation.path for operation in api.OPERATIONS}
    assert server.asked == [
        (api.STATUS_PATH, {}),
        (api.DEVICES_PATH, {}),
        (api.HISTORY_PATH, {"limit": "5"}),
        (api.STATS_PATH, {"seconds": "0.5"}),
        (api.CALL_PATH, {"userIdList": ["alice"], "mediaType": 1, "timeout": 20, "userData": "x"}),
        (api.CALL_PATH, {"userIdList": ["bob"], "userData": ""}),
        (api.ANSWER_PATH, {}),
        (api.REJECT_PATH, {}),
        (api.HANGUP_PATH, {}),
        (api.MICROPHONE_PATH, {"enabled": False}),
        (api.CAMERA_PATH, {"enabled": True}),
    ]


async def test_events_begin_with_the_status_and_end_with_the_agent(tmp_path: Path) -> None:
    async with agent_server(tmp_path / "s") as server, AgentClient(server.path) as agent:
        assert [message async for message in agent.events()] == list(EVENTS)


async def test_leaving_the_events_early_closes_the_connection(tmp_path: Path) -> None:
    async with agent_server(tmp_path / "s") as server, AgentClient(server.path) as agent:
        events = agent.events()
        assert (await anext(events)).event == api.STATUS_EVENT
        await events.aclose()
        assert (await agent.status()).user_id == "lobby"


async def test_a_refusal_keeps_its_code_message_and_field(tmp_path: Path) -> None:
    async with agent_server(tmp_path / "s") as server, AgentClient(server.path) as agent:
        for code in (ErrorCode.REQUEST_REFUSED, ErrorCode.PARAM_INVALID, ErrorCode.SIGNALING_SEND_FAIL):
            server.refusal = not_now(code)
            with pytest.raises(CallAgentError) as caught:
                await agent.answer()
            assert (caught.value.code, caught.value.message) == (code, "There is no call to answer")
            assert caught.value.field == "callId"


@pytest.mark.parametrize(
    "answer",
    ["not json", "[]", '{"state": "dreaming"}', '{"code": "x"}'],
    ids=["text", "list", "value", "type"],
)
@pytest.mark.parametrize("status", [200, 500])
async def test_an_answer_that_is_none(tmp_path: Path, answer: str, status: int) -> None:
    async with agent_server(tmp_path / "s") as server, AgentClient(server.path) as agent:
        server.raw = web.Response(text=answer, status=status)
        with pytest.raises(CallAgentError) as caught:
            await agent.status()
        assert caught.value.code is ErrorCode.MALFORMED_MESSAGE


async def test_a_code_of_a_newer_agent(tmp_path: Path) -> None:
    async with agent_server(tmp_path / "s") as server, AgentClient(server.path) as agent:
        server.raw = web.json_response({"code": 99999, "message": "new"}, status=409)
        with pytest.raises(CallAgentError, match="new"):
            await agent.status()


async def test_nobody_listens(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    async with AgentClient(tmp_path / "none") as agent:
        with pytest.raises(AgentUnreachable, match=r"no agent listens on .*/none; is it running\?"):
            await agent.status()
        with pytest.raises(AgentUnreachable, match="no agent listens"):
            await anext(agent.events())
    async with agent_server(gone):
        pass
    gone.touch()
    async with AgentClient(gone) as agent:
        with pytest.raises(AgentUnreachable, match="no agent listens"):
            await agent.hangup()


async def test_an_agent_that_does_not_answer(tmp_path: Path) -> None:
    hung_up = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        writer.close()
        hung_up.set()

    server = await asyncio.start_unix_server(never, tmp_path / "s")
    async with server:
        async with AgentClient(tmp_path / "s", timeout_s=0.2) as agent:
            with pytest.raises(AgentUnreachable, match=r"did not answer within 0\.2 s"):
                await agent.status()
        await asyncio.wait_for(hung_up.wait(), 10)


async def test_it_must_be_opened_first(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await AgentClient(tmp_path / "s").status()


def test_where_the_agent_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("CALLAGENT_SOCKET", raising=False)
    monkeypatch.setattr("callagent.client.socket_path.SERVICE_SOCKET_PATH", str(tmp_path / "service.sock"))
    assert default_socket_path() == tmp_path / "callagent/agent.sock"
    (tmp_path / "service.sock").touch()
    assert default_socket_path() == tmp_path / "service.sock"
    monkeypatch.setenv("CALLAGENT_SOCKET", "/x/y")
    assert default_socket_path() == Path("/x/y")
    assert AgentClient().socket_path == Path("/x/y")
