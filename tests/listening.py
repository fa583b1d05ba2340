# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a virtual speaker recorded, while it still records."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 48000
_HEADER_BYTES = 44


def samples(recording: Path, last_s: float) -> NDArray[np.int16]:
    """The newest `last_s` seconds of a mono 16-bit 48 kHz WAV file; shorter when there is less."""
    data = recording.read_bytes()[_HEADER_BYTES:] if recording.exists() else b""
    return np.frombuffer(data[: len(data) // 2 * 2], "<i2")[-int(last_s * RATE_HZ) :].astype(np.int16)
