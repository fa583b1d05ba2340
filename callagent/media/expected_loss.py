# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the peers report to the loss the shared sound is made for. Pure: no clock, no I/O."""

START_PERCENT = 10
"""Until somebody reports: the first word of a call should come through on a bad network too."""
MAX_PERCENT = 30
"""More correction than for so much takes too much from the sound itself."""
_RISE, _FALL = 0.5, 0.1
"""How far one report moves a peer's value: loss comes in bursts, and a quiet second proves little."""


class ExpectedLoss:
    """The worst peer decides; what it reports is smoothed, quick to rise and slow to fall."""

    def __init__(self) -> None:
        self._peers: dict[str, float] = {}

    @property
    def percent(self) -> int:
        """0 to 30. Callable from any thread while reports come in."""
        worst = max(tuple(self._peers.values()), default=START_PERCENT / 100)
        return min(MAX_PERCENT, round(worst * 100))

    def report(self, peer: str, fraction_lost: float) -> None:
        """One receiver report: 0.0 to 1.0 of the packets since the last one were lost."""
        fraction = max(0.0, min(1.0, fraction_lost))
        before = self._peers.get(peer, START_PERCENT / 100)
        self._peers[peer] = before + (fraction - before) * (_RISE if fraction > before else _FALL)

    def forget(self, peer: str) -> None:
        """The peer left. Idempotent."""
        self._peers.pop(peer, None)
