# SPDX-License-Identifier: GPL-3.0-or-later
"""A udev that says what a script tells it."""

import errno
import os
import threading
from collections import deque
from collections.abc import Sequence

from callagent.devices.udev_source import UdevEvent, UdevRecord


class ScriptedUdev:
    """A `UdevSource` that says what it is told. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[str, UdevRecord] = {}
        self._events: deque[UdevEvent | OSError] = deque()
        self._descriptor: int | None = None
        self.deaf = False
        """While True changes make no event, as when one is lost; only looking at everything finds them."""

    def open(self) -> int:
        with self._lock:
            self._events.clear()
            if self._descriptor is None:
                self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC | os.EFD_SEMAPHORE)
            return self._descriptor

    def snapshot(self) -> Sequence[UdevRecord]:
        with self._lock:
            return list(self._records.values())

    def paths(self) -> frozenset[str]:
        with self._lock:
            return frozenset(self._records)

    def receive(self) -> UdevEvent | None:
        with self._lock:
            if not self._events:
                return None
            event = self._events.popleft()
            if self._descriptor is not None:
                os.eventfd_read(self._descriptor)
        if isinstance(event, OSError):
            raise event
        return event

    def close(self) -> None:
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
            self._events.clear()
        if descriptor is not None:
            os.close(descriptor)

    def tell(self, action: str, record: UdevRecord) -> None:
        """Change the database and, unless `deaf`, send the event."""
        with self._lock:
            if action == "remove":
                self._records.pop(record.sysfs, None)
            else:
                self._records[record.sysfs] = record
            if not self.deaf:
                self._queue(UdevEvent(action, record))

    def overflow(self) -> None:
        """The socket's buffer ran over: the next read fails."""
        with self._lock:
            self._queue(OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS)))

    def _queue(self, event: UdevEvent | OSError) -> None:
        if self._descriptor is not None:
            self._events.append(event)
            os.eventfd_write(self._descriptor, 1)
