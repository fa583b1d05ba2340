# SPDX-License-Identifier: GPL-3.0-or-later
"""A speaker made of software: plays into memory and into a WAV file."""

import contextlib
import struct
import threading
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from callagent.devices.errors import SPEAKER_FAIL
from callagent.devices.virtual.faults import VirtualDevice
from callagent.devices.virtual.microphone import FRAME_SAMPLES, RATE_HZ
from callagent.ports import AudioPull, Clock, MonotonicClock

_CATCH_UP_S = 0.1
_KEPT_SAMPLES = 10 * RATE_HZ
_HEADER_EVERY_BYTES = RATE_HZ
"""Half a second."""


class VirtualSpeaker(VirtualDevice):
    """A `ports.AudioOutput`: pulls the sound of `period_ms` at once, 10 ms by 10 ms, in real time.

    Keeps the last ten seconds (`recent`) and, when `record` names a file, everything
    in a WAV file (mono, 16 bit, 48 kHz) that can be read while it grows. A
    speaker opened again goes on in the same file.
    """

    def __init__(
        self,
        name: str = "virtual-speaker",
        record: Path | str | None = None,
        *,
        period_ms: int = 10,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(name, SPEAKER_FAIL)
        self._period_s, self._pulls = period_ms / 1000, period_ms * RATE_HZ // 1000 // FRAME_SAMPLES
        self._clock = clock or MonotonicClock()
        self._record = WavFile(Path(record)) if record is not None else None
        self._lock = threading.Lock()
        self._kept = np.zeros(_KEPT_SAMPLES, np.int16)
        self._played = 0

    @property
    def delay_s(self) -> float:
        """What is pulled is heard at once."""
        return 0.0

    @property
    def played_s(self) -> float:
        """Seconds of sound taken since the speaker was made."""
        return self._played / RATE_HZ

    def recent(self, seconds: float = 10.0) -> NDArray[np.int16]:
        """What was played last: a copy, 48 kHz mono, oldest sample first; shorter at the beginning."""
        with self._lock:
            wanted = min(int(seconds * RATE_HZ), self._played, _KEPT_SAMPLES)
            end = self._played % _KEPT_SAMPLES
            return np.roll(self._kept, -end)[_KEPT_SAMPLES - wanted :].copy()

    def open(self, pull: AudioPull) -> None:
        """Start playing. Raises SourceError when `occupied` is set.

        When the file cannot be written the speaker becomes FAILED, as a broken card does.
        """
        self._begin()
        self._thread = threading.Thread(target=self._run, args=(pull,), name=self._name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        super().close()
        if self._record is not None:
            with contextlib.suppress(OSError):
                self._record.close()

    def _run(self, pull: AudioPull) -> None:
        try:
            self._play(pull)
        except OSError as error:
            self.fail(f"the record of {self.name} cannot be written: {error.strerror}")

    def _play(self, pull: AudioPull) -> None:
        due = self._clock.now()
        while not self._stop.wait(max(0.0, due - self._clock.now())):
            now = self._clock.now()
            if now - due > _CATCH_UP_S:
                due = now
            due += self._period_s
            if self._frozen.is_set():
                continue
            for _ in range(self._pulls):
                self._take(np.frombuffer(pull(), np.int16))

    def _take(self, samples: NDArray[np.int16]) -> None:
        self._life.live()
        self._keep(samples)
        if self._record is not None:
            self._record.write(samples.astype("<i2").tobytes())

    def _keep(self, samples: NDArray[np.int16]) -> None:
        with self._lock:
            start = self._played % _KEPT_SAMPLES
            self._kept[start : start + len(samples)] = samples
            self._played += len(samples)


class WavFile:
    """A growing WAV file (mono, 16 bit, 48 kHz) whose header is put right every half second."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._bytes = 0
        self._since_header = 0

    def write(self, samples: bytes) -> None:
        """Append samples (little endian); opens the file when it is not. Raises OSError."""
        if self._file is None:
            self._file = self._path.open("r+b" if self._bytes else "w+b", buffering=0)
            self._write_header(self._file)
        self._file.write(samples)
        self._bytes += len(samples)
        self._since_header += len(samples)
        if self._since_header >= _HEADER_EVERY_BYTES:
            self._write_header(self._file)

    def close(self) -> None:
        if self._file is not None:
            self._write_header(self._file)
            self._file.close()
            self._file = None

    def _write_header(self, file: BinaryIO) -> None:
        """RIFF/WAVE with one fmt chunk (PCM) and one data chunk."""
        self._since_header = 0
        file.seek(0)
        file.write(
            struct.pack("<4sI4s", b"RIFF", 36 + self._bytes, b"WAVE")
            + struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE_HZ, RATE_HZ * 2, 2, 16)
            + struct.pack("<4sI", b"data", self._bytes)
        )
        file.seek(0, 2)
