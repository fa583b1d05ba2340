# SPDX-License-Identifier: GPL-3.0-or-later
"""VideoTile in a window: what it shows is looked at, pixel by pixel."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pytest

from callagent.frames import FrameServer
from callagent.ports import PixelFormat, Plane, Rotation, VideoFrame
from callagent.screen.placement import Fill
from tests.unit.screen.tile_rig import OFFSCREEN, RED, Pixels, TilePage, expected

STREAM = "remote/alice/camera"
WIDTH, HEIGHT = 320, 240
LUMA = np.empty((HEIGHT, WIDTH), np.uint8)
LUMA[:120, :160], LUMA[:120, 160:], LUMA[120:, :160], LUMA[120:, 160:] = 60, 110, 160, 210
LUMA[:, :40] = 235
"""Four quarters, and a white strip at the left that a cover may cut off."""
PERIOD_S = 0.03


def picture(luma: Pixels = LUMA, rotation: Rotation = 0) -> VideoFrame:
    height, width = luma.shape
    grey = memoryview(bytes([128]) * (width // 2 * height // 2))
    planes = (Plane(memoryview(luma.tobytes()), width), Plane(grey, width // 2), Plane(grey, width // 2))
    return VideoFrame(PixelFormat.I420, width, height, planes, 0.0, rotation)


@dataclass
class Feed:
    """Puts `frame` again and again."""

    server: FrameServer
    frame: VideoFrame
    on: bool = True

    async def run(self) -> None:
        while True:
            if self.on:
                self.server.stream(STREAM).put(self.frame)
            await asyncio.sleep(PERIOD_S)


@asynccontextmanager
async def feeding(path: Path) -> AsyncIterator[Feed]:
    server = FrameServer(path)
    await server.start()
    feed = Feed(server, picture())
    task = asyncio.create_task(feed.run())
    try:
        yield feed
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.close()


@pytest.fixture
def display() -> Iterator[str]:
    """Of an X server with OpenGL on the processor."""
    assert shutil.which("Xvfb"), "Xvfb is missing: .ci/packages test"
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    try:
        yield f":{server.stdout.readline().strip()}"
    finally:
        server.terminate()
        server.wait(10)
        server.stdout.close()


Painter = Literal["software", "gpu"]


async def compare(page: TilePage, folder: Path, fill: Fill, turn: int, mirror: bool, rotation: int) -> None:
    """The window with these against what it should be; edges between the quarters may be soft."""
    await page.ask(set={"fill": fill, "turn": turn, "mirror": mirror})
    await page.ask(painted=2)
    name = f"{fill} {turn} {mirror} {rotation}"
    got = await page.grab(folder / f"{name}.png")
    height, width, _ = got.shape
    wanted = expected(LUMA, (rotation + turn) % 360, mirror, fill, width, height)
    wrong = np.abs(got.astype(int) - wanted).max(axis=2) > 6
    assert wrong.mean() < 0.06, f"{name}: {wrong.mean():.2f} of the pixels differ"


async def compare_all(page: TilePage, feed: Feed, folder: Path) -> None:
    await page.ask(set={"stream": STREAM})
    await page.ask(picture=True)
    for width, height in ((160, 200), (321, 150)):
        await page.ask(set={"width": width, "height": height})
        for fill in get_args(Fill):
            for turn in (0, 90, 180, 270):
                for mirror in (False, True):
                    await compare(page, folder, fill, turn, mirror, 0)
    feed.frame = picture(rotation=90)
    await page.ask(painted=2)
    state = await page.ask(state=True)
    assert (state["pictureWidth"], state["pictureHeight"]) == (HEIGHT, WIDTH)
    for turn in (0, 90):
        await compare(page, folder, "contain", turn, mirror=True, rotation=90)


async def test_every_fill_turn_and_mirroring_in_software(tmp_path: Path) -> None:
    async with feeding(tmp_path / "f") as feed, TilePage(tmp_path / "f", OFFSCREEN) as page:
        await compare_all(page, feed, tmp_path)
        assert (await page.ask(state=True))["painter"] == "software"


@pytest.mark.parametrize("renderer", ["software", "gpu"])
async def test_every_fill_turn_and_mirroring_in_opengl(
    tmp_path: Path, display: str, renderer: Painter
) -> None:
    """llvmpipe is known for what it is; with its name not known as such it stands in for a GPU."""
    environment = {"QT_QPA_PLATFORM": "xcb", "DISPLAY": display, "QSG_RHI_BACKEND": "opengl"}
    environment |= {"LIBGL_ALWAYS_SOFTWARE": "1", "QT_QUICK_BACKEND": ""}
    if renderer == "gpu":
        environment["TILE_PAGE_PAINTER"] = "gpu"
    async with feeding(tmp_path / "f") as feed, TilePage(tmp_path / "f", environment) as page:
        await compare_all(page, feed, tmp_path)
        assert (await page.ask(state=True))["painter"] == renderer


async def test_each_picture_is_painted_once_and_nothing_without_one(tmp_path: Path) -> None:
    async with feeding(tmp_path / "f") as feed, TilePage(tmp_path / "f", OFFSCREEN) as page:
        await page.ask(set={"stream": STREAM})
        await page.ask(painted=10)
        feed.on = False
        stream = feed.server.stream(STREAM)
        while (before := await page.ask(state=True))["drawn"] < stream.taken:
            await asyncio.sleep(0.01)
        for count in range(1, 6):
            stream.put(feed.frame)
            await page.ask(painted=1)
            state = await page.ask(state=True)
            assert state["painted"] == before["painted"] + count
            assert state["drawn"] == stream.taken == before["drawn"] + count
        # No picture, no repaint.
        idle = await page.ask(state=True)
        await asyncio.sleep(0.3)
        assert await page.ask(state=True) == idle


async def test_a_stream_that_ends_leaves_nothing_on_the_screen(tmp_path: Path) -> None:
    async with feeding(tmp_path / "f") as feed, TilePage(tmp_path / "f", OFFSCREEN) as page:
        assert (await page.ask(state=True))["hasPicture"] is False
        await page.ask(set={"stream": STREAM, "fill": "cover"})
        await page.ask(picture=True)
        await page.ask(painted=1)
        state = await page.ask(state=True)
        assert (state["pictureWidth"], state["pictureHeight"]) == (WIDTH, HEIGHT)
        assert not is_red(await page.grab(tmp_path / "before.png"))
        feed.on = False
        feed.server.end(STREAM)
        await page.ask(picture=False)
        assert is_red(await page.grab(tmp_path / "after.png"))
        feed.on = True
        await page.ask(painted=1)
        assert not is_red(await page.grab(tmp_path / "again.png"))
        await page.ask(set={"stream": ""})
        assert is_red(await page.grab(tmp_path / "none.png"))


def is_red(pixels: Pixels) -> bool:
    return bool((pixels == np.array(RED)).all())


async def test_the_agent_restarted_brings_the_picture_back(tmp_path: Path) -> None:
    async with TilePage(tmp_path / "f", OFFSCREEN) as page:
        await page.ask(set={"stream": STREAM})
        for _ in range(3):
            async with feeding(tmp_path / "f"):
                await page.ask(picture=True)
                await page.ask(painted=2)
            await page.ask(picture=False)
            assert is_red(await page.grab(tmp_path / "gone.png"))


async def test_the_window_outlives_its_tiles(tmp_path: Path) -> None:
    """The binding made the window a child of whatever asked for it with QQuickItem.window()."""
    async with feeding(tmp_path / "f"), TilePage(tmp_path / "f", OFFSCREEN) as page:
        await page.ask(set={"stream": STREAM})
        await page.ask(painted=2)
        assert await page.ask(destroy=True) == {"window": True}
