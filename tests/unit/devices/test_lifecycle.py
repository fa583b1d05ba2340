# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever waits for the end of a device is told of it once it is there, and only then."""

from callagent.devices.lifecycle import Lifecycle
from callagent.ports import SourceState


def test_the_end_is_told_to_all_who_asked_and_have_not_left() -> None:
    life, told = Lifecycle(), list[str]()
    life.begin()
    life.when_ended(lambda: told.append("first"))
    leave = life.when_ended(lambda: told.append("second"))
    assert told == []
    leave()
    leave()
    life.lose(SourceState.ABSENT, "pulled")
    assert told == ["first"]


def test_who_asks_after_the_end_is_told_at_once() -> None:
    life, told = Lifecycle(), list[str]()
    life.begin()
    life.off()
    life.when_ended(lambda: told.append("late"))
    assert told == ["late"]


def test_who_asked_is_told_of_every_end() -> None:
    life, told = Lifecycle(), list[str]()
    life.begin()
    life.when_ended(lambda: told.append("ended"))
    life.off()
    life.begin()
    life.lose(SourceState.FAILED, "silent")
    assert told == ["ended", "ended"]
