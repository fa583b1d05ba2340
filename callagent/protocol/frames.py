# SPDX-License-Identifier: Apache-2.0
"""The frame channel: how decoded pictures lie in shared memory, and the messages of frames.sock.

One stream is one shared memory (a memfd): a header, then `slots` slots that are written in turn. All numbers
are little-endian, all parts begin at multiples of 64 bytes:

    ring   0  4s magic "CAFR"   4 u16 version   6 u16 bytes of this header (128)   8 u32 slots   12 u32 zero
           16 u64 bytes of one slot   64 u64 counter of the newest picture, 0 before the first
    slot   0  u64 sequence, odd while the slot is being written   8 u64 counter   16 i64 captured, ns
           24 i64 put, ns   32 u32 width   36 u32 height   40 4s format "I420"   44 u16 rotation   46 u16 zero
           48 3 x u32 where the planes Y, U and V begin, from the slot's beginning   60 3 x u32 their strides
           128 the planes

Picture n, counted from 1, is in slot n modulo `slots`. A reader takes the newest counter, that slot's
sequence, the slot, and the sequence again: it read a whole picture if both are the same even number and the
slot names that counter. Times are CLOCK_MONOTONIC. Colours are those of BT.601, limited range.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, TypeAdapter

from callagent.protocol.base import Wire

MAGIC = b"CAFR"
VERSION = 1
I420 = b"I420"
ALIGNMENT = 64
PADDING_BYTES = 64
"""Behind the last plane of a slot: vector instructions may read that far beyond a picture's end."""
RING_HEADER_BYTES = 128
SLOT_HEADER_BYTES = 128
NEWEST_AT = 64
"""In the ring: a u64, the counter of the newest picture."""
SEQUENCE_AT = 0
"""In a slot: a u64, odd while the slot is being written."""
PICTURE_AT = 8
"""In a slot: what PictureHeader packs."""
MAX_SLOTS = 16
MAX_PIXELS = 16384
"""Of a width or height."""
MAX_MESSAGE_BYTES = 16384

FRAMES_SERVICE_SOCKET_PATH = "/run/callagent/frames.sock"
"""Where the systemd unit's agent listens."""
FRAMES_SOCKET_NAME = "callagent/frames.sock"
"""Below $XDG_RUNTIME_DIR: where an agent started by a person listens."""

_RING = struct.Struct("<4sHHIIQ")
_PICTURE = struct.Struct("<QqqII4sHH3I3I")
_ROTATIONS = (0, 90, 180, 270)

StreamId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}(/[A-Za-z0-9_.-]{1,64}){0,3}$")]
"""`remote/USER/camera`, `remote/USER/screen`, `local/camera`."""


class FrameFormatError(ValueError):
    """Shared memory that is no ring of this version, or a picture that does not lie within its slot."""


@dataclass(frozen=True, slots=True)
class RingLayout:
    """How a ring is divided."""

    slots: int
    slot_bytes: int
    """Of one slot with its header; a multiple of 64."""

    @property
    def size(self) -> int:
        """Bytes of the whole ring."""
        return RING_HEADER_BYTES + self.slots * self.slot_bytes

    def slot_at(self, counter: int) -> int:
        """Where the slot of this picture begins."""
        return RING_HEADER_BYTES + counter % self.slots * self.slot_bytes

    def pack(self) -> bytes:
        return _RING.pack(MAGIC, VERSION, RING_HEADER_BYTES, self.slots, 0, self.slot_bytes)

    @classmethod
    def unpack(cls, ring: memoryview) -> Self:
        """Of a whole ring. Raises FrameFormatError."""
        if len(ring) < RING_HEADER_BYTES:
            raise FrameFormatError("too short for a ring's header")
        magic, version, header, slots, _, slot_bytes = _RING.unpack_from(ring)
        if magic != MAGIC or version != VERSION or header != RING_HEADER_BYTES:
            raise FrameFormatError(f"not a ring of version {VERSION} (magic {magic!r}, version {version})")
        layout = cls(slots, slot_bytes)
        if not (2 <= slots <= MAX_SLOTS and slot_bytes >= SLOT_HEADER_BYTES and slot_bytes % ALIGNMENT == 0):
            raise FrameFormatError(f"{slots} slots of {slot_bytes} bytes")
        if layout.size > len(ring):
            raise FrameFormatError(f"{slots} slots of {slot_bytes} bytes do not fit into {len(ring)}")
        return layout


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What a slot says of its picture, format I420."""

    counter: int
    """Pictures of this stream so far, with this one."""
    captured_ns: int
    """When the picture was captured (a remote one: received)."""
    put_ns: int
    """When it was put into the ring."""
    width: int
    height: int
    rotation: int
    """Degrees clockwise that turn the picture upright: 0, 90, 180 or 270."""
    offsets: tuple[int, int, int]
    """Where the planes begin, from the slot's beginning."""
    strides: tuple[int, int, int]
    """Bytes from one row to the next."""

    @property
    def rows(self) -> tuple[int, int, int]:
        """Of each plane."""
        return plane_rows(self.height)

    @property
    def plane_widths(self) -> tuple[int, int, int]:
        """Bytes of a row that are picture."""
        return plane_rows(self.width)

    def pack(self) -> bytes:
        return _PICTURE.pack(
            self.counter,
            self.captured_ns,
            self.put_ns,
            self.width,
            self.height,
            I420,
            self.rotation,
            0,
            *self.offsets,
            *self.strides,
        )

    @classmethod
    def unpack(cls, slot: bytes | memoryview, slot_bytes: int) -> Self:
        """From PICTURE_AT of a slot. Raises FrameFormatError for a picture that is not within the slot."""
        counter, captured, put, width, height, pixels, rotation, _, *planes = _PICTURE.unpack_from(slot)
        offsets, strides = (planes[0], planes[1], planes[2]), (planes[3], planes[4], planes[5])
        header = cls(counter, captured, put, width, height, rotation, offsets, strides)
        if pixels != I420 or rotation not in _ROTATIONS:
            raise FrameFormatError(f"format {pixels!r}, turned by {rotation}")
        if not (0 < width <= MAX_PIXELS and 0 < height <= MAX_PIXELS):
            raise FrameFormatError(f"{width}x{height} pixels")
        for offset, stride, row, rows in zip(
            header.offsets, header.strides, header.plane_widths, header.rows, strict=True
        ):
            if stride < row or offset < SLOT_HEADER_BYTES or offset + stride * rows > slot_bytes:
                raise FrameFormatError(f"a plane of {rows} rows of {stride} bytes at {offset}")
        return header


PICTURE_HEADER_BYTES = _PICTURE.size


def plane_rows(height: int) -> tuple[int, int, int]:
    """Rows of Y, U and V of a picture this high; with its width: bytes of their rows."""
    half = (height + 1) // 2
    return height, half, half


def lay_out(height: int, strides: Sequence[int]) -> tuple[tuple[int, int, int], int]:
    """Where planes of these strides begin in a slot, and the bytes of such a slot."""
    offsets, end = [], SLOT_HEADER_BYTES
    for stride, rows in zip(strides, plane_rows(height), strict=True):
        offsets.append(end)
        end += -(-stride * rows // ALIGNMENT) * ALIGNMENT
    first, second, third = offsets
    return (first, second, third), end + PADDING_BYTES


class StreamMessage(Wire):
    """Agent to client, with two descriptors: shared memory, and an eventfd that each picture adds 1 to.

    Comes again for the same stream when a larger picture needs another memory.
    """

    type: Literal["stream"] = "stream"
    id: StreamId
    version: int = VERSION
    bytes: Annotated[int, Field(gt=0)]
    """Of the shared memory."""


class EndMessage(Wire):
    """Agent to client: the stream has ended, or is no longer wanted."""

    type: Literal["end"] = "end"
    id: StreamId


class WantMessage(Wire):
    """Client to agent: these streams and no others, when they are there."""

    type: Literal["want"] = "want"
    ids: Annotated[list[StreamId], Field(max_length=64)]


AgentMessage = Annotated[StreamMessage | EndMessage, Field(discriminator="type")]
AGENT_MESSAGE: TypeAdapter[StreamMessage | EndMessage] = TypeAdapter(AgentMessage)
