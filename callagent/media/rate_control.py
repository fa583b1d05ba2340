# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the peers report to the one rate the shared encoder runs at. Pure: no clock, no I/O."""

from collections.abc import Collection

from callagent.ports import NetworkReport

NARROW = 0.5
"""A way that carries less than this share of the widest one's rate is not followed."""
_HIGH_LOSS, _LOW_LOSS = 0.10, 0.02
_INCREASE = 1.05


class PeerRate:
    """What one peer's way carries: its own estimate and, where that knows nothing of loss, by loss
    (draft-ietf-rmcat-gcc-02, section 6).
    """

    def __init__(self, min_bps: int, max_bps: int) -> None:
        self._min_bps, self._max_bps = min_bps, max_bps
        self._by_loss = float(max_bps)
        self._available: int | None = None
        self._loss_counted = False

    @property
    def bps(self) -> int:
        limit = self._by_loss if self._available is None else min(self._by_loss, self._available)
        return int(max(self._min_bps, min(limit, self._max_bps)))

    def report(self, report: NetworkReport) -> None:
        if report.available_bps is not None:
            self._available = report.available_bps
        if report.loss_counted:
            self._loss_counted, self._by_loss = True, float(self._max_bps)
        loss = report.fraction_lost
        if loss is None or self._loss_counted:
            return
        if loss > _HIGH_LOSS:
            self._by_loss = max(self._min_bps, self._by_loss * (1 - 0.5 * min(loss, 1.0)))
        elif loss < _LOW_LOSS:
            self._by_loss = min(self._max_bps, self._by_loss * _INCREASE)


def followed(rates_bps: Collection[int], without_any_bps: int) -> int:
    """The least of the ways' rates, but for narrow ones: nobody else is to suffer from those."""
    widest = max(rates_bps, default=without_any_bps)
    return min((bps for bps in rates_bps if bps >= NARROW * widest), default=without_any_bps)


def least_bps(max_bps: int) -> int:
    """What a stream that may have so much is never pressed below."""
    return min(max_bps, max(50_000, max_bps // 20))


class SharedRate:
    """The rate that suits all peers but those with far narrower ways than the others'."""

    def __init__(self, max_bps: int) -> None:
        self._max_bps = max_bps
        self._min_bps = least_bps(max_bps)
        self._peers: dict[str, PeerRate] = {}

    @property
    def target_bps(self) -> int:
        """The preset's rate until somebody reports."""
        return followed([peer.bps for peer in self._peers.values()], self._max_bps)

    def report(self, peer: str, report: NetworkReport) -> None:
        if peer not in self._peers:
            self._peers[peer] = PeerRate(self._min_bps, self._max_bps)
        self._peers[peer].report(report)

    def forget(self, peer: str) -> None:
        """The peer left. Idempotent."""
        self._peers.pop(peer, None)
