# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for the two ends of a frame channel, and the processes at them."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from callagent.frames import FrameClient

DEADLINE_S = 20.0
STREAM = "remote/alice/camera"


async def until(condition: Callable[[], bool]) -> None:
    """Asked again and again while the loop runs."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.002)


async def news(client: FrameClient) -> frozenset[str]:
    """What the next step with news has; the loop runs meanwhile."""
    async with asyncio.timeout(DEADLINE_S):
        while not (found := client.step()):
            await asyncio.sleep(0.002)
    return found


def step_until(client: FrameClient, condition: Callable[[], bool]) -> None:
    """On a plain thread."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "nothing came in time"
        client.step(0.2)


Process = subprocess.Popen[str]


def start(module: str, path: Path, *arguments: str) -> Process:
    """`tests.unit.frames.MODULE` in a process of its own, once it has said that it is ready. Blocks."""
    command = [sys.executable, "-m", f"tests.unit.frames.{module}", str(path), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == "ready\n", line
    return process


async def start_while(act: Callable[[], None], module: str, path: Path, *arguments: str) -> Process:
    """The same, on the loop, doing something all the while."""
    started = asyncio.create_task(asyncio.to_thread(start, module, path, *arguments))

    def ready() -> bool:
        act()
        return started.done()

    await until(ready)
    return await started


def kill(process: Process) -> None:
    """As `kill -9`."""
    process.kill()
    process.wait(DEADLINE_S)
    if process.stdout is not None:
        process.stdout.close()


def descriptors(pid: int | str = "self") -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def frame_memory_bytes() -> int:
    """Of this process's mappings of frame memory, and of descriptors of it that are not mapped."""
    mapped = 0
    for line in Path("/proc/self/maps").read_text().splitlines():
        if "memfd:callagent-frames" in line:
            begin, end = (int(number, 16) for number in line.split()[0].split("-"))
            mapped += end - begin
    for entry in Path("/proc/self/fd").iterdir():
        try:
            if "memfd:callagent-frames" in os.readlink(entry):
                mapped += os.stat(entry).st_size
        except OSError:  # the listing's own
            continue
    return mapped
