# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoders behind one contract, as `callagent.media.encoders` are."""

from callagent.media.decoders.base import DecodeError, DecoderError, VideoDecoder
from callagent.media.decoders.ffmpeg import FfmpegVideoDecoder, open_video_decoder

__all__ = ["DecodeError", "DecoderError", "FfmpegVideoDecoder", "VideoDecoder", "open_video_decoder"]
