# SPDX-License-Identifier: GPL-3.0-or-later
"""Sample formats of sound cards to and from signed 16 bit. Pure."""

import sys

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

_ENDIAN = "LE" if sys.byteorder == "little" else "BE"
S16 = f"S16_{_ENDIAN}"
S32 = f"S32_{_ENDIAN}"
S24 = f"S24_{_ENDIAN}"
"""24 bits in the low bytes of 32."""
S24_3LE = "S24_3LE"
"""24 bits in three bytes, as USB carries them."""

FLOAT = f"FLOAT_{_ENDIAN}"
U8 = "U8"

PREFERENCE = (S16, S32, S24, S24_3LE, FLOAT, U8)
"""What to ask a card for, in order."""
SUPPORTED = frozenset(PREFERENCE)


def to_s16(data: bytes, format_name: str) -> Samples:
    """A card's samples as 16 bit, channels still interleaved. Raises ValueError for another format."""
    if format_name == S16:
        return np.frombuffer(data, np.int16)
    if format_name == S32:
        return (np.frombuffer(data, np.int32) >> 16).astype(np.int16)
    if format_name == S24:
        # The upper byte is padding of any content.
        return (np.frombuffer(data, np.int32) << 8 >> 16).astype(np.int16)
    if format_name == S24_3LE:
        parts = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return parts[:, 1:].copy().view("<i2").ravel().astype(np.int16)
    if format_name == FLOAT:
        return np.clip(np.frombuffer(data, np.float32) * 32768, -32768, 32767).astype(np.int16)
    if format_name == U8:
        return (np.frombuffer(data, np.uint8).astype(np.int16) - 128) << 8
    raise ValueError(f"sample format {format_name} is not supported")


def from_s16(samples: Samples, format_name: str) -> bytes:
    """16 bit samples in the card's format. Raises ValueError for another format."""
    if format_name == S16:
        return samples.tobytes()
    if format_name == S32:
        return (samples.astype(np.int32) << 16).tobytes()
    if format_name == S24:
        return (samples.astype(np.int32) << 8).tobytes()
    if format_name == S24_3LE:
        wide = np.zeros((len(samples), 3), np.uint8)
        wide[:, 1:] = samples.astype("<i2").view(np.uint8).reshape(-1, 2)
        return wide.tobytes()
    if format_name == FLOAT:
        return (samples.astype(np.float32) / 32768).tobytes()
    if format_name == U8:
        return ((samples >> 8) + 128).astype(np.uint8).tobytes()
    raise ValueError(f"sample format {format_name} is not supported")
