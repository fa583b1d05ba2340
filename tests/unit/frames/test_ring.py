# SPDX-License-Identifier: GPL-3.0-or-later
"""One ring: the newest picture whole, or the word that it was overwritten."""

import mmap
import os

import pytest

from callagent.frames.ring import RingReader, RingWriter, SourcePlane
from callagent.protocol.frames import FrameFormatError, lay_out
from tests.unit.frames.pictures import Size, painted, values

SMALL = Size(64, 48)


@pytest.fixture
def writer() -> RingWriter:
    return RingWriter(lay_out(48, (64, 32, 32))[1])


def put(writer: RingWriter, counter: int, size: Size = SMALL) -> None:
    frame = painted(counter, size)
    planes = [SourcePlane(plane.data, plane.stride) for plane in frame.planes]
    writer.put(counter, planes, size.width, size.height, 1000 + counter, 90)


def test_an_empty_ring_has_no_picture(writer: RingWriter) -> None:
    reader = RingReader(writer.fd)
    with reader.read() as picture:
        assert picture is None


@pytest.mark.parametrize(
    "size", [SMALL, Size(63, 47), Size(1, 1), Size(2, 2), Size(62, 40, padding=2)], ids=str
)
def test_a_picture_is_read_as_it_was_put(writer: RingWriter, size: Size) -> None:
    reader = RingReader(writer.fd)
    put(writer, 1, size)
    with reader.read() as picture:
        assert picture is not None
        assert (picture.header.width, picture.header.height) == (size.width, size.height)
        assert (picture.header.counter, picture.header.captured_ns, picture.header.rotation) == (1, 1001, 90)
        assert picture.upright_size == (size.height, size.width)
        assert values(picture) == {1}
    assert picture.intact


def test_the_newest_wins_and_is_given_once(writer: RingWriter) -> None:
    reader = RingReader(writer.fd)
    for counter in range(1, 8):
        put(writer, counter)
    with reader.read() as picture:
        assert picture is not None
        assert values(picture) == {7}
    with reader.read(seen=7) as picture:
        assert picture is None


def test_a_stream_that_began_anew_is_not_older(writer: RingWriter) -> None:
    reader = RingReader(writer.fd)
    put(writer, 3)
    with reader.read(seen=500) as picture:
        assert picture is not None
        assert picture.header.counter == 3


def test_a_picture_that_is_overwritten_says_so(writer: RingWriter) -> None:
    reader = RingReader(writer.fd)
    put(writer, 1)
    with reader.read() as picture:
        assert picture is not None
        for counter in (2, 3, 4):
            put(writer, counter)
        assert values(picture) == {1}
        put(writer, 5)
        assert values(picture) == {5}
    assert not picture.intact


def test_a_writer_that_died_while_writing_leaves_the_picture_before(writer: RingWriter) -> None:
    reader = RingReader(writer.fd)
    put(writer, 1)
    with pytest.raises(ValueError, match="assignment"):  # too short: the slot stays as it is amid writing
        writer.put(2, [SourcePlane(memoryview(b"x"), stride) for stride in (64, 32, 32)], 64, 48, 0)
    with reader.read() as picture:
        assert picture is not None
        assert picture.header.counter == 1
    assert picture.intact
    for counter in range(2, 8):
        put(writer, counter)
    with reader.read() as picture:
        assert picture is not None
        assert values(picture) == {7}
    assert picture.intact


def test_a_reader_can_write_nothing_and_cut_nothing_off(writer: RingWriter) -> None:
    reader = RingReader(writer.fd)
    put(writer, 1)
    with reader.read() as picture:
        assert picture is not None
        assert all(plane.readonly for plane in picture.planes)
    with pytest.raises(PermissionError):
        mmap.mmap(writer.fd, writer.layout.size)
    with pytest.raises(PermissionError):
        os.ftruncate(writer.fd, 0)


def test_memory_that_could_be_cut_off_is_refused() -> None:
    fd = os.memfd_create("test", os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, 4096)
    with pytest.raises(FrameFormatError, match="sealed"):
        RingReader(fd)
    os.close(fd)


def test_planes_may_be_held_longer_than_the_reader(writer: RingWriter) -> None:
    reader = RingReader(writer.fd)
    put(writer, 9)
    with reader.read() as picture:
        assert picture is not None
        held = picture.planes[0]
    reader.close()
    writer.close()
    assert set(bytes(held)) == {9}
