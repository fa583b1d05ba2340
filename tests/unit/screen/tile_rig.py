# SPDX-License-Identifier: GPL-3.0-or-later
"""The tile's window in a process of its own, and what it should show."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import av
import numpy as np
from numpy.typing import NDArray

from callagent.screen.placement import Fill, place

Pixels = NDArray[np.uint8]
RED = (255, 0, 0)
OFFSCREEN = {"QT_QPA_PLATFORM": "offscreen", "QT_QUICK_BACKEND": "software"}
ANSWER_S = 40.0


class TilePage:
    """`tile_page` as an asynchronous context manager."""

    def __init__(self, socket_path: Path, environment: dict[str, str]) -> None:
        self._path = socket_path
        self._environment = os.environ | {"QSG_RENDER_LOOP": "basic"} | environment
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.unit.screen.tile_page",
            str(self._path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
        )
        await self._answer()
        return self

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(ANSWER_S):
                code = await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        assert code == 0, f"the page ended with {code}"

    async def ask(self, **command: Any) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        return await self._answer()

    async def grab(self, path: Path) -> Pixels:
        """What the window shows, (height, width, 3)."""
        await self.ask(grab=str(path))
        with av.open(str(path)) as container:
            (picture,) = container.decode(video=0)
            return np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)

    async def _answer(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(ANSWER_S):
            line = await self._process.stdout.readline()
        assert line, "the page has died"
        answer: dict[str, Any] = json.loads(line)
        assert "error" not in answer, answer
        return answer


def expected(
    luma: Pixels, rotation: int, mirror: bool, fill: Fill, tile_width: int, tile_height: int
) -> Pixels:
    """What a tile on red shows of a grey picture, nearest pixel: (tile height, tile width, 3)."""
    height, width = luma.shape
    shown = np.full((tile_height, tile_width, 3), RED, np.uint8)
    placed = place(width, height, rotation, fill, tile_width, tile_height)
    assert placed is not None
    crop = placed.crop
    seen = luma[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]
    turned = np.rot90(seen, -(rotation // 90))
    if mirror:
        turned = turned[:, ::-1]
    left, top = round(placed.x), round(placed.y)
    wide, high = round(placed.width), round(placed.height)
    rows = (np.arange(high) + 0.5) * turned.shape[0] / high
    columns = (np.arange(wide) + 0.5) * turned.shape[1] / wide
    grey = turned[rows.astype(int)][:, columns.astype(int)]
    level = np.clip((grey.astype(float) - 16) * 255 / 219, 0, 255).astype(np.uint8)
    shown[top : top + high, left : left + wide] = level[:, :, None]
    return shown
