# SPDX-License-Identifier: GPL-3.0-or-later
"""Opus both ways, by libopus itself: with error correction, concealment and a loss that may change."""

from callagent.media.opus.decoder import OpusDecoder, SoundDecoder
from callagent.media.opus.encoder import DEFAULT_SETTINGS, OpusEncoder, OpusSettings
from callagent.media.opus.library import OpusError

__all__ = ["DEFAULT_SETTINGS", "OpusDecoder", "OpusEncoder", "OpusError", "OpusSettings", "SoundDecoder"]
