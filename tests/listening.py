# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a virtual speaker recorded, while it still records."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 48000
_HEADER_BYTES = 44


def samples(recording: Path, last_s: float) -> NDArray[np.int16]:
    """The newest `last_s` seconds of a mono 16-bit 48 kHz WAV file; shorter when there is less."""
    if not recording.exists():
        return np.empty(0, np.int16)
    with recording.open("rb") as file:
        whole = (file.seek(0, 2) - _HEADER_BYTES) // 2
        wanted = max(0, min(whole, int(last_s * RATE_HZ)))
        file.seek(_HEADER_BYTES + 2 * (max(0, whole) - wanted))
        return np.frombuffer(file.read(2 * wanted), "<i2").astype(np.int16)
