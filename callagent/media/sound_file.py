# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound files (mp3, wav, m4a, flac, whatever FFmpeg reads) into memory, checked."""

from pathlib import Path

import av
import numpy as np

from callagent.media.sound import RATE_HZ, Samples

MAX_S = 120.0
MIN_S = 0.05
SOUND_FILE = 90021
"""The number users see (protocol.errors.ErrorCode.SOUND_FILE)."""


class SoundProblem(Exception):
    """A configured sound cannot be used; `code` is 90021, `path` the file."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.code = SOUND_FILE


def decode(path: Path) -> Samples:
    """The whole file as mono 48 kHz; blocks. Raises SoundProblem when it is unusable."""
    if not path.is_file():
        raise SoundProblem(path, f"The sound {path} does not exist")
    try:
        samples = _decode(path)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SoundProblem(path, f"The sound {path} cannot be decoded: {error}") from error
    if len(samples) < MIN_S * RATE_HZ:
        raise SoundProblem(path, f"The sound {path} holds no sound")
    if not samples.any():
        raise SoundProblem(path, f"The sound {path} is nothing but silence")
    return samples


def _decode(path: Path) -> Samples:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
    parts: list[Samples] = []
    length = 0
    with av.open(str(path)) as container:
        if not container.streams.audio:
            raise ValueError("there is no audio in it")
        for frame in container.decode(container.streams.audio[0]):
            # Files count time in many ways and some not at all; the samples follow one another anyway.
            frame.pts = None
            for part in resampler.resample(frame):
                parts.append(part.to_ndarray()[0].astype(np.int16))
                length += len(parts[-1])
            if length > MAX_S * RATE_HZ:
                raise ValueError(f"it is longer than {MAX_S:.0f} s")
        parts.extend(part.to_ndarray()[0].astype(np.int16) for part in resampler.resample(None))
    return np.concatenate(parts) if parts else np.empty(0, np.int16)
