# SPDX-License-Identifier: GPL-3.0-or-later
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.rtc.frame_buffer import (
    ASK_AGAIN_TICKS,
    GIVE_UP_TICKS,
    AssembledFrame,
    FrameBuffer,
    MediaPacket,
)

FRAME_TICKS = 3000


def packets_of(
    frame: int, size: int, first_sequence: int, *, key: bool = False, marker: bool = True, start: int = 0
) -> list[MediaPacket]:
    """The packets of one picture; its data names the picture and the packet."""
    timestamp = (start + frame * FRAME_TICKS) & 0xFFFFFFFF
    return [
        MediaPacket(
            (first_sequence + i) & 0xFFFF,
            timestamp,
            marker and i == size - 1,
            f"{frame}.{i};".encode(),
            key and i == 0,
        )
        for i in range(size)
    ]


def stream(
    sizes: list[int], keys: set[int], first_sequence: int = 0, *, marker: bool = True, start: int = 0
) -> list[list[MediaPacket]]:
    frames = []
    for number, size in enumerate(sizes):
        frames.append(
            packets_of(number, size, first_sequence, key=number in keys, marker=marker, start=start)
        )
        first_sequence += size
    return frames


def feed(buffer: FrameBuffer, packets: list[MediaPacket]) -> tuple[list[AssembledFrame], int]:
    frames, asked = [], 0
    for packet in packets:
        asked += buffer.add(packet)
        while (frame := buffer.pop()) is not None:
            frames.append(frame)
    return frames, asked


def data_of(packets: list[MediaPacket]) -> bytes:
    return b"".join(packet.data for packet in packets)


def test_a_picture_is_out_with_its_last_packet() -> None:
    buffer = FrameBuffer()
    key, delta = stream([3, 2], {0})
    assert feed(buffer, key[:-1]) == ([], 0)
    assert feed(buffer, key[-1:]) == ([AssembledFrame(0, data_of(key), key=True)], 0)
    assert feed(buffer, delta) == ([AssembledFrame(FRAME_TICKS, data_of(delta), key=False)], 0)


def test_without_marker_the_next_picture_ends_it() -> None:
    frames = stream([2, 2, 1], {0}, marker=False)
    out, asked = feed(FrameBuffer(), [p for frame in frames for p in frame])
    assert [frame.data for frame in out] == [data_of(frame) for frame in frames[:2]]
    assert asked == 0


def test_nothing_comes_out_before_a_key_frame_and_it_is_asked_for() -> None:
    frames = stream([1] * 30, {25})
    out, asked = feed(FrameBuffer(), [p for frame in frames for p in frame])
    assert [frame.data for frame in out] == [data_of(frame) for frame in frames[25:]]
    assert asked == 1 + 24 * FRAME_TICKS // ASK_AGAIN_TICKS


def test_a_gap_holds_pictures_up_until_it_is_filled() -> None:
    buffer = FrameBuffer()
    frames = stream([2, 2, 1, 1], {0})
    lost = frames[1][0]
    arriving = [*frames[0], frames[1][1], *frames[2], *frames[3]]
    assert len(feed(buffer, arriving)[0]) == 1
    out, asked = feed(buffer, [lost])
    assert [frame.data for frame in out] == [data_of(frame) for frame in frames[1:]]
    assert asked == 0


def test_a_gap_that_is_not_filled_is_left_at_the_next_key_frame() -> None:
    count = GIVE_UP_TICKS // FRAME_TICKS + 9
    frames = stream([1] * count, {0, count - 2})
    out, asked = feed(FrameBuffer(), [p for n, frame in enumerate(frames) for p in frame if n != 2])
    assert [frame.data for frame in out] == [data_of(frames[n]) for n in (0, 1, count - 2, count - 1)]
    assert asked == 1


def test_a_key_frame_behind_a_gap_is_used_without_asking() -> None:
    count = GIVE_UP_TICKS // FRAME_TICKS + 6
    frames = stream([1] * count, {0, 5})
    out, asked = feed(FrameBuffer(), [p for n, frame in enumerate(frames) for p in frame if n != 2])
    assert [frame.data for frame in out] == [data_of(frames[n]) for n in (0, 1, *range(5, count))]
    assert asked == 0


def test_a_restarted_sender_is_followed_from_its_key_frame() -> None:
    buffer = FrameBuffer()
    feed(buffer, [p for frame in stream([1] * 3, {0}, first_sequence=60000) for p in frame])
    again = stream([2] * 3, {0}, first_sequence=100, start=123456)
    out, _ = feed(buffer, [p for frame in again for p in frame])
    assert [frame.data for frame in out] == [data_of(frame) for frame in again]


def test_padding_between_pictures_is_no_picture() -> None:
    buffer = FrameBuffer()
    key = packets_of(0, 2, 0, key=True)
    padding = [MediaPacket(2, 0, False, b""), MediaPacket(3, 0, False, b"")]
    delta = packets_of(1, 1, 4)
    out, asked = feed(buffer, [*key, *padding, *delta])
    assert [frame.data for frame in out] == [data_of(key), data_of(delta)]
    assert asked == 0


def test_the_first_packet_of_the_first_picture_may_come_late() -> None:
    buffer = FrameBuffer()
    key = packets_of(0, 4, 10, key=True)
    out, _ = feed(buffer, [key[1], key[3], key[0], key[2]])
    assert [frame.data for frame in out] == [data_of(key)]


@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=40),
    first_sequence=st.integers(0, 0xFFFF),
    start=st.integers(0, 0xFFFFFFFF),
    seed=st.integers(),
)
def test_any_small_disorder_and_repetition_changes_nothing(
    sizes: list[int], first_sequence: int, start: int, seed: int
) -> None:
    frames = stream(sizes, {0}, first_sequence, start=start)
    packets = [p for frame in frames for p in frame]
    chance = random.Random(seed)
    order = sorted(range(len(packets)), key=lambda i: i + chance.uniform(0, 5))
    arriving = [packets[i] for i in order for _ in range(chance.choice((1, 1, 2)))]
    # The first packet stays first: before a key frame there is nothing to sort into.
    out, _ = feed(FrameBuffer(), [packets[0], *arriving])
    assert [frame.data for frame in out] == [data_of(frame) for frame in frames]


@given(
    sizes=st.lists(st.integers(1, 4), min_size=20, max_size=80),
    key_every=st.integers(3, 30),
    loss=st.floats(0, 0.4),
    seed=st.integers(),
)
def test_what_comes_out_always_decodes(sizes: list[int], key_every: int, loss: float, seed: int) -> None:
    keys = {n for n in range(len(sizes)) if n % key_every == 0}
    frames = stream(sizes, keys)
    chance = random.Random(seed)
    packets = [p for frame in frames for p in frame if chance.random() >= loss]
    out, _ = feed(FrameBuffer(), packets)
    numbers = {data_of(frame): n for n, frame in enumerate(frames)}
    got = [numbers[frame.data] for frame in out]
    for before, after in zip([None, *got], got, strict=False):
        assert after in keys or (before is not None and after == before + 1)


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_memory_stays_bounded(loss: float) -> None:
    buffer = FrameBuffer()
    chance = random.Random(1)
    for frame in stream([3] * 3000, {0}):
        feed(buffer, [p for p in frame if chance.random() >= loss])
        assert len(buffer._packets) <= 2048
