# SPDX-License-Identifier: GPL-3.0-or-later
"""How rings and pictures lie in memory: what is written is read, no bytes lead outside of a slot."""

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from callagent.protocol.frames import (
    AGENT_MESSAGE,
    ALIGNMENT,
    MAX_PIXELS,
    PICTURE_AT,
    PICTURE_HEADER_BYTES,
    RING_HEADER_BYTES,
    SLOT_HEADER_BYTES,
    EndMessage,
    FrameFormatError,
    PictureHeader,
    RingLayout,
    StreamMessage,
    WantMessage,
    lay_out,
    plane_rows,
)

SIDES = st.integers(1, 5000)
PADDINGS = st.integers(0, 300)


@given(SIDES, SIDES, st.tuples(PADDINGS, PADDINGS, PADDINGS))
def test_planes_are_aligned_and_apart(width: int, height: int, padding: tuple[int, int, int]) -> None:
    strides = [row + more for row, more in zip(plane_rows(width), padding, strict=True)]
    offsets, end = lay_out(height, strides)
    assert end % ALIGNMENT == 0
    before = SLOT_HEADER_BYTES
    for offset, stride, rows in zip(offsets, strides, plane_rows(height), strict=True):
        assert offset % ALIGNMENT == 0
        assert offset >= before
        before = offset + stride * rows
    assert before <= end


@given(
    st.integers(1, 2**63),
    st.integers(-(2**62), 2**62),
    SIDES,
    SIDES,
    st.sampled_from((0, 90, 180, 270)),
    PADDINGS,
)
def test_a_header_is_read_as_it_was_written(
    counter: int, captured: int, width: int, height: int, rotation: int, padding: int
) -> None:
    y, u, v = (row + padding for row in plane_rows(width))
    offsets, slot_bytes = lay_out(height, (y, u, v))
    header = PictureHeader(counter, captured, captured + 1, width, height, rotation, offsets, (y, u, v))
    packed = header.pack()
    assert len(packed) == PICTURE_HEADER_BYTES <= SLOT_HEADER_BYTES - PICTURE_AT
    assert PictureHeader.unpack(packed, slot_bytes) == header


@given(st.integers(2, 16), st.integers(2, 1 << 20))
def test_slots_are_apart_and_within_the_ring(slots: int, units: int) -> None:
    layout = RingLayout(slots, units * ALIGNMENT)
    begins = sorted(layout.slot_at(counter) for counter in range(slots))
    assert begins[0] == RING_HEADER_BYTES
    assert {later - earlier for earlier, later in itertools.pairwise(begins)} == {layout.slot_bytes}
    assert begins[-1] + layout.slot_bytes == layout.size
    assert layout.slot_at(slots + 1) == layout.slot_at(1)


@given(st.binary(min_size=PICTURE_HEADER_BYTES, max_size=PICTURE_HEADER_BYTES), st.integers(0, 1 << 24))
def test_no_bytes_lead_outside_of_a_slot(packed: bytes, slot_bytes: int) -> None:
    within(packed, slot_bytes)


@given(
    st.tuples(*[st.integers(0, 1 << 12)] * 8),
    st.sampled_from((0, 90, 180, 270, 1, 360)),
    st.integers(0, 1 << 22),
)
def test_no_likely_numbers_do_either(numbers: tuple[int, ...], rotation: int, slot_bytes: int) -> None:
    width, height, *planes = numbers
    within(struct.pack("<QqqII4sHH6I", 1, 2, 3, width, height, b"I420", rotation, 0, *planes), slot_bytes)


def within(packed: bytes, slot_bytes: int) -> None:
    try:
        header = PictureHeader.unpack(packed, slot_bytes)
    except FrameFormatError:
        return
    assert 0 < header.width <= MAX_PIXELS
    assert header.rotation % 90 == 0
    for offset, stride, row, rows in zip(
        header.offsets, header.strides, header.plane_widths, header.rows, strict=True
    ):
        assert offset >= SLOT_HEADER_BYTES
        assert row <= stride
        assert offset + stride * rows <= slot_bytes


@given(st.binary(max_size=300))
def test_only_a_ring_is_a_ring(data: bytes) -> None:
    with pytest.raises(FrameFormatError):
        RingLayout.unpack(memoryview(data))


@given(
    st.integers(0, (1 << 32) - 1),
    st.integers(0, 1 << 32),
    st.integers(0, 3),
    st.integers(0, 1 << 14),
)
def test_a_ring_is_not_larger_than_its_memory(slots: int, slot_bytes: int, version: int, size: int) -> None:
    header = struct.pack("<4sHHIIQ", b"CAFR", version, RING_HEADER_BYTES, slots, 0, slot_bytes)
    memory = memoryview(header.ljust(size, b"\0"))
    try:
        layout = RingLayout.unpack(memory)
    except FrameFormatError:
        return
    assert version == 1
    assert layout.size <= len(memory)


def test_messages_are_what_the_documents_say() -> None:
    stream = StreamMessage(id="remote/alice/camera", bytes=4096)
    assert stream.wire() == {"type": "stream", "id": "remote/alice/camera", "version": 1, "bytes": 4096}
    assert AGENT_MESSAGE.validate_python(stream.wire()) == stream
    assert AGENT_MESSAGE.validate_json('{"type": "end", "id": "local/camera"}') == EndMessage(
        id="local/camera"
    )
    assert WantMessage(ids=["local/camera"]).wire() == {"type": "want", "ids": ["local/camera"]}


@pytest.mark.parametrize("stream_id", ["", "/", "local/", "../x y", "a/b/c/d/e", "x" * 65])
def test_what_is_no_stream_id_is_refused(stream_id: str) -> None:
    with pytest.raises(ValidationError):
        EndMessage(id=stream_id)
