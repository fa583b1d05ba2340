# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults every virtual device can be given, so that a program's handling of them can be tested."""

import threading

from callagent.devices.lifecycle import StatefulDevice
from callagent.ports import SourceError, SourceState


class VirtualDevice(StatefulDevice):
    """Name, state and faults of a virtual device. Thread-safe."""

    def __init__(self, name: str, occupied_code: int) -> None:
        super().__init__(name)
        self._occupied_code = occupied_code
        self._stop = threading.Event()
        self._frozen = threading.Event()
        self._thread: threading.Thread | None = None
        self.occupied = False
        """While True, `open` fails as if another program held the device."""

    def fail(self, reason: str = "the virtual device was made to fail", absent: bool = False) -> None:
        """Die as a broken device does (`absent`: as an unplugged one). `open` revives it."""
        self._life.lose(SourceState.ABSENT if absent else SourceState.FAILED, reason)
        self._stop.set()

    def freeze(self) -> None:
        """Give nothing more (a speaker: take nothing more), yet seem alive, as a hung device does."""
        self._frozen.set()

    def thaw(self) -> None:
        """End `freeze`."""
        self._frozen.clear()

    def close(self) -> None:
        """Stop the device's thread. Idempotent; blocks for one frame interval at most."""
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
            self._thread = None
        self._life.off()

    def _begin(self) -> None:
        """Check the faults and take the device. Raises SourceError."""
        if self.occupied:
            raise SourceError(f"{self._name} is in use by another program", self._occupied_code)
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
        self._life.begin()
        self._stop.clear()
