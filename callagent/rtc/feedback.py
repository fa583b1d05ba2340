# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of a peer's network reports limit an encoder."""

from collections import deque

from callagent.ports import NetworkReport

WINDOW_S = 1.0
HEADROOM = 1.25
"""An estimate this far above what is being sent does not say that the way is full."""


class ReportFilter:
    """Lets through the reports that say something of the way, not of our own silence.

    A receiver's estimate (REMB) never rises above about 1.5 times what arrives,
    so a calm picture would talk its own bitrate down and be blurred when
    something moves. A falling estimate is passed on only when it comes near
    what is really being sent. Pure; time is the frames' capture time.
    """

    def __init__(self) -> None:
        self._sent: deque[tuple[float, int]] = deque()
        self._sent_bytes = 0
        self._last_bps: int | None = None

    def sent(self, time_s: float, payload_bytes: int) -> None:
        self._sent.append((time_s, payload_bytes))
        self._sent_bytes += payload_bytes
        while self._sent[0][0] < time_s - WINDOW_S:
            self._sent_bytes -= self._sent.popleft()[1]

    def passes(self, report: NetworkReport) -> bool:
        """Whether the encoder is to hear of this report."""
        if report.available_bps is None:
            return True
        rising = self._last_bps is None or report.available_bps >= self._last_bps
        if rising or report.available_bps < HEADROOM * self._sent_bytes * 8 / WINDOW_S:
            self._last_bps = report.available_bps
            return True
        return False
