# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to the agent: the real control server, a link on its own thread."""

import asyncio
import queue
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from callagent.agent.control import Controlled, ControlServer
from callagent.protocol import control as api
from callagent.protocol.enums import CallState
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.screen.agent_link import AgentLink, Command, Gone, Heard, Offered, Refused, Told
from tests.unit.screen.agents import CONNECTED, IDLE, event

DEADLINE_S = 10.0


class Agent:
    """Answers with what it is given; remembers what it was asked."""

    def __init__(self) -> None:
        self.present = IDLE
        self.asked: list[str] = []
        self.refusal: CallAgentError | None = None
        self.statuses = 0
        self.held: asyncio.Event | None = None

    def __getattr__(self, name: str) -> Any:
        """What the server wants of an agent beside what a screen asks."""

        async def refuse(*_: object) -> None:
            raise CallAgentError(ErrorCode.REQUEST_REFUSED, f"no {name} here")

        return refuse

    async def status(self) -> api.StatusData:
        self.statuses += 1
        return self.present

    async def call(self, request: api.CallRequest) -> api.CallStartedData:
        await self._asked(f"call {','.join(request.user_id_list)}")
        return api.CallStartedData(call_id="c", timeout=30)

    async def answer(self) -> api.CommandData:
        await self._asked("answer")
        return api.CommandData()

    async def set_microphone(self, enabled: bool) -> api.ToggleData:
        await self._asked(f"microphone {enabled}")
        return api.ToggleData(enabled=enabled)

    async def set_volume(self, request: api.VolumeRequest) -> api.VolumeData:
        await self._asked(f"volume {request.step}")
        return api.VolumeData(volume=50)

    async def _asked(self, what: str) -> None:
        self.asked.append(what)
        if self.held is not None:
            await self.held.wait()
        if self.refusal is not None:
            raise self.refusal


@asynccontextmanager
async def serving(agent: Agent, path: Path) -> AsyncIterator[ControlServer]:
    server = ControlServer(cast("Controlled", agent), path)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


class Ears:
    """What a link told, waited for with a deadline."""

    def __init__(self, path: Path) -> None:
        self._told: queue.Queue[Told] = queue.Queue()
        self.link = AgentLink(self._told.put, path)

    async def until(self, wanted: Callable[[Told], bool]) -> Told:
        while True:
            told = await asyncio.to_thread(self._told.get, True, DEADLINE_S)
            if wanted(told):
                return told

    async def until_state(self, state: CallState) -> None:
        await self.until(
            lambda told: (
                isinstance(told, Heard)
                and told.message.event == api.STATUS_EVENT
                and told.message.data["state"] == state
            )
        )


@pytest.fixture
def ears(tmp_path: Path) -> Iterator[Ears]:
    ears = Ears(tmp_path / "agent.sock")
    ears.link.start()
    yield ears
    ears.link.close()


async def test_status_comes_first_and_again_after_events(ears: Ears, tmp_path: Path) -> None:
    agent = Agent()
    async with serving(agent, tmp_path / "agent.sock") as server:
        offered = await ears.until(lambda told: isinstance(told, Offered))
        assert isinstance(offered, Offered)
        assert api.CALL_PATH in offered.paths
        await ears.until_state(CallState.IDLE)
        agent.present = CONNECTED
        server.publish(event("onCallBegin"))
        await ears.until(lambda told: isinstance(told, Heard) and told.message.event == "onCallBegin")
        await ears.until_state(CallState.CONNECTED)


async def test_voices_do_not_have_the_status_asked_for(ears: Ears, tmp_path: Path) -> None:
    agent = Agent()
    async with serving(agent, tmp_path / "agent.sock") as server:
        await ears.until_state(CallState.IDLE)
        before = agent.statuses
        for number in range(20):
            server.publish(event("onUserVoiceVolumeChanged", volumeMap={"a": number}))
        await ears.until(
            lambda told: isinstance(told, Heard) and told.message.data.get("volumeMap") == {"a": 19}
        )
        assert agent.statuses == before


async def test_it_comes_back_whenever_the_agent_does(ears: Ears, tmp_path: Path) -> None:
    await ears.until(lambda told: isinstance(told, Gone))
    for _ in range(2):
        async with serving(Agent(), tmp_path / "agent.sock"):
            await ears.until_state(CallState.IDLE)
        gone = await ears.until(lambda told: isinstance(told, Gone))
        assert isinstance(gone, Gone)
        assert gone.reason


async def test_commands(ears: Ears, tmp_path: Path) -> None:
    agent = Agent()
    async with serving(agent, tmp_path / "agent.sock"):
        await ears.until_state(CallState.IDLE)
        agent.refusal = CallAgentError(ErrorCode.REQUEST_REFUSED, "not now")
        for command in (
            Command("call", ("reception", "guard")),
            Command("microphone", on=False),
            Command("volume_down"),
            Command("dance"),
        ):
            ears.link.send(command)
            refused = await ears.until(lambda told: isinstance(told, Refused))
            assert isinstance(refused, Refused)
            assert refused.command == command.name
            assert refused.code in (ErrorCode.REQUEST_REFUSED, ErrorCode.PARAM_INVALID)
    assert agent.asked == ["call reception,guard", "microphone False", "volume -10"]


async def test_a_second_tap_on_the_same_is_ignored_while_the_first_is_under_way(
    ears: Ears, tmp_path: Path
) -> None:
    agent = Agent()
    agent.held = asyncio.Event()
    async with serving(agent, tmp_path / "agent.sock"):
        await ears.until_state(CallState.IDLE)
        for _ in range(5):
            ears.link.send(Command("answer"))
        ears.link.send(Command("dance"))
        await ears.until(lambda told: isinstance(told, Refused))
        agent.held.set()
        agent.present = CONNECTED
        await ears.until_state(CallState.CONNECTED)
    assert agent.asked == ["answer"]


async def test_without_an_agent_commands_fail_at_once(ears: Ears) -> None:
    await ears.until(lambda told: isinstance(told, Gone))
    ears.link.send(Command("answer"))
    refused = await ears.until(lambda told: isinstance(told, Refused))
    assert refused == Refused("answer", int(ErrorCode.SIGNALING_SEND_FAIL), "no agent")


async def test_closing_ends_the_thread(tmp_path: Path) -> None:
    ears = Ears(tmp_path / "agent.sock")
    async with serving(Agent(), tmp_path / "agent.sock"):
        ears.link.start()
        await ears.until_state(CallState.IDLE)
        thread: Any = ears.link._thread
        await asyncio.to_thread(ears.link.close)
        assert not thread.is_alive()
        ears.link.send(Command("answer"))  # nobody is there to do it, and nothing breaks
