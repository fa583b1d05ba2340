# SPDX-License-Identifier: GPL-3.0-or-later
"""VP8 in software: libvpx in its real-time mode."""

from callagent.media.encoders.ffmpeg import FfmpegVideoEncoder
from callagent.ports import Codec

_SAME_RATE = 0.15
_BUFFER_S = 1.25
"""Its share sets the size of a key frame: a third of a second's bits at most. What follows one of half that
stays 0.3 dB worse for as long as nobody asks for another (measured).
"""


class Vp8Encoder(FfmpegVideoEncoder):
    """VP8 frames for WebRTC (RFC 7741).

    FFmpeg's libvpx wrapper takes no new rate while it runs: a change beyond 15 %
    opens the codec anew, which costs a key frame, at most every few seconds.
    """

    codec = Codec.VP8
    library = "libvpx"

    def _options(self, bitrate_bps: int) -> dict[str, str]:
        rate = str(bitrate_bps)
        return {
            "deadline": "realtime",
            # Negative: a fixed speed. With positive values libvpx seeks its own and takes twice the
            # time (measured).
            "cpu-used": "-8",
            "lag-in-frames": "0",
            "auto-alt-ref": "0",
            "static-thresh": "1",
            # Equal rates mean constant bit rate.
            "minrate": rate,
            "maxrate": rate,
            "bufsize": str(round(_BUFFER_S * bitrate_bps)),
            "undershoot-pct": "100",
            "overshoot-pct": "15",
            "qmin": "2",
            "qmax": "56",
        }

    def _threads(self) -> int:
        """Its row threads spin while they wait: two stutter on two cores and cost more than one."""
        return 1

    def _opening_bps(self) -> int:
        """What is nearly all of the rate is made all of it: it will be, and that costs no key frame then."""
        full_bps = self._settings.bitrate_bps
        return full_bps if self._target_bps * (1 + _SAME_RATE) >= full_bps else self._target_bps

    def _must_reopen(self) -> bool:
        return abs(self._opening_bps() - self._opened_bps) > _SAME_RATE * self._opened_bps
