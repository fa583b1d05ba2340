# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 of either side, and 200 reconnects: nothing is left behind."""

from pathlib import Path

import pytest

from benchmarks.process import resident_mb
from callagent.frames import FrameClient, FrameServer
from tests.unit.frames import rig
from tests.unit.frames.pictures import Size, painted

SIZE = Size(320, 240)


@pytest.mark.parametrize("kind", [[], ["mute"]], ids=["reader", "mute reader"])
async def test_a_killed_reader_leaves_nothing(tmp_path: Path, kind: list[str]) -> None:
    server = FrameServer(tmp_path / "frames.sock")
    await server.start()
    stream = server.stream(rig.STREAM)
    before = rig.descriptors(), rig.frame_memory_bytes()
    for _ in range(3):
        process = await start_reader(server, tmp_path, kind)
        assert rig.frame_memory_bytes() > before[1]
        rig.kill(process)
        await rig.until(lambda: server.clients == 0)
        assert (rig.descriptors(), rig.frame_memory_bytes()) == before
        taken = stream.taken
        stream.put(painted(1, SIZE))
        assert stream.taken == taken
    await server.close()


async def start_reader(server: FrameServer, tmp_path: Path, kind: list[str]) -> rig.Process:
    """A reader that has a picture, or one that never looks at it."""
    process = await rig.start_while(
        lambda: server.stream(rig.STREAM).put(painted(1, SIZE)), "reader", tmp_path / "frames.sock", *kind
    )
    stream = server.stream(rig.STREAM)

    def taken() -> bool:
        before = stream.taken
        stream.put(painted(1, SIZE))
        return stream.taken > before

    await rig.until(taken)
    return process


def test_a_killed_writer_leaves_nothing_and_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "frames.sock"
    with FrameClient(path, retry_s=0.05) as client:
        client.want([rig.STREAM])
        client.step()
        before = rig.descriptors(), rig.frame_memory_bytes()
        for _ in range(3):
            process = rig.start("writer", path, "100")
            rig.step_until(client, lambda: rig.STREAM in client.streams)
            with client.read(rig.STREAM) as picture:
                assert picture is not None
            assert rig.frame_memory_bytes() > before[1]
            rig.kill(process)
            rig.step_until(client, lambda: not client.connected)
            assert client.streams == frozenset()
            del picture
            assert rig.frame_memory_bytes() == before[1]
        assert path.is_socket()  # what the next writer replaces
    assert rig.descriptors() < before[0]


def test_two_hundred_reconnects_cost_nothing(tmp_path: Path) -> None:
    path = tmp_path / "frames.sock"
    writer = rig.start("writer", path, "200")
    try:
        for _ in range(20):
            connect_and_look(path)
        own, theirs = rig.descriptors(), rig.descriptors(writer.pid)
        own_mb, their_mb = resident_mb(), resident_mb(writer.pid)
        for _ in range(200):
            connect_and_look(path)
        assert rig.descriptors() == own
        # The last client's leaving may not have been noticed at either time.
        assert abs(rig.descriptors(writer.pid) - theirs) <= 4
        assert resident_mb() < own_mb + 2
        assert resident_mb(writer.pid) < their_mb + 2
    finally:
        rig.kill(writer)


def connect_and_look(path: Path) -> None:
    with FrameClient(path) as client:
        client.want([rig.STREAM])
        rig.step_until(client, lambda: rig.STREAM in client.streams)
        with client.read(rig.STREAM) as picture:
            assert picture is not None
