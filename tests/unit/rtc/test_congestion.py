# SPDX-License-Identifier: GPL-3.0-or-later
"""Congestion control across a simulated bottleneck: what the rate and the queue do."""

import math
from collections.abc import Callable
from statistics import fmean

import pytest

from callagent.rtc.congestion.controller import FIRST_BURST_BYTES, CongestionController
from tests.unit.rtc.link import Link, Sender, arrived_bps, run

START_BPS = 300_000


def sender(seed: int = 1, media_max_bps: float = math.inf, begins_at: float = 0.0) -> Sender:
    return Sender(CongestionController(START_BPS, max_bps=12_000_000), seed, media_max_bps, begins_at)


def targets(one: Sender, from_s: float, to_s: float) -> float:
    """The mean of the allowed rate, bit/s."""
    return fmean(sample.target_bps for sample in one.samples if from_s <= sample.at < to_s)


def queues(one: Sender, from_s: float, to_s: float) -> list[float]:
    return [sample.queue_s for sample in one.samples if from_s <= sample.at < to_s]


def rate(bps: float) -> Callable[[Link], None]:
    def change(link: Link) -> None:
        link.rate_bps = bps

    return change


@pytest.mark.parametrize(("link_bps", "seed"), [(300e3, 1), (300e3, 2), (1e6, 3), (2e6, 4)])
def test_a_way_is_used_and_its_queue_kept_short(link_bps: float, seed: int) -> None:
    link, one = Link(link_bps), sender(seed)
    run(link, [one], 20)
    assert targets(one, 3, 5) >= 0.7 * link_bps
    assert 0.80 * link_bps <= targets(one, 5, 20) <= 1.0 * link_bps
    assert arrived_bps(one, 5, 20) >= 0.80 * link_bps
    short = [queue < 0.1 for queue in queues(one, 5, 20)]
    assert fmean(short) >= 0.85
    assert link.dropped == 0


@pytest.mark.parametrize(("queue_bytes", "seed"), [(25_000, 1), (math.inf, 1), (math.inf, 2)])
def test_a_way_that_shrinks_and_grows_again(queue_bytes: float, seed: int) -> None:
    link, one = Link(2e6, queue_bytes), sender(seed, media_max_bps=2.5e6)
    run(link, [one], 35, [(8, rate(400e3)), (20, rate(2e6))])
    assert max(queues(one, 13, 20)) < 0.3
    assert targets(one, 14, 20) >= 0.6 * 400e3
    # Within 15 s of the recovery.
    assert targets(one, 30, 35) >= 0.8 * 2e6
    assert arrived_bps(one, 30, 35) >= 0.85 * 2e6


@pytest.mark.parametrize(("link_bps", "seed"), [(1e6, 1), (2e6, 2)])
def test_random_loss_is_not_taken_for_congestion(link_bps: float, seed: int) -> None:
    link, one = Link(link_bps, loss=0.05), sender(seed)
    run(link, [one], 20)
    assert targets(one, 5, 20) >= 0.82 * link_bps


def test_loss_of_a_way_that_does_not_queue_lowers_the_rate() -> None:
    link, one = Link(1e6, queue_bytes=3000), sender()
    one.controller = CongestionController(2_000_000)
    run(link, [one], 20)
    assert targets(one, 5, 20) < 1.25e6


def test_a_guess_far_above_the_way_is_corrected() -> None:
    link = Link(300e3, queue_bytes=60_000)
    one = Sender(CongestionController(1_000_000))
    run(link, [one], 20)
    assert max(queues(one, 5, 20)) < 0.3
    assert targets(one, 8, 20) >= 0.75 * 300e3


@pytest.mark.parametrize("later_s", [0.0, 10.0])
def test_twins_share_a_way(later_s: float) -> None:
    link, ends = Link(2e6), [sender(1), sender(2, begins_at=later_s)]
    run(link, ends, 60)
    # Over a while: within some seconds one may have four fifths of it.
    through = [arrived_bps(one, 20, 60) for one in ends]
    assert 0.3 <= through[0] / sum(through) <= 0.7
    assert sum(through) >= 0.8 * 2e6


@pytest.mark.parametrize("reorders", [False, True])
def test_jitter_without_queue_does_not_starve(reorders: bool) -> None:
    link, one = Link(1e6, jitter_s=0.02, reorders=reorders), sender()
    run(link, [one], 20)
    assert targets(one, 5, 20) >= 0.8 * 1e6


def test_packets_that_overtake_each_other_are_not_taken_for_lost() -> None:
    link, one = Link(10e6, jitter_s=0.04, reorders=True), sender(media_max_bps=1.5e6)
    run(link, [one], 30)
    assert one.controller.fraction_lost == 0.0
    assert targets(one, 5, 30) >= 1.5e6


def test_little_to_send_on_a_wide_way_keeps_a_high_estimate() -> None:
    link, one = Link(10e6), sender(media_max_bps=1e6)
    run(link, [one], 20)
    assert one.controller.application_limited
    assert min(sample.target_bps for sample in one.samples if sample.at >= 10) >= 5e6
    assert max(queues(one, 3, 20)) < 0.1


def test_a_way_that_went_dead_is_not_filled() -> None:
    link, one = Link(2e6), sender()
    run(link, [one], 20, [(10, rate(1.0))])
    assert one.samples[-1].target_bps <= 100_000


def test_ten_packets_may_leave_at_once_until_something_is_known_of_the_way() -> None:
    link, one = Link(300e3), sender()
    assert one.controller.burst_bytes == FIRST_BURST_BYTES
    run(link, [one], 1)
    assert one.controller.burst_bytes < FIRST_BURST_BYTES / 2


def test_rates_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="min_bps"):
        CongestionController(100, 200, 300)
