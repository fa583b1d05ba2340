# SPDX-License-Identifier: GPL-3.0-or-later
import random
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.rtc.frame_buffer import (
    ASK_AGAIN_S,
    GIVE_UP_S,
    AssembledFrame,
    FrameBuffer,
    MediaPacket,
)

FRAME_TICKS = 3000
FRAME_S = 1 / 32
"""A binary fraction, so that no sum is off by a rounding."""
GIVE_UP_FRAMES = int(GIVE_UP_S / FRAME_S)


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
            arrival_time=1000 + frame * FRAME_S + i * 0.001,
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
    assert feed(buffer, key[-1:]) == (
        [AssembledFrame(0, data_of(key), True, arrival_time=1000.002, began_time=1000.0, next_sequence=3)],
        0,
    )
    assert feed(buffer, delta[::-1]) == (
        [
            AssembledFrame(
                FRAME_TICKS,
                data_of(delta),
                key=False,
                arrival_time=1000 + FRAME_S + 0.001,
                began_time=1000 + FRAME_S,
                next_sequence=5,
            )
        ],
        0,
    )


def test_without_marker_the_next_picture_ends_it() -> None:
    frames = stream([2, 2, 1], {0}, marker=False)
    out, asked = feed(FrameBuffer(), [p for frame in frames for p in frame])
    assert [frame.data for frame in out] == [data_of(frame) for frame in frames[:2]]
    assert asked == 0


def test_nothing_comes_out_before_a_key_frame_and_it_is_asked_for() -> None:
    frames = stream([1] * 30, {25})
    out, asked = feed(FrameBuffer(), [p for frame in frames for p in frame])
    assert [frame.data for frame in out] == [data_of(frame) for frame in frames[25:]]
    assert asked == 1 + int(24 * FRAME_S / ASK_AGAIN_S)


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
    count = GIVE_UP_FRAMES + 9
    frames = stream([1] * count, {0, count - 2})
    out, asked = feed(FrameBuffer(), [p for n, frame in enumerate(frames) for p in frame if n != 2])
    assert [frame.data for frame in out] == [data_of(frames[n]) for n in (0, 1, count - 2, count - 1)]
    assert asked == 1


def test_a_gap_may_last_as_long_as_a_retransmission_takes() -> None:
    frames = stream([1] * 40, {0})
    asked = []
    for patience_s in (GIVE_UP_S, 2 * GIVE_UP_S):
        buffer = FrameBuffer(partial(float, patience_s))
        for number, (packet,) in enumerate(frames):
            if number != 2 and feed(buffer, [packet])[1]:
                asked.append(number)
                break
    # A gap at 2 holds up 3, from which the time counts.
    assert asked == [3 + GIVE_UP_FRAMES, 3 + 2 * GIVE_UP_FRAMES]


def test_gaps_that_are_filled_one_after_the_other_are_no_reason_to_give_up() -> None:
    """With a long round trip there is always one open; each is filled in time."""
    frames = stream([1] * 200, {0})
    # In units of pictures: every third is lost and comes again just before patience ends.
    comes = [n + GIVE_UP_FRAMES - 0.5 if n % 3 == 2 and n < 190 else float(n) for n in range(200)]
    order = sorted(range(200), key=comes.__getitem__)
    arriving = [replace(frames[n][0], arrival_time=1000 + comes[n] * FRAME_S) for n in order]
    out, asked = feed(FrameBuffer(), arriving)
    assert [frame.data for frame in out] == [data_of(frame) for frame in frames]
    assert asked == 0


def test_a_key_frame_behind_a_gap_is_used_without_asking() -> None:
    count = GIVE_UP_FRAMES + 6
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
    padding = [MediaPacket(number, 0, False, b"", False, 0.0) for number in (2, 3)]
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
