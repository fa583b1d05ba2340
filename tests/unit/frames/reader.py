# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that reads STREAM until it is killed; `ready` once it has a picture, or, mute, is connected.

python -m tests.unit.frames.reader SOCKET [mute]     (mute: it wants the stream and never reads anything)
"""

import socket
import sys
import time
from pathlib import Path

from callagent.frames import FrameClient
from callagent.protocol.frames import WantMessage
from tests.unit.frames.rig import STREAM


def read(path: Path) -> None:
    with FrameClient(path, retry_s=0.05) as client:
        client.want([STREAM])
        ready = False
        while True:
            client.step(1.0)
            with client.read(STREAM) as picture:
                if picture is not None and not ready:
                    ready = True
                    print("ready", flush=True)  # noqa: T201 - to the test


def say_nothing_more(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(str(path))
        connection.send(WantMessage(ids=[STREAM]).model_dump_json().encode())
        print("ready", flush=True)  # noqa: T201 - to the test
        while True:
            time.sleep(60)


if __name__ == "__main__":
    if sys.argv[2:] == ["mute"]:
        say_nothing_more(Path(sys.argv[1]))
    else:
        read(Path(sys.argv[1]))
