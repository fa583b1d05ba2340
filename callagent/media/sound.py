# SPDX-License-Identifier: GPL-3.0-or-later
"""The one form sound has inside: 10 ms, 480 samples, signed 16 bit, mono, 48 kHz."""

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 48_000
FRAME_SAMPLES = 480
FRAME_S = FRAME_SAMPLES / RATE_HZ

Samples = NDArray[np.int16]


def _silence() -> memoryview:
    samples = np.zeros(FRAME_SAMPLES, np.int16)
    samples.flags.writeable = False
    return samples.data


SILENCE = _silence()
"""One frame of exact zeros, read-only."""
