# SPDX-License-Identifier: GPL-3.0-or-later
"""Writer and reader in two processes, as fast as they can: no picture that is called whole is torn."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from callagent.frames import FrameClient, Picture
from callagent.protocol.frames import PictureHeader
from tests.unit.frames import rig
from tests.unit.frames.pictures import values
from tests.unit.frames.writer import SIZES

SECONDS = 3.0
SIZE_OF = {(size.width, size.height): size for size in SIZES}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FrameClient]:
    path = tmp_path / "frames.sock"
    writer = rig.start("writer", path, "0")
    try:
        with FrameClient(path) as client:
            client.want([rig.STREAM])
            rig.step_until(client, lambda: rig.STREAM in client.streams)
            yield client
    finally:
        rig.kill(writer)


def pictures(client: FrameClient, look: int) -> Iterator[tuple[Picture, PictureHeader, set[int]]]:
    """Each as often as it can be had, and what values were seen in it, looking `look` times."""
    last, end = 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        client.step(0.01)
        with client.read(rig.STREAM, last) as picture:
            if picture is None:
                continue
            seen = set[int]()
            for _ in range(look):
                seen |= values(picture)
        last = picture.header.counter
        yield picture, picture.header, seen


def test_no_whole_picture_is_torn(client: FrameClient) -> None:
    whole, last, sizes = 0, 0, set()
    for picture, header, seen in pictures(client, look=1):
        assert header.counter > last
        last = header.counter
        if picture.intact:
            whole += 1
            sizes.add((header.width, header.height))
            assert seen == {header.counter % 256}, header
    assert whole > 200
    assert sizes == set(SIZE_OF)


def test_the_test_would_see_a_torn_one(client: FrameClient) -> None:
    """A reader that takes its time finds several values in one picture, and is told so each time."""
    torn = 0
    for picture, header, seen in pictures(client, look=20):
        if seen != {header.counter % 256}:
            torn += 1
            assert not picture.intact
    assert torn > 10


def test_times_go_forward_and_are_the_monotonic_clock(client: FrameClient) -> None:
    puts = [header.put_ns for _, header, _ in pictures(client, look=1)]
    assert np.all(np.diff(np.array(puts)) > 0)
    assert 0 <= time.monotonic_ns() - puts[-1] < 5_000_000_000
