# SPDX-License-Identifier: GPL-3.0-or-later
"""When, by its sender's wall clock, something was captured."""

_NTP_TO_UNIX_S = 2_208_988_800
_HALF = 1 << 31


class SenderClock:
    """From RTCP sender reports, each of which names one moment on both clocks (RFC 3550 section 6.4.1).

    Pure. Takes the newest report's pair and the clock rate; a sender's report need
    not be of the stream's last packet.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._moments: dict[int, tuple[float, int]] = {}

    def report(self, ssrc: int, ntp_timestamp: int, rtp_timestamp: int) -> None:
        """A sender report: 64-bit NTP time stamp (RFC 5905) and 32-bit RTP time stamp of one moment.

        A sender that has sent nothing yet, or has no clock, gives 0 for the time.
        """
        if ntp_timestamp:
            self._moments[ssrc] = (ntp_timestamp / (1 << 32) - _NTP_TO_UNIX_S, rtp_timestamp)

    def time_of(self, ssrc: int, rtp_timestamp: int) -> float | None:
        """Unix seconds by the sender's clock for a 32-bit time stamp of this source; None before a report."""
        moment = self._moments.get(ssrc)
        if moment is None:
            return None
        ticks = ((rtp_timestamp - moment[1] + _HALF) & 0xFFFFFFFF) - _HALF
        return moment[0] + ticks / self._rate_hz
