# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call binds to instead of a device: something that always gives, whatever is behind it."""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

from callagent.media.tenancy import Device, Tenancy
from callagent.ports import Clock, MonotonicClock, SourceState

log = logging.getLogger(__name__)

DeviceT = TypeVar("DeviceT", bound=Device)

STALLED_S = 1.0
"""A live device that gives nothing for so long counts as failed."""
SILENT_S = 5.0
"""A device that gives nothing for so long after it was (or is being) opened is opened anew."""
_CLOSING_S = 0.1


class DeviceSlot(ABC, Generic[DeviceT]):
    """The part camera, microphone and speaker slots share.

    `set_source` swaps the device at any time and `stop` closes it; both return at once
    from any thread, the device is opened and closed on a thread of its own
    (`Tenancy`). A device that failed or vanished is tried again every `retry_s` while it is
    wanted. While started, one thread of the slot fills in for a device that
    gives nothing (`_fill`).
    """

    def __init__(
        self, kind: str, gives: str, codes: tuple[int, int], clock: Clock | None, retry_s: float
    ) -> None:
        """`gives` is what the device gives, for people; `codes` are those for failed and for absent."""
        self._kind = kind
        self._gives = gives
        self._failed_code, self._absent_code = codes
        self._clock = clock or MonotonicClock()
        self._retry_s = retry_s
        # One lock for state and delivery: after stop() returns, nothing is delivered any more.
        # Reentrant, because a subscriber may call the slot from within its put().
        self._lock = threading.RLock()
        self._wake = threading.Condition(self._lock)
        self._source: DeviceT | None = None
        self._absent_reason = ""
        self._tenancy: Tenancy | None = None
        self._wanted = False
        self._state = SourceState.OFF
        self._reason = ""
        self._error_code = 0
        self._retry_at: float | None = None
        self._tried_at = 0.0
        self._last_live = 0.0
        self._filler: threading.Thread | None = None
        self.on_change: Callable[[], None] | None = None
        """Called from any thread after state, reason or device changed; must not block."""

    @property
    def state(self) -> SourceState:
        return self._state

    @property
    def reason(self) -> str:
        """One sentence for a person while the state is ABSENT or FAILED, else empty."""
        return self._reason

    @property
    def error_code(self) -> int:
        """Number of the failure that `reason` tells of (see devices.errors); 0 when there is none."""
        return self._error_code

    @property
    def device(self) -> str | None:
        """Name of the device behind the slot."""
        source = self._source
        return None if source is None else source.name

    def set_source(self, source: DeviceT | None, reason: str = "") -> None:
        """Put another device behind the slot, also while running; None with the reason there is none.

        The old device is closed and the new one opened in the background.
        """
        with self._lock:
            if source is self._source and source is not None:
                return
            self._release()
            self._source, self._absent_reason = source, reason
            if self._wanted:
                self._take()
        self._changed()

    def stop(self) -> None:
        """Want nothing any more: nothing is delivered after this, the device closes in the background."""
        with self._lock:
            if not self._wanted:
                return
            self._wanted = False
            self._release()
            self._set_state(SourceState.OFF)
            self._wake.notify_all()
        self._changed()

    def wait_closed(self, timeout_s: float | None = None) -> bool:
        """Block until the device let go last is closed; for the on-air light and the shutdown."""
        tenancy = self._tenancy
        return tenancy is None or tenancy.wait_closed(timeout_s)

    def _want(self) -> None:
        """Start, from the subclass's start()."""
        with self._lock:
            if self._wanted:
                return
            self._wanted = True
            self._take()
            thread = threading.Thread(target=self._run, name=f"{self._kind}-slot", daemon=True)
            self._filler = thread
            thread.start()
        self._changed()

    @abstractmethod
    def _open(self, source: DeviceT, tenancy: Tenancy) -> None:
        """Open the device, on the tenancy's thread. Raises SourceError."""

    @abstractmethod
    def _fill(self, now: float) -> float:
        """Give what is due in the device's place; returns seconds until the next look. Lock held."""

    @abstractmethod
    def _taken(self, now: float) -> None:
        """Another device (or none) is about to be behind the slot. Lock held."""

    def _take(self) -> None:
        """Open what is behind the slot. Lock held."""
        self._retry_at = None
        self._taken(self._clock.now())
        if self._source is None:
            reason = self._absent_reason or f"There is no {self._kind}"
            self._set_state(SourceState.ABSENT, reason, self._absent_code)
        else:
            self._set_state(SourceState.STARTING)
            self._occupy(self._source)
        self._wake.notify_all()

    def _occupy(self, source: DeviceT) -> None:
        tenancy: Tenancy

        def open_device() -> None:
            self._open(source, tenancy)

        tenancy = Tenancy(source, open_device, self._lost, self._tenancy)
        self._tenancy = tenancy
        self._tried_at = self._clock.now()
        tenancy.start()

    def _release(self) -> None:
        """Close what is behind the slot, in the background. Lock held."""
        self._retry_at = None
        if self._tenancy is not None:
            self._tenancy.release()

    def _is_current(self, tenancy: Tenancy) -> bool:
        return self._wanted and tenancy is self._tenancy and not tenancy.released

    def _gave(self, now: float) -> bool:
        """The device gave something; True when that is a change. Lock held."""
        self._last_live = now
        if self._state is SourceState.LIVE:
            return False
        self._set_state(SourceState.LIVE)
        self._retry_at = None
        return True

    def _check_stall(self, now: float) -> None:
        """Declare a live device failed that has given nothing for too long. Lock held."""
        if self._state is SourceState.LIVE and now >= self._last_live + STALLED_S:
            log.warning("%s %s stalled", self._kind, self.device)
            self._fail_silent()
            self._retry_at = self._last_live + SILENT_S

    def _fail_silent(self) -> None:
        self._set_state(
            SourceState.FAILED, f"The {self._kind} {self.device} gives no {self._gives}", self._failed_code
        )

    def _lost(self, tenancy: Tenancy, state: SourceState, reason: str, code: int) -> None:
        with self._lock:
            if not self._is_current(tenancy):
                return
            log.warning("%s %s: %s", self._kind, self.device, reason)
            if not code:
                code = self._absent_code if state is SourceState.ABSENT else self._failed_code
            self._set_state(state, reason, code)
            self._retry_at = self._clock.now() + self._retry_s
            self._wake.notify_all()
        self._changed()

    def _set_state(self, state: SourceState, reason: str = "", code: int = 0) -> None:
        self._state, self._reason, self._error_code = state, reason, code

    def _changed(self) -> None:
        if self.on_change is not None:
            try:
                self.on_change()
            except Exception:
                log.exception("whoever watches the %s slot failed", self._kind)

    def _retry(self, now: float) -> None:
        """Open a device anew that failed; state and reason stay until it gives something. Lock held."""
        if self._source is None or self._tenancy is None or self._state is SourceState.LIVE:
            return
        if self._retry_at is None and now >= self._tried_at + SILENT_S:
            self._retry_at = now
            if self._state is SourceState.STARTING:
                self._fail_silent()
        if self._retry_at is None or now < self._retry_at:
            return
        self._tenancy.release()
        if self._tenancy.wait_closed(0):
            self._retry_at = None
            self._occupy(self._source)
        else:
            # Never two threads at one device: a driver that hangs is waited for.
            self._retry_at = now + _CLOSING_S

    def _run(self) -> None:
        me = threading.current_thread()
        while True:
            before = (self._state, self._reason)
            with self._lock:
                if not self._wanted or self._filler is not me:
                    return
                now = self._clock.now()
                self._check_stall(now)
                self._retry(now)
                delay = self._fill(now)
                changed = (self._state, self._reason) != before
            if changed:
                self._changed()
            with self._lock:
                if self._wanted:
                    self._wake.wait(delay)
