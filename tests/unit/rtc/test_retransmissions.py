# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sender does when a receiver asks for packets."""

from callagent.ports import NetworkReport
from callagent.rtc.retransmissions import LOSSY_S, Retransmissions
from tests.clock import HandClock


def test_what_is_on_its_way_is_not_sent_again() -> None:
    time = HandClock(50.0)
    sender = Retransmissions(time)
    sender.report(NetworkReport(round_trip_s=0.2))
    assert sender.asked(7)
    time.seconds += 0.09
    assert not sender.asked(7)
    assert sender.asked(8)
    time.seconds += 0.02
    assert sender.asked(7)
    assert sender.second_copies() == []


def test_on_a_lossy_way_each_is_sent_twice() -> None:
    time = HandClock(50.0)
    sender = Retransmissions(time)
    sender.report(NetworkReport(round_trip_s=0.1, fraction_lost=0.05))
    assert sender.asked(7)
    assert sender.asked(9)
    time.seconds += 0.02
    assert not sender.asked(7)
    assert sender.second_copies() == [7, 9]
    assert sender.second_copies() == []
    time.seconds += LOSSY_S
    assert sender.asked(10)
    assert sender.second_copies() == []


def test_second_copies_do_not_add_to_congestion() -> None:
    sender = Retransmissions(HandClock(50.0))
    sender.report(NetworkReport(fraction_lost=0.05))
    sender.report(NetworkReport(fraction_lost=0.2))
    assert sender.asked(7)
    assert sender.second_copies() == []


def test_a_second_copy_that_comes_late_is_left_out() -> None:
    time = HandClock(50.0)
    sender = Retransmissions(time)
    sender.report(NetworkReport(round_trip_s=0.1, fraction_lost=0.05))
    assert sender.asked(7)
    time.seconds += 0.2
    assert sender.second_copies() == []
