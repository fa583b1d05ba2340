# SPDX-License-Identifier: GPL-3.0-or-later
"""Server and clients on one loop: streams that come, go and grow, clients of all kinds."""

import asyncio
import os
import socket
import stat
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callagent.frames import FrameClient, FrameServer
from callagent.ports import PixelFormat, VideoFrame
from callagent.protocol.frames import MAX_MESSAGE_BYTES, WantMessage
from tests.unit.frames import rig
from tests.unit.frames.pictures import Size, painted, values

SMALL, LARGE = Size(64, 48), Size(640, 480)
OTHER = "local/camera"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[FrameServer]:
    server = FrameServer(tmp_path / "frames.sock")
    await server.start()
    yield server
    await server.close()


async def connected(server: FrameServer, tmp_path: Path, *streams: str) -> FrameClient:
    """A client whose wishes have arrived."""
    before = server.clients
    client = FrameClient(tmp_path / "frames.sock", retry_s=0.05)
    client.want(streams)
    client.step()
    await rig.until(lambda: server.clients == before + 1)
    # The server reads the wish in a turn of the loop of its own.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return client


def value(client: FrameClient, stream: str = rig.STREAM) -> int | None:
    """What the newest picture is painted with, None where there is none."""
    with client.read(stream) as picture:
        if picture is None:
            return None
        (found,) = values(picture)
    assert picture.intact
    return found


def stepped(client: FrameClient) -> frozenset[str]:
    """The streams after another step."""
    client.step()
    return client.streams


async def shows(client: FrameClient, wanted: int) -> None:
    """Once it has been told of the picture with this value."""
    await rig.until(lambda: bool(client.step()) and value(client) == wanted)


async def test_a_stream_comes_with_its_first_picture(server: FrameServer, tmp_path: Path) -> None:
    client = await connected(server, tmp_path, rig.STREAM)
    stream = server.stream(rig.STREAM)
    assert client.step() == frozenset()
    stream.put(painted(7, SMALL))
    assert await rig.news(client) == {rig.STREAM}
    assert value(client) == 7
    stream.put(painted(8, SMALL))
    assert await rig.news(client) == {rig.STREAM}
    assert value(client) == 8
    server.end(rig.STREAM)
    assert await rig.news(client) == {rig.STREAM}
    assert (client.streams, value(client)) == (frozenset(), None)
    client.close()


async def test_a_late_client_has_the_newest_picture_at_once(server: FrameServer, tmp_path: Path) -> None:
    early = await connected(server, tmp_path, rig.STREAM)
    server.stream(rig.STREAM).put(painted(3, SMALL))
    late = await connected(server, tmp_path, rig.STREAM)
    assert await rig.news(late) == {rig.STREAM}
    assert value(late) == 3
    early.close()
    late.close()


async def test_only_what_is_wanted_is_sent_and_copied(server: FrameServer, tmp_path: Path) -> None:
    client = await connected(server, tmp_path, rig.STREAM)
    wanted, other = server.stream(rig.STREAM), server.stream(OTHER)
    for counter in range(3):
        wanted.put(painted(counter, SMALL))
        other.put(painted(counter, SMALL))
    assert await rig.news(client) == {rig.STREAM}
    assert (wanted.taken, other.taken) == (3, 0)
    client.want([OTHER])
    await rig.until(lambda: rig.STREAM not in stepped(client))
    other.put(painted(9, SMALL))
    assert await rig.news(client) == {OTHER}
    assert value(client, OTHER) == 9
    wanted.put(painted(4, SMALL))
    assert wanted.taken == 3
    client.close()


async def test_a_larger_picture_moves_the_stream(server: FrameServer, tmp_path: Path) -> None:
    client = await connected(server, tmp_path, rig.STREAM)
    stream = server.stream(rig.STREAM)
    for counter, size in enumerate((SMALL, LARGE, SMALL, LARGE, Size(800, 600)), start=1):
        stream.put(painted(counter, size))
        await shows(client, counter)
        with client.read(rig.STREAM) as picture:
            assert picture is not None
            assert (picture.header.width, picture.header.height) == (size.width, size.height)
            assert picture.header.counter == counter
    client.close()


async def test_each_client_is_woken_by_itself(server: FrameServer, tmp_path: Path) -> None:
    clients = [await connected(server, tmp_path, rig.STREAM) for _ in range(3)]
    stream = server.stream(rig.STREAM)
    for counter in range(1, 4):
        stream.put(painted(counter, SMALL))
        for client in clients:
            assert await rig.news(client) == {rig.STREAM}
            assert value(client) == counter
    for client in clients:
        client.close()


async def test_a_client_that_never_reads_holds_up_nobody(server: FrameServer, tmp_path: Path) -> None:
    mute = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mute.connect(str(tmp_path / "frames.sock"))
    mute.send(WantMessage(ids=[rig.STREAM]).model_dump_json().encode())
    await rig.until(lambda: server.clients == 1)
    client = await connected(server, tmp_path, rig.STREAM)
    stream = server.stream(rig.STREAM)
    before, slowest = rig.frame_memory_bytes(), 0.0
    for counter in range(1, 400):
        # Ever larger: each is a new memory, and a message that the mute one does not take.
        frame = painted(counter, Size(64 + 2 * counter, 48))
        began = time.monotonic()
        stream.put(frame)
        slowest = max(slowest, time.monotonic() - began)
        await shows(client, counter % 256)
    assert slowest < 1.0
    # The largest, as two mappings and three descriptors; it would be hundreds if each were kept.
    assert rig.frame_memory_bytes() - before < 6 * 4 * 64 * 1024
    mute.close()
    await rig.until(lambda: server.clients == 1)
    client.close()


async def test_who_speaks_nonsense_is_sent_away(server: FrameServer, tmp_path: Path) -> None:
    for nonsense in (b"{", b'{"type": "want", "ids": ["no id!"]}', b"x" * MAX_MESSAGE_BYTES):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
            stranger.connect(str(tmp_path / "frames.sock"))
            stranger.send(nonsense)
            stranger.settimeout(0)
            await rig.until(lambda: server.clients == 0 and left(stranger))


def left(stranger: socket.socket) -> bool:
    try:
        return stranger.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


async def test_pictures_may_come_from_any_thread(server: FrameServer, tmp_path: Path) -> None:
    client = await connected(server, tmp_path, rig.STREAM)
    stream = server.stream(rig.STREAM)

    def put() -> None:
        for size in (SMALL, LARGE) * 20:
            stream.put(painted(5, size))

    threads = [threading.Thread(target=put) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    await shows(client, 5)
    assert stream.taken == 160
    client.close()


async def test_what_cannot_be_shown_is_said_once(
    server: FrameServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = await connected(server, tmp_path, rig.STREAM)
    stream = server.stream(rig.STREAM)
    good = painted(1, SMALL)
    short = VideoFrame(PixelFormat.I420, 64, 480, good.planes, 0.0)
    for frame in (VideoFrame(PixelFormat.NV12, 64, 48, good.planes[:2], 0.0), short):
        caplog.clear()
        for _ in range(3):
            stream.put(frame)
        assert [record.message.split(":")[0] for record in caplog.records] == [
            f"pictures of {rig.STREAM} cannot be shown"
        ]
    assert stream.taken == 0
    stream.put(good)
    assert stream.taken == 1
    client.close()


async def test_after_the_end_nothing_happens(server: FrameServer, tmp_path: Path) -> None:
    client = await connected(server, tmp_path, rig.STREAM)
    stream = server.stream(rig.STREAM)
    stream.put(painted(1, SMALL))
    server.end(rig.STREAM)
    server.end(rig.STREAM)
    stream.put(painted(2, SMALL))
    assert stream.taken == 1
    again = server.stream(rig.STREAM)
    assert again is not stream
    again.put(painted(3, SMALL))
    await shows(client, 3)
    client.close()


async def test_the_socket_is_for_owner_and_group(server: FrameServer, tmp_path: Path) -> None:
    assert stat.S_IMODE(os.stat(tmp_path / "frames.sock").st_mode) == 0o660
    with pytest.raises(FileExistsError, match="another process listens"):
        await FrameServer(tmp_path / "frames.sock").start()
    await server.close()
    assert not (tmp_path / "frames.sock").exists()


async def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "frames.sock"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="no socket"):
        await FrameServer(path).start()
    assert path.read_text() == "mine"


def test_what_is_no_id_is_not_asked_for(tmp_path: Path) -> None:
    with FrameClient(tmp_path / "frames.sock") as client, pytest.raises(ValueError):
        client.want(["no id!"])
