# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remembered on both ends: arrivals until they are told, packets until they are heard of."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.rtc.congestion.arrivals import MAX_INTERVAL_S, MIN_INTERVAL_S, Arrivals
from callagent.rtc.congestion.sent_history import KEPT_S, MAX_PACKETS, SentHistory
from callagent.rtc.congestion.transport_feedback import (
    REFERENCE_S,
    TICK_S,
    TransportFeedback,
    parse_feedback,
)

SENDER, MEDIA = 11, 22


def told(message: TransportFeedback) -> dict[int, float | None]:
    """By sequence number the arrival, in seconds since the receiver's reference."""
    return {
        (message.base_sequence + place) & 0xFFFF: None
        if ticks is None
        else message.reference * REFERENCE_S + ticks * TICK_S
        for place, ticks in enumerate(message.arrivals)
    }


def test_what_arrived_is_told_once_and_what_is_missing_with_it() -> None:
    arrivals = Arrivals(SENDER)
    assert arrivals.take(1.0) == []
    for sequence, at in ((65534, 10.0), (65535, 10.001), (1, 10.02)):
        arrivals.add(sequence, MEDIA, 1000, at)
    (message,) = arrivals.take(10.1)
    assert (message.sender_ssrc, message.media_ssrc, message.number) == (SENDER, MEDIA, 0)
    assert told(message) == pytest.approx({65534: 10.0, 65535: 10.001, 0: None, 1: 10.02}, abs=TICK_S)
    assert not arrivals.pending
    assert arrivals.take(10.2) == []


def test_a_late_packet_is_told_with_those_after_it() -> None:
    arrivals = Arrivals(SENDER)
    for sequence, at in ((5, 10.0), (7, 10.02)):
        arrivals.add(sequence, MEDIA, 1000, at)
    arrivals.take(10.05)
    for sequence, at in ((6, 10.06), (8, 10.07)):
        arrivals.add(sequence, MEDIA, 1000, at)
    (message,) = arrivals.take(10.1)
    assert message.number == 1
    assert told(message) == pytest.approx({6: 10.06, 7: 10.02, 8: 10.07}, abs=TICK_S)


def test_a_long_silence_takes_two_messages() -> None:
    arrivals = Arrivals(SENDER)
    arrivals.add(1, MEDIA, 1000, 10.0)
    arrivals.add(2, MEDIA, 1000, 30.0)
    messages = arrivals.take(30.1)
    assert [parse_feedback(m.serialize()) for m in messages] == messages
    assert [told(m) for m in messages] == [{1: pytest.approx(10.0)}, {2: pytest.approx(30.0)}]


def test_the_interval_follows_what_arrives() -> None:
    arrivals = Arrivals(SENDER)
    arrivals.take(0.0)
    arrivals.add(1, MEDIA, 100, 0.5)
    arrivals.take(1.0)
    assert arrivals.interval_s == MAX_INTERVAL_S
    for sequence in range(2, 252):
        arrivals.add(sequence, MEDIA, 1000, 1.5)
    arrivals.take(2.0)
    assert arrivals.interval_s == MIN_INTERVAL_S


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.floats(0, 2)), max_size=60), st.integers(1, 10))
def test_whatever_arrives_can_be_told(packets: list[tuple[int, float]], every: int) -> None:
    arrivals = Arrivals(SENDER)
    now = 5.0
    for count, (sequence, pause_s) in enumerate(packets):
        now += pause_s
        arrivals.add(sequence, MEDIA, 100, now)
        if count % every == 0:
            for message in arrivals.take(now):
                assert parse_feedback(message.serialize()) == message
                assert len(message.arrivals) < 10_000


def test_memory_is_bounded_while_nobody_asks() -> None:
    arrivals = Arrivals(SENDER)
    for sequence in range(20_000):
        arrivals.add(sequence & 0xFFFF, MEDIA, 100, 10 + sequence / 1000)
    assert len(arrivals._times) <= 8000
    history = SentHistory()
    for sequence in range(2 * MAX_PACKETS):
        history.add(sequence & 0xFFFF, 100, 10.0)
    assert len(history._packets) <= MAX_PACKETS
    history.add(0, 100, 11 + KEPT_S)
    assert len(history._packets) == 1


def test_what_was_sent_is_found_again_past_every_wrap() -> None:
    """Sequence numbers and reference time both wrap; reordering, loss and lost messages on top."""
    chance = random.Random(3)
    history, arrivals = SentHistory(), Arrivals(SENDER)
    # The 24 bits of the reference time wrap at 2**24 * 64 ms.
    ahead_s = (1 << 24) * REFERENCE_S - 50
    lost, heard_lost, delays = 0, 0, []
    for count in range(20_000):
        now = 1 + count * 0.01
        sequence = 60_000 + count & 0xFFFF
        history.add(sequence, 500, now)
        if chance.random() < 0.1:
            lost += 1
        else:
            arrivals.add(sequence, MEDIA, 500, now + ahead_s + 0.05)
        if count % 8 == 7:
            for message in arrivals.take(now + ahead_s):
                for result in history.results(parse_feedback(message.serialize()), now):
                    if result.arrived_at is None:
                        heard_lost += 1
                    else:
                        delays.append(result.arrived_at - result.sent.sent_at)
    assert heard_lost == pytest.approx(lost, abs=3)
    assert len(delays) == pytest.approx(20_000 - lost, abs=10)
    # The offset of the clocks is unknown, but the same for all.
    assert max(delays) - min(delays) <= 2 * TICK_S


def test_what_is_told_twice_counts_once() -> None:
    history = SentHistory()
    for sequence in range(4):
        history.add(sequence, 500, 1.0)
    message = TransportFeedback(SENDER, MEDIA, 0, 0, 0, (1, None, 2))
    arrived = history.results(message, 1.1)
    assert [result.sent.sequence for result in arrived] == [0, 2]
    (lost,) = history.results(message, 1.3)
    assert (lost.sent.sequence, lost.arrived_at) == (1, None)
    assert history.results(message, 1.5) == []
    (late,) = history.results(TransportFeedback(SENDER, MEDIA, 1, 0, 1, (9,)), 1.6)
    assert late.sent.sequence == 1
    assert late.arrived_at == pytest.approx(9 * TICK_S)


def test_what_was_only_overtaken_is_not_lost() -> None:
    history = SentHistory()
    for sequence in range(4):
        history.add(sequence, 500, 1.0)
    assert len(history.results(TransportFeedback(SENDER, MEDIA, 0, 0, 0, (1, None, 2)), 1.1)) == 2
    later = TransportFeedback(SENDER, MEDIA, 1, 0, 1, (3, None, 4))
    assert [result.arrived_at is not None for result in history.results(later, 1.15)] == [True, True]
    assert history.results(later, 2.0) == []


def test_what_was_never_sent_is_not_found() -> None:
    history = SentHistory()
    history.add(100, 500, 1.0)
    assert history.results(TransportFeedback(SENDER, MEDIA, 200, 0, 0, (1, 2, None)), 1.1) == []
