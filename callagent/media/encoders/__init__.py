# SPDX-License-Identifier: GPL-3.0-or-later
"""Encoders behind one contract each for pictures and sound."""

from callagent.media.encoders.base import EncodedPayload, EncoderSettings, VideoEncoder
from callagent.media.encoders.opus import OpusEncoder
from callagent.media.encoders.vp8 import Vp8Encoder
from callagent.media.encoders.x264 import X264Encoder

__all__ = ["EncodedPayload", "EncoderSettings", "OpusEncoder", "VideoEncoder", "Vp8Encoder", "X264Encoder"]
