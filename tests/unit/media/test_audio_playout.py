# SPDX-License-Identifier: GPL-3.0-or-later
"""The voice of another party: what is late, lost, twice or of another stream, packet by packet."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.audio_network import (
    Path,
    listen,
)
from callagent.media.playout.audio_core import AudioPlayoutCore
from callagent.media.playout.audio_delay import MAX_TARGET_S
from callagent.media.sound import RATE_HZ
from callagent.ports import ReceivedPacket
from tests.unit.media.numbered_tone import TONE_HZ, Listener, NumberedTone, received


def test_the_target_grows_at_once_and_shrinks_slowly() -> None:
    listener = Listener()
    listener.run(range(500))
    assert listener.core.target_s == pytest.approx(0.02)
    listener.hear(12)
    for number in range(500, 506):
        listener.core.put(received(number, listener.now))
    assert 0.1 < listener.core.target_s < 0.2
    made_up = listener.core.counters.concealed_samples
    assert made_up > 0
    listener.run(range(506, 530))
    assert listener.core.target_s > 0.08, "half a second later"
    assert listener.core.counters.lost == listener.core.counters.late == 0
    listener.run(range(530, 2000))
    assert listener.core.target_s < 0.03
    assert listener.core.delay_s < 0.05
    assert listener.core.counters.shortened_samples > 0
    assert listener.core.counters.concealed_samples == made_up


def test_a_lost_packet_is_taken_from_the_next_one() -> None:
    listener = Listener()
    for number in range(300):
        if number % 50 != 25:
            listener.core.put(received(number, listener.now))
        listener.hear(2)
    counters = listener.core.counters
    assert counters.lost == 6
    assert counters.recovered >= 5, "the first may come before it is known to be worth waiting for"
    without = Listener(fec=False)
    for number in range(300):
        if number % 50 != 25:
            without.core.put(received(number, without.now))
        without.hear(2)
    assert without.core.counters.recovered == 0
    assert without.core.counters.lost == 6
    assert without.core.counters.concealed_samples >= 6 * 480


def test_late_packets_and_duplicates_are_counted_not_played() -> None:
    listener = Listener()
    listener.run(range(100))
    for number in (100, 102, 103, 104, 105, 106, 107, 108):
        listener.core.put(received(number, listener.now))
        listener.hear(2)
    before = listener.core.counters.lost
    assert before == 1
    listener.core.put(received(101, listener.now))
    listener.core.put(received(101, listener.now))
    listener.core.put(received(108, listener.now))
    listener.core.put(received(90, listener.now))
    counters = listener.core.counters
    assert (counters.lost, counters.late, counters.duplicate) == (0, 1, 3)


def test_a_pause_of_the_sender_is_silence_and_no_loss() -> None:
    listener = Listener()
    listener.run(range(100))
    listener.hear(100)
    # A second without packets: the time stamps went on, the numbers did not (DTX, mute).
    listener.run(range(100, 200), shift=RATE_HZ)
    counters = listener.core.counters
    assert counters.lost == counters.late == counters.skipped == counters.restarts == 0
    assert counters.concealed_samples == 0
    assert counters.silent_samples > 0.7 * RATE_HZ
    assert listener.core.delay_s < 0.06
    assert listener.hear(1) == [True]


def test_a_pause_known_beforehand_fades_without_an_edge() -> None:
    for phase in range(5):
        listener = Listener()
        listener.run(range(100))
        listener.hear(20)
        # A stall: the delay is 0.2 s from now on.
        for number in range(100, 110):
            listener.core.put(received(number, listener.now))
        listener.run(range(110, 150 + phase))
        began = len(listener.sound)
        listener.hear(10)
        listener.run(range(150 + phase, 200), shift=4800)
        assert listener.core.counters.lost == listener.core.counters.skipped == 0
        sound = np.concatenate(listener.sound[began:]).astype(float)
        assert (np.abs(sound).reshape(-1, 480).max(axis=1) == 0).any(), "there is the pause"
        assert np.abs(np.diff(sound)).max() < 1.2 * 8000 * 2 * np.pi * TONE_HZ / RATE_HZ


def test_duplicates_that_come_late_are_no_reason_to_wait() -> None:
    listener = Listener()
    for number in range(400):
        listener.core.put(received(number, listener.now))
        if number >= 10:
            listener.core.put(received(number - 10, listener.now))
        listener.hear(2)
    assert listener.core.counters.duplicate == 390
    assert listener.core.counters.restarts == 0
    assert listener.core.target_s == pytest.approx(0.02)


def test_a_pause_in_which_the_time_stamps_stood_still_is_no_reason_to_wait() -> None:
    listener = Listener()
    listener.run(range(100))
    listener.hear(300)
    listener.run(range(100, 110))
    assert listener.hear(1) == [True]
    listener.run(range(110, 400))
    assert listener.core.counters.lost == listener.core.counters.skipped == 0
    assert listener.core.delay_s < 0.06


def test_when_nothing_comes_any_more_it_fades_to_silence_and_comes_back() -> None:
    listener = Listener()
    listener.run(range(50))
    heard = listener.hear(100)
    assert heard[0]
    assert not heard[-1]
    assert heard.index(False) < 32
    number = round((listener.now - 10.0) / 0.02)
    listener.run(range(number, number + 20))
    assert listener.hear(1) == [True]
    assert listener.core.counters.lost == number - 50


def test_another_stream_begins_where_numbers_or_times_jump() -> None:
    for sequence, timestamp in ((60_000, 100), (110, 10**9), (-60_000, -(10**9)), (-100, 110 * 960)):
        listener = Listener()
        listener.run(range(100))
        stray = received(100, listener.now, sequence=sequence, timestamp=timestamp)
        listener.core.put(stray)
        listener.run(range(100, 110))
        assert listener.core.counters.restarts == 0, "one packet proves nothing"
        for number in range(40):
            listener.core.put(
                received(number, listener.now, sequence=sequence + number, timestamp=timestamp + number * 960)
            )
            listener.hear(2)
        assert listener.core.counters.restarts == 1
        assert listener.decoder.resets == 1
        assert listener.hear(1) == [True]
        assert listener.core.counters.lost <= 1


def test_a_stalled_burst_is_cut_to_the_longest_delay() -> None:
    listener = Listener()
    listener.run(range(100))
    listener.hear(300)
    for number in range(100, 250):
        listener.core.put(received(number, listener.now))
    listener.run(range(250, 260))
    assert listener.core.delay_s <= MAX_TARGET_S + 0.1
    assert listener.core.counters.skipped > 100
    assert listener.hear(1) == [True]
    listener.run(range(260, 2500))
    assert listener.core.delay_s < 0.05


@pytest.mark.parametrize("pull_s", [0.0105, 0.0115, 0.015, 0.03])
def test_a_speaker_that_is_too_slow_plays_all_the_time(pull_s: float) -> None:
    """On an overloaded machine it pulls less often than it should: the rest is left out, nothing else."""
    core, pulls, number, quiet = AudioPlayoutCore(NumberedTone()), int(20 / pull_s), 0, 0
    for pull in range(pulls):
        now = pull * pull_s
        while number * 0.02 <= now:
            core.put(received(number, number * 0.02))
            number += 1
        quiet += core.take(now) is None
    assert quiet * pull_s < 0.2
    assert core.counters.concealed_samples == 0
    assert core.delay_s < 0.6


@pytest.mark.parametrize("length", [120, 480, 1920, 2880, 5760])
def test_packets_may_be_of_any_length(length: int) -> None:
    decoder = NumberedTone(length=length)
    core = AudioPlayoutCore(decoder)
    now, number, heard = 10.0, 0, []
    for _ in range(1000):
        while number * length / RATE_HZ <= now - 10.0:
            core.put(ReceivedPacket(number, number * length, decoder.payload(number), now, None))
            number += 1
        samples = core.take(now)
        heard.append(samples)
        now += 0.01
    assert all(samples is not None for samples in heard[10:])
    assert core.counters.concealed_samples == core.counters.lost == core.counters.skipped == 0
    assert core.delay_s < 0.045


def test_packets_that_are_none_are_counted_and_concealed() -> None:
    listener = Listener()
    for number in range(105):
        packet = received(number, listener.now)
        if number % 20 == 19:
            packet = ReceivedPacket(number, number * 960, b"" if number == 19 else b"x", listener.now, None)
        listener.core.put(packet)
        listener.hear(2)
    assert listener.core.counters.broken == 5
    assert listener.hear(1) == [True]


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("packet"), st.integers(-40, 40), st.integers(-2000, 2000)),
        st.tuples(st.just("next"), st.integers(1, 5), st.just(0)),
        st.tuples(st.just("skip"), st.integers(1, 60), st.integers(0, 100_000)),
        st.tuples(st.just("jump"), st.integers(-(10**5), 10**5), st.integers(-(2**32), 2**32)),
        st.tuples(st.just("hear"), st.integers(1, 40), st.integers(0, 30)),
    ),
    max_size=60,
)


@given(events=EVENTS, fec=st.booleans())
@settings(max_examples=120)
def test_any_packets_in_any_order_give_the_right_number_of_samples(
    events: list[tuple[str, int, int]], fec: bool
) -> None:
    listener = Listener(fec)
    number, timestamp = 0, 0
    for what, one, two in events:
        if what == "packet":
            listener.core.put(
                received(1000, listener.now, sequence=number + one, timestamp=timestamp + one * 960 + two)
            )
        elif what == "next":
            for _ in range(one):
                number, timestamp = number + 1, timestamp + 960
                listener.core.put(received(1000, listener.now, sequence=number, timestamp=timestamp))
        elif what == "skip":
            number, timestamp = number + one, timestamp + one * 960 + two
        elif what == "jump":
            number, timestamp = number + one, timestamp + two
        else:
            listener.now += two / 100
            listener.hear(one)
        counters = listener.core.counters
        assert all(getattr(counters, name) >= 0 for name in counters.__slots__)
        assert listener.core.buffered_s <= 0.9
        assert 0.02 <= listener.core.target_s <= MAX_TARGET_S
    # Whatever came before: a second of ordinary packets later there is sound, and on time.
    for _ in range(150):
        number, timestamp = number + 1, timestamp + 960
        listener.core.put(received(1000, listener.now, sequence=number, timestamp=timestamp))
        heard = listener.hear(2)
    assert heard == [True, True]
    assert listener.core.delay_s <= MAX_TARGET_S + 0.2


@given(
    loss=st.floats(0, 0.6),
    jitter_ms=st.integers(0, 200),
    duplicates=st.floats(0, 0.5),
    ppm=st.integers(-300, 300),
    seed=st.integers(0, 1000),
)
@settings(max_examples=15)
def test_on_any_network_the_delay_is_bounded_and_the_books_are_right(
    loss: float, jitter_ms: int, duplicates: float, ppm: int, seed: int
) -> None:
    path = Path(0.3, jitter_ms / 1000, loss, 1.5, duplicates, ppm, 0.001, seed)
    heard = listen(path, 8, NumberedTone.payload, NumberedTone())
    assert heard.delay_s.max() <= MAX_TARGET_S + 0.15
    counters = heard.core.counters
    assert counters.broken == counters.restarts == 0
    assert counters.received <= 402 * (1 + duplicates) + 60
    assert 0 <= counters.lost + counters.late <= 402
    assert counters.recovered <= counters.lost + counters.late
    if loss == 0:
        assert counters.lost <= counters.skipped + 5
