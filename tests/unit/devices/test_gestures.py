# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of a button's changes, against a model that knows the whole press beforehand."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.devices.gestures import Debounce, Gesture, Gestures

HOLD_S, DOUBLE_S, DEBOUNCE_S = 2.0, 0.35, 0.02
SHORT, LONG, DOUBLE = Gesture.SHORT, Gesture.LONG, Gesture.DOUBLE


def told(
    changes: list[tuple[float, bool]], *, double: bool, end: float = 100.0
) -> list[tuple[Gesture, float]]:
    """All gestures with their times: changes are fed, and `tick` is called exactly when it is due."""
    gestures = Gestures(hold_s=HOLD_S, double_s=DOUBLE_S, debounce_s=DEBOUNCE_S, double=double)
    found: list[tuple[Gesture, float]] = []

    def ticks_until(moment: float) -> None:
        while (due := gestures.next_due) is not None and due <= moment:
            found.extend((gesture, due) for gesture in gestures.tick(due))

    gestures.feed(False, 0.0)
    for moment, down in changes:
        ticks_until(moment)
        found.extend((gesture, moment) for gesture in gestures.feed(down, moment))
    ticks_until(end)
    return found


def press(at: float, lasting: float) -> list[tuple[float, bool]]:
    return [(at, True), (at + lasting, False)]


@pytest.mark.parametrize(
    ("double", "changes", "expected"),
    [
        (False, press(1, 0.1), [SHORT]),
        (False, press(1, 5), [LONG]),
        (False, [*press(1, 0.1), *press(1.2, 0.1)], [SHORT, SHORT]),
        (True, press(1, 0.1), [SHORT]),
        (True, [*press(1, 0.1), *press(1.3, 0.1)], [DOUBLE]),
        (True, [*press(1, 0.1), *press(2, 0.1)], [SHORT, SHORT]),
        (True, [*press(1, 0.1), *press(1.3, 5)], [DOUBLE, LONG]),
        (True, [*press(1, 0.1), *press(1.3, 0.1), *press(1.6, 0.1)], [DOUBLE, SHORT]),
        (False, press(1, 0.01), []),
    ],
)
def test_what_people_do(double: bool, changes: list[tuple[float, bool]], expected: list[Gesture]) -> None:
    assert [gesture for gesture, _ in told(changes, double=double)] == expected


def test_a_long_press_is_told_while_it_is_held_and_a_short_one_without_delay() -> None:
    ((_, moment),) = told(press(1, 50), double=True)
    assert moment == pytest.approx(1 + DEBOUNCE_S + HOLD_S, abs=0.021)
    ((_, moment),) = told(press(1, 0.1), double=False)
    assert moment == pytest.approx(1.1 + DEBOUNCE_S)


def test_a_press_that_began_before_anybody_watched_says_nothing() -> None:
    gestures = Gestures(debounce_s=0, double=False)
    assert gestures.feed(True, 0) == []
    assert gestures.tick(50) == []
    assert gestures.feed(False, 51) == []
    assert gestures.feed(True, 52) == []
    assert gestures.feed(False, 52.1) == [SHORT]


BOUNCES = st.lists(st.floats(0.0005, 0.004), max_size=4)


@given(
    st.lists(st.tuples(st.floats(0.06, 5.0), st.floats(0.06, 5.0), BOUNCES, BOUNCES), min_size=1, max_size=8),
    st.booleans(),
)
def test_bounces_change_nothing(
    presses: list[tuple[float, float, list[float], list[float]]], double: bool
) -> None:
    """Each press: pause before it, how long it lasts, and how its two edges bounce."""
    clean: list[tuple[float, bool]] = []
    bouncing: list[tuple[float, bool]] = []
    now = 1.0
    for pause, lasting, down_bounces, up_bounces in presses:
        for down, length, bounces in ((True, pause, down_bounces), (False, lasting, up_bounces)):
            now += length
            moment = now - 2 * sum(bounces)
            for gap in bounces:
                bouncing += [(moment, down), (moment + gap, not down)]
                moment += 2 * gap
            clean.append((now, down))
            bouncing.append((now, down))
    expected = [gesture for gesture, _ in told(clean, double=double)]
    assert [gesture for gesture, _ in told(bouncing, double=double)] == expected
    longs = sum(lasting > HOLD_S + DEBOUNCE_S for _, lasting, _, _ in presses)
    assert abs(expected.count(LONG) - longs) <= sum(
        abs(lasting - HOLD_S) <= 2 * DEBOUNCE_S for _, lasting, _, _ in presses
    )
    if not double:
        assert len(expected) == len(presses), "every press says exactly one thing"


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=30), st.booleans())
def test_no_sequence_breaks_it_and_it_always_comes_to_rest(
    steps: list[tuple[float, bool]], double: bool
) -> None:
    gestures = Gestures(debounce_s=DEBOUNCE_S, double=double)
    now = 0.0
    for pause, down in steps:
        now += pause
        gestures.feed(down, now)
    gestures.feed(False, now)
    for _ in range(4):
        if (due := gestures.next_due) is not None:
            gestures.tick(due)
    assert gestures.next_due is None


def test_a_switch_is_told_at_once_and_then_when_it_stood() -> None:
    switch = Debounce(0.02)
    assert switch.feed(True, 0) == [True]
    assert switch.next_due is None
    assert switch.feed(False, 1) == []
    assert switch.next_due == pytest.approx(1.02)
    assert switch.feed(True, 1.01) == [], "it bounced"
    assert switch.next_due is None
    assert switch.feed(False, 2) == []
    assert switch.tick(2.01) == []
    assert switch.tick(2.02) == [False]
    assert Debounce(0).feed(False, 0) == [False]


@given(st.lists(st.tuples(st.floats(0, 0.1), st.booleans()), min_size=1, max_size=40), st.floats(0, 0.05))
def test_a_switch_comes_to_rest_as_it_stands(steps: list[tuple[float, bool]], debounce_s: float) -> None:
    switch = Debounce(debounce_s)
    told: list[tuple[float, bool]] = []
    now = 0.0
    for pause, closed in steps:
        now += pause
        told += [(now, each) for each in switch.feed(closed, now)]
    if (due := switch.next_due) is not None:
        told += [(due, each) for each in switch.tick(due)]
    assert switch.next_due is None
    assert told[-1][1] == steps[-1][1]
    assert all(first != second for (_, first), (_, second) in itertools.pairwise(told)), "only changes"
    # Later than the first word nothing is said sooner than it stood for that long.
    changes = [0.0, *itertools.accumulate(pause for pause, _ in steps)]
    for moment, _ in told[1:]:
        assert any(moment - change >= debounce_s * 0.999 for change in changes)
