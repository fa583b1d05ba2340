# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of transport-wide feedback, by hand and by chance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.rtc.congestion.transport_feedback import (
    MAX_DELTA_TICKS,
    FeedbackError,
    TransportFeedback,
    parse_feedback,
    split_compound,
)

HEAD = "12345678 9abcdef0"


def packet(fixed: str, body: str, first: str = "8f") -> bytes:
    """An RTCP packet of hexadecimal parts, its length filled in."""
    content = bytes.fromhex(HEAD + fixed + body)
    assert len(content) % 4 == 0
    return bytes.fromhex(first + "cd") + (len(content) // 4).to_bytes(2, "big") + content


def feedback(
    arrivals: tuple[int | None, ...], base: int = 1, reference: int = 2, number: int = 3
) -> TransportFeedback:
    return TransportFeedback(0x12345678, 0x9ABCDEF0, base, reference, number, arrivals)


# Base 0x0001, count as given, reference 0x000002, number 0x03; chunks and deltas by the figures
# of sections 3.1.3 to 3.1.5 of the draft.
VECTORS = {
    "run of received": (packet("0001 0003 000002 03", "2003 04 08 0c 000003", "af"), (4, 12, 24)),
    "run of lost, then one": (
        # 20 lost as a run (0x0014), one received as a run of one.
        packet("0001 0015 000002 03", "0014 2001 08 000003", "af"),
        (*(None,) * 20, 8),
    ),
    "one-bit vector": (
        # 1 0 1 1 and ten places of nothing: 0b10 1011 0000 0000 00.
        packet("0001 0004 000002 03", "ac00 01 02 03 000003", "af"),
        (1, None, 3, 6),
    ),
    "two-bit vector, back in time": (
        # small, large (-2), none, small: 0b11 01 10 00 01 00 00 00, deltas 0x0a, 0xfffe, 0x05.
        packet("0001 0004 000002 03", "d840 0a fffe 05 0002", "af"),
        (10, 8, None, 13),
    ),
    "no padding": (packet("0001 0002 000002 03", "2002 01 01", "8f"), (1, 2)),
    "large delta": (packet("0001 0001 000002 03", "4001 0100"), (256,)),
}


@pytest.mark.parametrize("name", VECTORS)
def test_vectors(name: str) -> None:
    data, arrivals = VECTORS[name]
    assert parse_feedback(data) == feedback(arrivals)
    assert feedback(arrivals).serialize() == data


def test_all_chunk_kinds_the_draft_shows() -> None:
    # Section 3.1.3: 0x00dd is 221 packets lost; 0x6018 is 24 with the reserved symbol.
    assert parse_feedback(packet("0001 00dd 000002 03", "00dd 0000")).arrivals == (None,) * 221
    with pytest.raises(FeedbackError):
        parse_feedback(packet("0001 0018 000002 03", "6018 0000"))
    # Section 3.1.4: 0b10 0 1 1 1 1 1 0 0 0 1 1 1 0 0.
    ones = parse_feedback(packet("0001 000e 000002 03", "9f1c" + "01" * 8 + "0000")).arrivals
    assert [at is not None for at in ones] == [bool(int(bit)) for bit in "01111100011100"]
    # And 0b11 00 11 01 01 01 00 00 with a reserved symbol, here one of two bits without.
    mixed = parse_feedback(packet("0001 0007 000002 03", "d540 01 01 01 01 0000")).arrivals
    assert mixed == (1, 2, 3, 4, None, None, None)


def test_zeroes_without_padding_bit_are_ignored() -> None:
    assert parse_feedback(packet("0001 0001 000002 03", "2001 05 00")) == feedback((5,))


def test_reference_time_wraps() -> None:
    assert parse_feedback(feedback((1,), reference=1 << 24).serialize()).reference == 0


def test_too_far_apart() -> None:
    for arrivals in ((MAX_DELTA_TICKS + 1,), (5, 5 - MAX_DELTA_TICKS - 2)):
        with pytest.raises(FeedbackError):
            feedback(arrivals).serialize()
    for arrivals in ((MAX_DELTA_TICKS,), (5, 4 - MAX_DELTA_TICKS)):
        assert parse_feedback(feedback(arrivals).serialize()).arrivals == arrivals


def test_nothing_to_tell() -> None:
    with pytest.raises(FeedbackError):
        feedback(()).serialize()


DELTAS = st.one_of(
    st.none(),
    st.integers(0, 255),
    st.integers(-MAX_DELTA_TICKS - 1, MAX_DELTA_TICKS),
)
RUNS = st.lists(st.tuples(DELTAS, st.integers(1, 40)), min_size=1, max_size=30)


@given(runs=RUNS, base=st.integers(0, 0xFFFF), reference=st.integers(0, 0xFFFFFF), number=st.integers(0, 255))
def test_round_trip(runs: list[tuple[int | None, int]], base: int, reference: int, number: int) -> None:
    arrivals: list[int | None] = []
    at = 0
    for delta, times in runs:
        for _ in range(times):
            at += delta or 0
            arrivals.append(None if delta is None else at)
    told = feedback(tuple(arrivals), base, reference, number)
    data = told.serialize()
    assert len(data) % 4 == 0
    assert parse_feedback(data) == told


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    messages, rest = split_compound(data)
    assert sum(map(len, messages)) + len(rest) == len(data)
    for body in (data, b"\x8f\xcd" + data, *messages):
        try:
            told = parse_feedback(body)
        except FeedbackError:
            continue
        assert 1 <= len(told.arrivals) <= 0xFFFF


@given(data=st.data())
def test_damaged_messages_are_read_or_refused(data: st.DataObject) -> None:
    good = bytearray(data.draw(st.sampled_from([vector for vector, _ in VECTORS.values()])))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse_feedback(bytes(good[: data.draw(st.integers(0, len(good)))]))
    except FeedbackError:
        return


def test_a_compound_packet_is_taken_apart() -> None:
    report = bytes.fromhex("80c90001 00000001")
    message = feedback((1, None, 3)).serialize()
    other = feedback((7,)).serialize()
    assert split_compound(report + message + report + other) == ([message, other], report + report)
    assert split_compound(message) == ([message], b"")
    cut = report + message[:-4]
    assert split_compound(cut) == ([], cut)
