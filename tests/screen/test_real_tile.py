# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of the frame channel on the page of a call, from the writer's memory to the window."""

import asyncio
import sys
from pathlib import Path

from PySide6.QtGui import QImage

from callagent.frames import FrameServer
from tests.unit.frames.pictures import Size, painted

GREY = 180
"""Of all three planes: of Y 191 in RGB, moved by U and V towards red and blue."""


async def test_a_picture_reaches_the_page(tmp_path: Path) -> None:
    server = FrameServer(tmp_path / "frames.sock")
    await server.start()
    try:
        stream = server.stream("remote/watson/camera")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.screen.call_page", str(tmp_path / "frames.sock"), str(tmp_path / "page.png")),
            stdout=asyncio.subprocess.PIPE,
        )
        ended = asyncio.ensure_future(process.communicate())
        async with asyncio.timeout(60):
            while not ended.done():
                stream.put(painted(GREY, Size(640, 480)))
                await asyncio.wait({ended}, timeout=0.05)
        said, _ = ended.result()
        assert process.returncode == 0
        assert said.strip() == b""
    finally:
        await server.close()
    page = QImage(str(tmp_path / "page.png"))
    # Between the controls and the notices, all over the large picture.
    seen = {page.pixel(x, y) for x in range(300, 500, 20) for y in range(180, 320, 20)}
    assert len(seen) == 1
    colour = page.pixelColor(400, 240)
    assert (colour.red() > 230, colour.blue() > 230, colour.green() < colour.red()) == (True, True, True)
