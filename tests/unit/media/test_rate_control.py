# SPDX-License-Identifier: GPL-3.0-or-later
"""What one peer's reports make of the rate."""

from callagent.media.rate_control import PeerRate
from callagent.ports import NetworkReport


def test_loss_lowers_the_rate_where_nobody_else_looks_at_it() -> None:
    rate = PeerRate(100_000, 2_000_000)
    rate.report(NetworkReport(available_bps=1_500_000))
    rate.report(NetworkReport(fraction_lost=0.5))
    rate.report(NetworkReport(fraction_lost=0.5))
    assert rate.bps < 1_200_000


def test_loss_does_not_count_twice() -> None:
    """A radio link that always loses 5 % shows 12 % in every twentieth report; without growth in between the
    rate would sink to its least.
    """
    rate = PeerRate(100_000, 2_000_000)
    rate.report(NetworkReport(fraction_lost=0.5))
    rate.report(NetworkReport(available_bps=1_500_000, loss_counted=True))
    for _ in range(50):
        rate.report(NetworkReport(fraction_lost=0.12))
    assert rate.bps == 1_500_000
