# SPDX-License-Identifier: GPL-3.0-or-later
"""What is given up on a narrow way, and when it comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.media.adaptation import MIN_FPS, MIN_WIDTH, Adaptation, Priority, Quality, demand

FULL_BPS = 1_500_000


def settled(priority: Priority, target_bps: int) -> Quality:
    adaptation = Adaptation(priority, 1280, 30, FULL_BPS)
    for second in range(60):
        adaptation.update(target_bps, float(second))
    return adaptation.quality


def test_half_the_rate_is_carried_by_the_encoder_alone() -> None:
    for priority in Priority:
        assert settled(priority, FULL_BPS // 2) == Quality()


def test_the_priority_decides_what_suffers() -> None:
    frames_kept = settled(Priority.FRAMERATE, 300_000)
    assert frames_kept.rate == 1
    assert frames_kept.scale < 1
    size_kept = settled(Priority.RESOLUTION, 300_000)
    assert size_kept.scale == 1
    assert size_kept.rate < 1
    both = settled(Priority.BALANCE, 300_000)
    assert both.scale < 1
    assert both.rate < 1
    assert both.scale >= frames_kept.scale
    assert both.rate > size_kept.rate


@given(priority=st.sampled_from(Priority), bps=st.integers(50_000, FULL_BPS))
def test_what_is_chosen_is_carried_or_the_last_there_is(priority: Priority, bps: int) -> None:
    chosen = settled(priority, bps)
    assert bps >= 0.5 * demand(chosen) * FULL_BPS or chosen == settled(priority, 50_000)


@given(
    priority=st.sampled_from(Priority),
    width=st.integers(64, 1920),
    fps=st.integers(1, 30),
    rates=st.lists(st.integers(50_000, FULL_BPS), max_size=50),
)
def test_never_smaller_or_slower_than_is_of_use(
    priority: Priority, width: int, fps: int, rates: list[int]
) -> None:
    adaptation = Adaptation(priority, width, fps, FULL_BPS)
    for second, bps in enumerate(rates):
        quality = adaptation.update(bps, float(second))
        assert quality == Quality() or (width * quality.scale >= MIN_WIDTH and fps * quality.rate >= MIN_FPS)


def test_a_dip_of_a_second_changes_nothing() -> None:
    adaptation = Adaptation(Priority.BALANCE, 1280, 30, FULL_BPS)
    for tenth in range(300):
        dipping = tenth % 30 < 10
        quality = adaptation.update(600_000 if dipping else FULL_BPS, tenth / 10)
        assert quality == Quality()


def test_a_plunge_is_followed_at_once_and_recovery_takes_its_time() -> None:
    adaptation = Adaptation(Priority.BALANCE, 1280, 30, FULL_BPS)
    assert adaptation.update(FULL_BPS, 0.0) == Quality()
    low = adaptation.update(150_000, 0.1)
    assert low.scale < 1
    assert adaptation.update(FULL_BPS, 1.0) == low
    assert adaptation.update(FULL_BPS, 5.0) == low
    reached = [adaptation.update(FULL_BPS, 5.0 + second) for second in range(1, 40)]
    scales = [quality.scale for quality in reached]
    assert scales == sorted(scales)
    assert reached[-1] == Quality()


@pytest.mark.parametrize("priority", list(Priority))
def test_a_steady_rate_never_swings(priority: Priority) -> None:
    for bps in range(100_000, FULL_BPS, 50_000):
        adaptation = Adaptation(priority, 1280, 30, FULL_BPS)
        chosen = [adaptation.update(bps, float(second)) for second in range(120)]
        assert len(set(chosen[60:])) == 1


def test_when_the_way_is_wide_again_all_comes_back_at_once() -> None:
    adaptation = Adaptation(Priority.BALANCE, 1280, 30, FULL_BPS)
    adaptation.update(100_000, 0.0)
    for second in range(5):
        assert adaptation.update(FULL_BPS, 1.0 + second).scale < 1
    assert adaptation.update(FULL_BPS, 6.0) == Quality()
