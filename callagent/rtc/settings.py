# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site may choose about its WebRTC sessions."""

from dataclasses import dataclass

from callagent.ports import Codec
from callagent.rtc.h264_level import LEAST

VIDEO_CODECS = (Codec.H264, Codec.VP8)


@dataclass(frozen=True, slots=True, kw_only=True)
class RtcSettings:
    """Defaults suit a kiosk on a local network. Raises ValueError for what cannot work."""

    video_codecs: tuple[Codec, ...] = VIDEO_CODECS
    """Offered and preferred in this order; what is missing is not used."""
    h264_level: int = LEAST
    """level_idc of what the other side may send: `h264_level.level_for` a size."""
    connect_timeout_s: float = 10.0
    """From the first description to connected; after it the session has failed."""
    suspect_s: float = 1.0
    """Connected, but neither RTP nor RTCP for this long: the other side is asked whether it hears."""
    silence_timeout_s: float = 2.0
    """Neither RTP, nor RTCP, nor an answer for this long: the session has failed."""
    quiet_timeout_s: float = 6.0
    """It answers, but neither RTP nor RTCP for this long: the session has failed too."""
    gather_timeout_s: float = 0.5
    """How long a description waits for STUN and TURN; without such servers it does not wait."""
    start_bps: int = 1_000_000
    """What a new connection sends until it has heard of its way, a few tenths of a second."""
    min_bps: int = 50_000
    """Congestion control goes no lower."""
    max_bps: int = 8_000_000
    """Congestion control goes no higher, and does not find out whether the way carries more."""
    video_send_frames: int = 8
    """Encoded pictures waiting for the network before pictures are dropped."""
    audio_send_packets: int = 10
    """Opus packets of 20 ms waiting for the network before the oldest is dropped."""

    def __post_init__(self) -> None:
        codecs = self.video_codecs
        if not codecs or len(set(codecs)) != len(codecs) or not set(codecs) <= set(VIDEO_CODECS):
            raise ValueError(
                f"video_codecs must name {', '.join(VIDEO_CODECS)} once each at most, not {codecs}"
            )
        seconds = (
            "connect_timeout_s",
            "suspect_s",
            "silence_timeout_s",
            "quiet_timeout_s",
            "gather_timeout_s",
        )
        for name in seconds:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be greater than 0")
        if not 0 < self.min_bps <= self.start_bps <= self.max_bps:
            raise ValueError("the rates must be 0 < min_bps <= start_bps <= max_bps")
        for name in ("video_send_frames", "audio_send_packets"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
