# SPDX-License-Identifier: Apache-2.0
"""Writer and reader of one ring of pictures in shared memory (memfd_create(2)), a sequence lock a slot.

The writer goes round the slots and waits for nobody. A reader takes the newest picture where it lies and is
told afterwards whether it was overwritten meanwhile; with four slots at 30 pictures a second it has 100 ms.
"""

import fcntl
import mmap
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from callagent.frames.barrier import Barrier
from callagent.protocol.frames import (
    NEWEST_AT,
    PICTURE_AT,
    PICTURE_HEADER_BYTES,
    SEQUENCE_AT,
    FrameFormatError,
    PictureHeader,
    RingLayout,
    lay_out,
)

SLOTS = 4
_F_SEAL_FUTURE_WRITE = 0x0010
"""linux/fcntl.h, since Linux 5.1; Python has no name for it."""
_SIZE_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
_TRIES = 3
"""A reader that meets a slot being written takes the newest anew; a writer this fast is not met thrice."""

if sys.byteorder != "little":
    raise ImportError(
        "the frame channel needs a little-endian machine: its counters are read as single words"
    )


@dataclass(frozen=True, slots=True)
class SourcePlane:
    """One plane of a picture to be put."""

    data: memoryview
    """Contiguous bytes, `stride` times the plane's rows of them."""
    stride: int


class RingWriter:
    """Makes a ring and writes pictures into it. For one thread at a time."""

    def __init__(self, slot_bytes: int, slots: int = SLOTS) -> None:
        """Raises OSError when there is no memory or descriptor for it."""
        self.layout = RingLayout(slots, slot_bytes)
        self.fd = os.memfd_create("callagent-frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(self.fd, self.layout.size)
            self._map = mmap.mmap(self.fd, self.layout.size)
            _seal(self.fd)
        except BaseException:
            os.close(self.fd)
            raise
        self._bytes = memoryview(self._map)
        # Words are stored whole, which struct's "<Q" does not promise.
        self._words = self._bytes.cast("Q")
        self._barrier = Barrier()
        header = self.layout.pack()
        self._bytes[: len(header)] = header

    def fits(self, height: int, strides: Sequence[int]) -> bool:
        """Whether a picture with rows of these bytes goes into a slot."""
        return lay_out(height, strides)[1] <= self.layout.slot_bytes

    def put(
        self,
        counter: int,
        planes: Sequence[SourcePlane],
        width: int,
        height: int,
        captured_ns: int,
        rotation: int = 0,
    ) -> None:
        """Write picture number `counter`, one more than the last, and make it the newest. Must fit."""
        strides = planes[0].stride, planes[1].stride, planes[2].stride
        offsets, _ = lay_out(height, strides)
        header = PictureHeader(
            counter, captured_ns, time.monotonic_ns(), width, height, rotation, offsets, strides
        )
        slot = self.layout.slot_at(counter)
        sequence = (slot + SEQUENCE_AT) // 8
        writing = self._words[sequence] | 1
        self._words[sequence] = writing
        self._barrier()
        begin = slot + PICTURE_AT
        self._bytes[begin : begin + PICTURE_HEADER_BYTES] = header.pack()
        for plane, offset, rows in zip(planes, offsets, header.rows, strict=True):
            begin, length = slot + offset, plane.stride * rows
            self._bytes[begin : begin + length] = plane.data[:length]
        self._barrier()
        self._words[sequence] = writing + 1
        self._barrier()
        self._words[NEWEST_AT // 8] = counter

    def close(self) -> None:
        """The memory goes when its readers have unmapped it."""
        self._words.release()
        self._bytes.release()
        self._map.close()
        os.close(self.fd)


class Picture:
    """One picture where it lies in the ring; its planes are for as long as `RingReader.read` lasts."""

    def __init__(self, header: PictureHeader, planes: tuple[memoryview, memoryview, memoryview]) -> None:
        self.header = header
        self.planes = planes
        """Y, U and V, read-only; `header.strides` and `header.rows` say how they are to be read."""
        self.intact = False
        """After `read`: whether nobody wrote over it meanwhile. If not, throw away what was made of it."""

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height after turning by `header.rotation`."""
        size = self.header.width, self.header.height
        return size if self.header.rotation % 180 == 0 else (size[1], size[0])


class RingReader:
    """Maps a ring, for reading only. For one thread at a time."""

    def __init__(self, fd: int) -> None:
        """The descriptor stays the caller's. Raises FrameFormatError, or OSError when it cannot be mapped."""
        seals = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
        if seals & _SIZE_SEALS != _SIZE_SEALS:
            # Reading beyond the end of memory that was made shorter would kill the process (SIGBUS).
            raise FrameFormatError("shared memory whose size is not sealed")
        size = os.fstat(fd).st_size
        if size == 0 or size % 8:
            raise FrameFormatError(f"shared memory of {size} bytes")
        self._map = mmap.mmap(fd, size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
        self._bytes = memoryview(self._map)
        self._words = self._bytes.cast("Q")
        self._barrier = Barrier()
        try:
            self.layout = RingLayout.unpack(self._bytes)
        except FrameFormatError:
            self.close()
            raise

    @property
    def newest(self) -> int:
        """The newest picture's counter, 0 before the first."""
        return self._words[NEWEST_AT // 8]

    @contextmanager
    def read(self, seen: int = 0) -> Iterator[Picture | None]:
        """The newest picture, unless it is that of the counter `seen`; None where there is none to be had.

        Nothing is copied: look at `Picture.intact` when the block is done. Raises FrameFormatError.
        """
        for _ in range(_TRIES):
            counter = self.newest
            # A lower one is no older picture, but of a stream that began anew.
            if counter in (0, seen):
                break
            self._barrier()
            slot = self.layout.slot_at(counter)
            sequence = self._words[(slot + SEQUENCE_AT) // 8]
            self._barrier()
            begin = slot + PICTURE_AT
            packed = bytes(self._bytes[begin : begin + PICTURE_HEADER_BYTES])
            if sequence % 2 or not self._unchanged(slot, sequence):
                continue
            header = PictureHeader.unpack(packed, self.layout.slot_bytes)
            if header.counter != counter:
                continue
            picture = Picture(header, self._planes(slot, header))
            try:
                yield picture
            finally:
                picture.intact = self._unchanged(slot, sequence)
            return
        yield None

    def close(self) -> None:
        """Unmap, or, where somebody still holds a plane, leave that to the last who does."""
        self._words.release()
        self._bytes.release()
        try:
            self._map.close()
        except BufferError:
            del self._map

    def _unchanged(self, slot: int, sequence: int) -> bool:
        self._barrier()
        return self._words[(slot + SEQUENCE_AT) // 8] == sequence

    def _planes(self, slot: int, header: PictureHeader) -> tuple[memoryview, memoryview, memoryview]:
        y, u, v = (
            self._bytes[slot + offset : slot + offset + stride * rows]
            for offset, stride, rows in zip(header.offsets, header.strides, header.rows, strict=True)
        )
        return y, u, v


def _seal(fd: int) -> None:
    """Fix the size; nobody else may map it for writing (where the kernel is new enough)."""
    last = fcntl.F_SEAL_SEAL
    try:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SIZE_SEALS | _F_SEAL_FUTURE_WRITE | last)
    except OSError:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SIZE_SEALS | last)
