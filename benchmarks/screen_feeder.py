# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's place in the screen's benchmark: the clip on a frame channel, 30 pictures a second, for ever.

python -m benchmarks.screen_feeder SOCKET CLIP WIDTH HEIGHT
"""

import asyncio
import sys
import time
from pathlib import Path

from benchmarks.screen_clip import FPS, read
from callagent.frames import FrameServer
from callagent.ports import PixelFormat, Plane, VideoFrame

STREAM = "remote/peer/camera"


async def main() -> None:
    path, clip, width, height = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    pictures = [planes(data, width, height) for data in read(clip)]
    server = FrameServer(path)
    await server.start()
    stream = server.stream(STREAM)
    print("ready", flush=True)
    number, begun = 0, time.monotonic()
    while True:
        number += 1
        await asyncio.sleep(max(0.0, begun + number / FPS - time.monotonic()))
        shown = pictures[number % len(pictures)]
        stream.put(VideoFrame(PixelFormat.I420, width, height, shown, time.monotonic()))


def planes(data: bytes, width: int, height: int) -> tuple[Plane, ...]:
    whole, size = memoryview(data), width * height
    half = width // 2
    return (
        Plane(whole[:size], width),
        Plane(whole[size : size * 5 // 4], half),
        Plane(whole[size * 5 // 4 :], half),
    )


if __name__ == "__main__":
    asyncio.run(main())
