# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that serves STREAM: pictures with their number all over, of changing sizes, until it is killed.

python -m tests.unit.frames.writer SOCKET PICTURES_A_SECOND   (0: as many as it can)
"""

import asyncio
import sys
import threading
import time
from pathlib import Path

from callagent.frames import FrameServer, Stream
from tests.unit.frames.pictures import Size, painted
from tests.unit.frames.rig import STREAM

SIZES = (Size(320, 240), Size(160, 120), Size(322, 180, padding=6), Size(64, 48))


def write(stream: Stream, rate: float) -> None:
    ready = {(value, size): painted(value, size) for value in range(256) for size in SIZES}
    while True:
        # The stream counts what it takes; nobody reading, it takes nothing and the number stays.
        taken = stream.taken
        stream.put(ready[(taken + 1) % 256, SIZES[taken // 16 % len(SIZES)]])
        if rate or stream.taken == taken:
            time.sleep(1 / rate if rate else 0.001)


async def main() -> None:
    server = FrameServer(Path(sys.argv[1]))
    await server.start()
    stream = server.stream(STREAM)
    threading.Thread(target=write, args=(stream, float(sys.argv[2])), daemon=True).start()
    print("ready", flush=True)  # noqa: T201 - to the test
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
