# SPDX-License-Identifier: GPL-3.0-or-later
"""Which layer each peer gets, so that one narrow way does not spoil the picture of all. Pure.

A peer whose way carries less than half of what the others' do counts as narrow: the high layer stops
following it at once, and after three seconds it gets the low layer. A way that is used a little tells little
of how much more it would carry, so that going back is tried: after ten quiet seconds, and after each time it
fails twice as many.
"""

from dataclasses import dataclass

from callagent.media.rate_control import NARROW, PeerRate, followed
from callagent.ports import Layer, NetworkReport

NARROW_S = 3.0
QUIET_LOSS = 0.02
FIRST_RETRY_S, LAST_RETRY_S = 10.0, 120.0


@dataclass(slots=True)
class _Peer:
    rate: PeerRate
    layer: Layer = Layer.HIGH
    narrow_since: float | None = None
    quiet_since: float = 0.0
    """On the low layer: since when it has been without trouble."""
    retry_s: float = FIRST_RETRY_S
    trial_since: float | None = None
    """Back on the high layer, to see whether it is carried now."""


class LayerChoice:
    """Used under its stream's lock; time comes in."""

    def __init__(self, min_bps: int, high_bps: int) -> None:
        """`high_bps`: what the high layer is made for, `min_bps`: what it is never below."""
        self._min_bps, self._high_bps = min_bps, high_bps
        self._peers: dict[str, _Peer] = {}

    def join(self, peer: str) -> None:
        self._peers.setdefault(peer, _Peer(PeerRate(self._min_bps, self._high_bps)))

    def leave(self, peer: str) -> None:
        """Idempotent."""
        self._peers.pop(peer, None)

    def layer(self, peer: str) -> Layer:
        """The one it is to get now."""
        found = self._peers.get(peer)
        return Layer.HIGH if found is None else found.layer

    @property
    def high_bps(self) -> int:
        """What the high layer's encoder follows: the narrowest of the ways that are not narrow."""
        rates = [each.rate.bps for each in self._peers.values() if each.layer is Layer.HIGH]
        return followed(rates, self._high_bps)

    def report(self, peer: str, report: NetworkReport, now: float) -> None:
        """What a peer's way can carry; afterwards `layer` may be another, of this peer or of others."""
        found = self._peers.get(peer)
        if found is None:
            return
        found.rate.report(report)
        if report.fraction_lost is not None and report.fraction_lost > QUIET_LOSS:
            found.quiet_since = now
        self._decide(now)

    def _decide(self, now: float) -> None:
        peers = self._peers.values()
        if len(peers) == 1 or all(each.layer is Layer.LOW for each in peers):
            # Nobody to be spared: the high layer follows the way there is.
            for each in peers:
                each.layer, each.narrow_since, each.trial_since = Layer.HIGH, None, None
            return
        widest = max(each.rate.bps for each in peers if each.layer is Layer.HIGH)
        for each in peers:
            if each.layer is Layer.HIGH:
                self._watch(each, each.rate.bps < NARROW * widest, now)
            elif each.rate.bps >= NARROW * widest or now - each.quiet_since >= each.retry_s:
                self._try(each, now)

    def _watch(self, peer: _Peer, narrow: bool, now: float) -> None:
        peer.narrow_since = (peer.narrow_since if peer.narrow_since is not None else now) if narrow else None
        if peer.narrow_since is not None and now - peer.narrow_since >= NARROW_S:
            if peer.trial_since is not None:
                peer.retry_s = min(2 * peer.retry_s, LAST_RETRY_S)
            peer.layer, peer.quiet_since = Layer.LOW, now
            peer.narrow_since = peer.trial_since = None
        elif peer.trial_since is not None and not narrow and now - peer.trial_since >= 2 * NARROW_S:
            peer.trial_since, peer.retry_s = None, FIRST_RETRY_S

    def _try(self, peer: _Peer, now: float) -> None:
        peer.layer, peer.trial_since, peer.narrow_since = Layer.HIGH, now, None
        # What was reported of the low layer's trickle says nothing of the high one.
        peer.rate = PeerRate(self._min_bps, self._high_bps)
