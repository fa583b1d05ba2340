# SPDX-License-Identifier: GPL-3.0-or-later
"""The thread that opens one device for a slot, watches over it and closes it."""

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from callagent.devices.errors import ABSENT_CODES
from callagent.devices.threads import label_thread
from callagent.ports import SourceError, SourceState

log = logging.getLogger(__name__)

_PREDECESSOR_S = 1.0


class Device(Protocol):
    """What cameras, microphones and speakers have in common."""

    @property
    def name(self) -> str: ...

    @property
    def state(self) -> SourceState: ...

    @property
    def reason(self) -> str: ...

    def when_ended(self, callback: Callable[[], None]) -> Callable[[], None]: ...

    def close(self) -> None: ...


class Tenancy:
    """One stay at one device: open, watch until it ends or is released, close.

    Opening and closing may block for as long as the driver likes; they happen on
    this thread, so nobody else ever waits. A tenancy that does not come back
    from closing is left behind by its successor after a second, and logged.
    """

    def __init__(
        self,
        device: Device,
        open_device: Callable[[], None],
        on_lost: Callable[["Tenancy", SourceState, str, int], None],
        predecessor: "Tenancy | None",
    ) -> None:
        self._device = device
        self._open_device = open_device
        self._on_lost = on_lost
        self._predecessor = predecessor
        self._released = threading.Event()
        self._news = threading.Event()
        """It was released, or the device has ended."""
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"slot:{device.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def release(self) -> None:
        """Give the device back; returns at once."""
        self._released.set()
        self._news.set()

    @property
    def device(self) -> str:
        """The device's stable id."""
        return self._device.name

    @property
    def released(self) -> bool:
        return self._released.is_set()

    def wait_closed(self, timeout_s: float | None = None) -> bool:
        """Block until the device is closed."""
        return self._closed.wait(timeout_s)

    def _run(self) -> None:
        label_thread()
        try:
            self._await_predecessor()
            if not self._released.is_set():
                self._stay()
        finally:
            self._closed.set()

    def _stay(self) -> None:
        device = self._device
        try:
            self._open_device()
        except SourceError as error:
            state = SourceState.ABSENT if error.code in ABSENT_CODES else SourceState.FAILED
            self._on_lost(self, state, str(error), error.code)
            return
        except Exception:
            log.exception("opening %s failed unexpectedly", device.name)
            self._on_lost(self, SourceState.FAILED, f"{device.name} cannot be opened", 0)
            return
        leave = device.when_ended(self._news.set)
        try:
            self._news.wait()
            if not self._released.is_set():
                self._on_lost(self, device.state, device.reason, 0)
        finally:
            leave()
            try:
                device.close()
            except Exception:
                log.exception("closing %s failed", device.name)

    def _await_predecessor(self) -> None:
        predecessor, self._predecessor = self._predecessor, None
        if predecessor is not None and not predecessor.wait_closed(_PREDECESSOR_S):
            log.warning(
                "%s is still being closed after %.0f s; its thread %r is left behind",
                predecessor._device.name,
                _PREDECESSOR_S,
                predecessor._thread.name,
            )
