# SPDX-License-Identifier: GPL-3.0-or-later
"""Noise suppression by a recurrent neural network: Xiph's RNNoise."""

import ctypes
import ctypes.util
import importlib.util
from pathlib import Path

import numpy as np

from callagent.media.audio_processing.contract import ProcessingError, Wave
from callagent.media.sound import FRAME_S, FRAME_SAMPLES

LATENCY_S = 2 * FRAME_S
"""Measured."""
_SYSTEM_LIBRARY = "librnnoise.so.0"
_WHEEL = "pyrnnoise"


def installed() -> bool:
    """Whether the library is there; loads nothing of it."""
    return ctypes.util.find_library("rnnoise") is not None or any(Path(place).exists() for place in _places())


class RnNoise:
    """RNNoise 0.2's C library with the model built in: works without network. Not thread-safe.

    The library is the system's, else the one in the `pyrnnoise` wheel (x86-64, aarch64); the wheel's Python
    part is not imported, since it draws in a plotting library.
    """

    def __init__(self) -> None:
        """Raises ProcessingError where there is no library."""
        self._library = _load()
        self._state = ctypes.c_void_p(self._library.rnnoise_create(None))
        if not self._state:
            raise ProcessingError("RNNoise does not start")

    def process(self, samples: Wave) -> Wave:
        """480 samples, 20 ms later than they went in."""
        out = np.ascontiguousarray(samples, np.float32).copy()
        data = out.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        self._library.rnnoise_process_frame(self._state, data, data)
        return out

    def __del__(self) -> None:
        state = getattr(self, "_state", None)
        if state:
            self._library.rnnoise_destroy(state)


def _load() -> ctypes.CDLL:
    for path in _places():
        try:
            library = ctypes.CDLL(path)
            library.rnnoise_create.argtypes = [ctypes.c_void_p]
            library.rnnoise_create.restype = ctypes.c_void_p
            library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
            samples = ctypes.POINTER(ctypes.c_float)
            library.rnnoise_process_frame.argtypes = [ctypes.c_void_p, samples, samples]
            library.rnnoise_process_frame.restype = ctypes.c_float
        except (OSError, AttributeError):
            continue
        if library.rnnoise_get_frame_size() == FRAME_SAMPLES:
            return library
    raise ProcessingError("RNNoise is not installed")


def _places() -> list[str]:
    spec = importlib.util.find_spec(_WHEEL)
    folders = (spec.submodule_search_locations or []) if spec is not None else []
    return [_SYSTEM_LIBRARY, *(str(Path(folder) / "librnnoise.so") for folder in folders)]
