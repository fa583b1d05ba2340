# SPDX-License-Identifier: GPL-3.0-or-later
"""Encoders behind one contract for pictures."""

from callagent.media.encoders.base import (
    EncodedPayload,
    EncoderError,
    EncoderSettings,
    EncoderTraits,
    VideoEncoder,
)
from callagent.media.encoders.vp8 import Vp8Encoder
from callagent.media.encoders.x264 import X264Encoder

__all__ = [
    "EncodedPayload",
    "EncoderError",
    "EncoderSettings",
    "EncoderTraits",
    "VideoEncoder",
    "Vp8Encoder",
    "X264Encoder",
]
