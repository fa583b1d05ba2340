# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site may choose about its WebRTC sessions."""

from dataclasses import dataclass

from callagent.ports import Codec

VIDEO_CODECS = (Codec.H264, Codec.VP8)


@dataclass(frozen=True, slots=True, kw_only=True)
class RtcSettings:
    """Defaults suit a kiosk on a local network. Raises ValueError for what cannot work."""

    video_codecs: tuple[Codec, ...] = VIDEO_CODECS
    """Offered and preferred in this order; what is missing is not used."""
    connect_timeout_s: float = 10.0
    """From the first description to connected; after it the session has failed."""
    silence_timeout_s: float = 6.0
    """Connected, but neither RTP nor RTCP for this long: the session has failed."""
    gather_timeout_s: float = 0.5
    """How long a description waits for STUN and TURN; without such servers it does not wait."""
    video_send_frames: int = 8
    """Encoded pictures waiting for the network before pictures are dropped."""
    audio_send_packets: int = 10
    """Opus packets of 20 ms waiting for the network before the oldest is dropped."""
    video_decode_frames: int = 15
    """Received pictures waiting for the decoder before it skips to a key frame."""
    video_play_frames: int = 2
    """Decoded pictures waiting for their sink; the oldest gives way."""
    audio_play_frames: int = 10
    """Decoded stretches of sound waiting for their sink; the oldest gives way."""

    def __post_init__(self) -> None:
        codecs = self.video_codecs
        if not codecs or len(set(codecs)) != len(codecs) or not set(codecs) <= set(VIDEO_CODECS):
            raise ValueError(
                f"video_codecs must name {', '.join(VIDEO_CODECS)} once each at most, not {codecs}"
            )
        for name in ("connect_timeout_s", "silence_timeout_s", "gather_timeout_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be greater than 0")
        for name in (
            "video_send_frames",
            "audio_send_packets",
            "video_decode_frames",
            "video_play_frames",
            "audio_play_frames",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
