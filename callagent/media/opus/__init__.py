# SPDX-License-Identifier: GPL-3.0-or-later
"""Opus both ways, by libopus itself: with error correction, concealment and a loss that may change."""

from callagent.media.opus.decoder import OpusDecoder, SoundDecoder
from callagent.media.opus.encoder import PACKET_S, PACKET_SAMPLES, OpusEncoder
from callagent.media.opus.library import OpusError

__all__ = ["PACKET_S", "PACKET_SAMPLES", "OpusDecoder", "OpusEncoder", "OpusError", "SoundDecoder"]
