# SPDX-License-Identifier: GPL-3.0-or-later
"""`callagent screen` as a process: it comes up, finds the agent whenever there is one, and goes when told."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.unit.screen.agents import CONNECTED
from tests.unit.screen.test_agent_link import Agent, serving

DEADLINE_S = 30.0
"""Qt and its fonts on a busy machine."""


class Screen:
    """The process and what it logs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def until(self, wanted: Callable[[str], bool]) -> str:
        assert self.process.stderr is not None
        async with asyncio.timeout(DEADLINE_S):
            while line := (await self.process.stderr.readline()).decode():
                self.lines.append(line)
                if wanted(line):
                    return line
        raise AssertionError(f"it ended: {''.join(self.lines)}")


@asynccontextmanager
async def screen(folder: Path, more: str = "") -> AsyncIterator[Screen]:
    file = folder / "agent.yaml"
    file.write_text(
        "identity: {user: lobby, usersig: abc}\n"
        f"control: {{socket: {folder / 'agent.sock'}}}\n"
        "log: {level: info}\n"
        f"screen: {{platform: offscreen, place: Ward 3{more}}}\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "callagent", "screen", "-c", str(file)),
        env={**os.environ, "CALLAGENT_FRAMES": str(folder / "frames.sock")},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Screen(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_it_starts_before_the_agent_follows_it_and_ends_when_told(tmp_path: Path) -> None:
    async with screen(tmp_path) as shown:
        await shown.until(lambda line: "drawing with software on offscreen" in line)
        agent = Agent()
        agent.present = CONNECTED
        for _ in range(2):
            async with serving(agent, tmp_path / "agent.sock"):
                await shown.until(lambda line: "connected to the agent" in line)
            await shown.until(lambda line: "no agent:" in line)
        shown.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await shown.process.wait() == 0
        assert "Traceback" not in "".join(shown.lines)


@pytest.mark.parametrize("language", ["ar", "zh-Hans"])
async def test_killed_it_leaves_the_agent_alone(tmp_path: Path, language: str) -> None:
    agent = Agent()
    async with serving(agent, tmp_path / "agent.sock"):
        for _ in range(2):
            async with screen(tmp_path, f", language: {language}") as shown:
                await shown.until(lambda line: "connected to the agent" in line)
                shown.process.kill()
                assert await shown.process.wait() == -signal.SIGKILL
        assert agent.asked == []
