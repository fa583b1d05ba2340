# SPDX-License-Identifier: GPL-3.0-or-later
"""The small pure parts between the network and the sinks."""

import random
from types import SimpleNamespace

import pytest
from aiortc.clock import datetime_from_ntp
from hypothesis import given
from hypothesis import strategies as st

from callagent.rtc.key_frame_requests import KeyFrameRequests
from callagent.rtc.missing_packets import MAX_AGE_S, MAX_GAP, UNKNOWN_ROUND_TRIP_S, MissingPackets
from callagent.rtc.sender_clock import SenderClock
from callagent.rtc.unwrapping import Unwrapper


@given(
    first=st.integers(0, 1 << 20),
    steps=st.lists(st.integers(-(1 << 14), 1 << 14), max_size=50),
    bits=st.sampled_from([16, 32]),
)
def test_unwrapped_numbers_keep_their_distances(first: int, steps: list[int], bits: int) -> None:
    unwrapper, number = Unwrapper(bits), first
    origin = unwrapper.unwrap(number % (1 << bits)) - number
    for step in steps:
        number += step
        assert unwrapper.unwrap(number % (1 << bits)) == number + origin


def test_a_senders_clock_is_known_after_its_report() -> None:
    clock = SenderClock(90_000)
    assert clock.time_of(7, 5) is None
    clock.report(7, 0, 1)
    assert clock.time_of(7, 5) is None
    ntp = 3_900_000_000 << 32 | 1 << 31
    clock.report(7, ntp, 0xFFFFFFF0)
    at_report = datetime_from_ntp(ntp).timestamp()
    assert clock.time_of(7, 0xFFFFFFF0) == at_report
    assert clock.time_of(7, 90_000 - 16) == pytest.approx(at_report + 1, abs=1e-6)
    assert clock.time_of(7, 0xFFFFFFF0 - 45_000) == pytest.approx(at_report - 0.5, abs=1e-6)
    assert clock.time_of(8, 0) is None
    clock.report(7, ntp + (1 << 32), 0)
    assert clock.time_of(7, 0) == at_report + 1


def test_key_frame_requests_are_merged_until_one_comes() -> None:
    requests = KeyFrameRequests()
    assert not requests.due(1.0)
    assert requests.want(1.0)
    assert not requests.want(1.1)
    assert not requests.due(1.29)
    assert requests.due(1.31)
    assert not requests.want(1.4)
    requests.arrived()
    assert not requests.due(9.0)
    assert not requests.want(1.5)
    assert requests.due(1.62)
    assert requests.asked == 3


class Link:
    """A clock and a receiver that asks its `MissingPackets`."""

    def __init__(self, round_trip_s: float | None) -> None:
        self.seconds = 0.0
        self.round_trip_s = round_trip_s
        self.packets = MissingPackets(self, lambda: self.round_trip_s)

    def now(self) -> float:
        return self.seconds

    def receive(self, number: int, at: float) -> list[int]:
        self.seconds = at
        packet = SimpleNamespace(sequence_number=number & 0xFFFF)
        return list(self.packets.missing) if self.packets.add(packet) else []


def test_missing_packets_are_asked_for_twice_per_round_trip() -> None:
    link = Link(round_trip_s=0.1)
    assert link.receive(65534, 0.0) == []
    assert link.receive(65534 + 4, 0.001) == [65535, 0, 1]
    assert link.receive(65534 + 5, 0.020) == []
    assert link.receive(65534 + 6, 0.022) == [65535, 0, 1]
    assert link.receive(65536, 0.100) == []
    assert link.receive(65534 + 7, 0.119) == []
    assert link.receive(65534 + 9, 0.122) == [65535, 1, 6]
    assert link.receive(65534 + 10, 0.143) == [65535, 1, 6]
    assert link.receive(65534 + 11, 0.200) == []
    assert link.packets.asked == 12
    link.packets.forget_before(2)
    assert link.receive(65534 + 12, 0.3) == [6]
    assert link.receive(65534 + 13, 0.122 + MAX_AGE_S + 0.01) == []


def test_on_a_short_way_one_request_per_round_trip_is_enough() -> None:
    link = Link(round_trip_s=0.03)
    link.receive(0, 0.0)
    assert link.receive(2, 0.0) == [1]
    assert link.receive(3, 0.045) == []
    assert link.receive(4, 0.051) == [1]


def test_before_the_round_trip_is_known_some_patience_is_assumed() -> None:
    link = Link(round_trip_s=None)
    link.receive(0, 0.0)
    assert link.receive(2, 0.0) == [1]
    assert link.receive(2, 0.03) == [1]
    assert link.receive(3, UNKNOWN_ROUND_TRIP_S) == []
    assert link.receive(4, UNKNOWN_ROUND_TRIP_S + 0.03) == [1]


def test_an_outage_asks_for_nothing() -> None:
    link = Link(round_trip_s=0.05)
    link.receive(0, 0.0)
    link.receive(2, 0.0)
    assert link.receive(2 + MAX_GAP + 1, 1.0) == []
    assert link.receive(2 + MAX_GAP + 2, 1.1) == []


def test_packets_that_only_overtake_each_other_are_soon_not_asked_for() -> None:
    link, chance = Link(round_trip_s=0.1), random.Random(1)
    # A packet every 5 ms with 20 ms of jitter: nearly all of them overtake or are overtaken.
    arrivals = sorted((number * 0.005 + chance.uniform(0, 0.02), number) for number in range(2000))
    asked = [len(link.receive(number, at)) for at, number in arrivals]
    assert sum(asked[1000:]) < 0.05 * sum(number != i for i, (_, number) in enumerate(arrivals[1000:], 1000))


def test_the_wait_for_overtaken_packets_is_forgotten_where_they_are_lost() -> None:
    link, highest, at = Link(round_trip_s=0.1), 0, 0.0
    link.receive(0, at)
    for _ in range(64):
        at += 0.1
        link.receive(highest + 2, at)
        link.receive(highest + 1, at + 0.005)
        highest += 2
    # One is missing, and waited for as long as the others took.
    at += 0.1
    assert link.receive(highest + 2, at) == []
    assert link.receive(highest + 3, at + 0.006) == [(highest + 1) & 0xFFFF]
    link.receive(highest + 1, at + 0.11)
    highest += 3
    for _ in range(64):
        at += 0.3
        link.receive(highest + 2, at)
        link.receive(highest + 3, at + 0.01)
        link.receive(highest + 1, at + 0.12)
        highest += 3
    assert link.receive(highest + 2, at + 0.3) == [(highest + 1) & 0xFFFF]


@given(st.data())
def test_what_is_asked_for_never_came_and_what_came_is_never_asked_for_again(data: st.DataObject) -> None:
    link, received, highest = Link(round_trip_s=0.02), {0}, 0
    link.receive(0, 0.0)
    for step in range(1, 80):
        number = data.draw(st.integers(max(0, highest - 20), highest + 20))
        highest = max(highest, number)
        received.add(number)
        asked = link.receive(number, step * 0.005)
        assert not set(asked) & received
        assert all(0 < missing < highest for missing in asked)
    assert len(link.packets._waiting) <= highest + 1 - len(received)
