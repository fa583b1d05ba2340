# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call binds to instead of a device: something that always gives, whatever is behind it."""

import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from callagent.devices.threads import label_thread
from callagent.media.slot_log import SlotEvent, SlotLog
from callagent.media.tenancy import Device, Tenancy
from callagent.ports import Clock, MonotonicClock, SourceState

log = logging.getLogger(__name__)

DeviceT = TypeVar("DeviceT", bound=Device)

STALLED_S = 1.0
"""A live device that gives nothing for so long counts as failed."""
STARTING_S = 4.0
"""A device that was to be opened and gave nothing for so long counts as failed; slow cameras take two."""
RESTARTING_S = 2.0
"""The same for one that is opened again right after it stalled: it starts sooner, or not at all."""
_AT_ONCE_S = 0.5
OVERLAP_S = 2.0
"""How long a device may take over the place of one that is live, before it is given up."""
_FAILURES = 16


@dataclass(frozen=True, slots=True)
class Failure:
    """A device that did not do what was asked of it; who chose it decides what comes next."""

    source: Device
    state: SourceState
    """ABSENT or FAILED."""
    reason: str
    code: int


class DeviceSlot(ABC, Generic[DeviceT]):
    """The part camera, microphone and speaker slots share.

    `set_source` swaps the device at any time and `stop` closes it; both return at once
    from any thread, the device is opened and closed on a thread of its own
    (`Tenancy`). While started, one thread of the slot fills in for a device that
    gives nothing (`_fill`). A slot never tries again by itself: a device that
    vanished, failed or stalled is told of (`on_change`, `take_failures`), and
    whoever put it there puts another.
    """

    def __init__(self, kind: str, gives: str, codes: tuple[int, int], clock: Clock | None) -> None:
        """`gives` is what the device gives, for people; `codes` are those for failed and for absent."""
        self._kind = kind
        self._gives = gives
        self._failed_code, self._absent_code = codes
        self._clock = clock or MonotonicClock()
        # One lock for state and delivery: after stop() returns, nothing is delivered any more.
        # Reentrant, because a subscriber may call the slot from within its put().
        self._lock = threading.RLock()
        self._wake = threading.Condition(self._lock)
        self._source: DeviceT | None = None
        self._absent_reason = ""
        self._tenancy: Tenancy | None = None
        self._challenger: tuple[DeviceT, Tenancy, float] | None = None
        self._leaving: list[Tenancy] = []
        self._failures: deque[Failure] = deque(maxlen=_FAILURES)
        self._wanted = False
        self._state = SourceState.OFF
        self._reason = ""
        self._error_code = 0
        self._tried_at = 0.0
        self._patience_s = STARTING_S
        self._stalled: tuple[str, float] = ("", 0.0)
        self._last_live = 0.0
        self._filler: threading.Thread | None = None
        self.log = SlotLog()
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

    @property
    def live_source(self) -> DeviceT | None:
        """The device that gives at this moment."""
        with self._lock:
            return self._source if self._state is SourceState.LIVE else None

    @property
    def wanted(self) -> bool:
        """Between start() and stop()."""
        return self._wanted

    def take_failures(self) -> list[Failure]:
        """What failed since it was asked last, oldest first. Thread-safe."""
        with self._lock:
            failures = list(self._failures)
            self._failures.clear()
            return failures

    def set_source(
        self, source: DeviceT | None, reason: str = "", *, overlap: bool = False, lost: bool = False
    ) -> bool:
        """Put another device behind the slot, also while running; None with the reason there is none.

        The old device is closed and the new one opened in the background. With
        `overlap` a live one goes on until the new one gives; if that fails
        first, or takes longer than `OVERLAP_S`, nothing changes but that it is told of.
        With `lost` the old one is known to be gone, whether its driver has noticed or not.
        Returns whether the two overlap.
        """
        with self._lock:
            if source is not None and source is self._source:
                return False
            self._drop_challenger()
            live = self._wanted and self._state is SourceState.LIVE
            if lost and live:
                self._note(SlotEvent.LOST)
            contest = overlap and live and not lost and source is not None and source.name != self.device
            if contest and source is not None:
                now = self._clock.now()
                self._challenger = (source, self._occupy(source), now)
                self._wake.notify_all()
            else:
                self._release()
                self._source, self._absent_reason = source, reason
                if self._wanted:
                    self._take()
        self._changed()
        return contest

    def stop(self) -> None:
        """Want nothing any more: nothing is delivered after this, the device closes in the background."""
        with self._lock:
            if not self._wanted:
                return
            self._end()
        self._changed()

    def wait_closed(self, timeout_s: float | None = None) -> bool:
        """Block until every device let go is closed; for the on-air light and the shutdown."""
        deadline = None if timeout_s is None else self._clock.now() + timeout_s
        for tenancy in (*self._leaving, *([self._tenancy] if self._tenancy else [])):
            left = None if deadline is None else max(0.0, deadline - self._clock.now())
            if not tenancy.wait_closed(left):
                return False
        return True

    @property
    def closed(self) -> bool:
        """Whether no device is open."""
        return self.wait_closed(0)

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

    def _end(self) -> None:
        """Stop; whoever calls it calls `_changed` afterwards, as `_run` does after `_fill`. Lock held."""
        self._wanted = False
        self._drop_challenger()
        self._release()
        self._failures.clear()
        self._set_state(SourceState.OFF)
        self._note(SlotEvent.STOPPED)
        self._wake.notify_all()

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
        self._taken(self._clock.now())
        if self._source is None:
            reason = self._absent_reason or f"There is no {self._kind}"
            self._set_state(SourceState.ABSENT, reason, self._absent_code)
        else:
            self._set_state(SourceState.STARTING)
            self._tenancy = self._occupy(self._source)
            self._tried_at = self._clock.now()
            name, stalled_at = self._stalled
            again = name == self._source.name and self._tried_at < stalled_at + _AT_ONCE_S
            self._patience_s = RESTARTING_S if again else STARTING_S
        self._wake.notify_all()

    def _occupy(self, source: DeviceT) -> Tenancy:
        tenancy: Tenancy

        def open_device() -> None:
            self._open(source, tenancy)

        # Never two threads at one device; another device waits for nobody.
        self._leaving = [each for each in self._leaving if not each.wait_closed(0)]
        before = next((each for each in reversed(self._leaving) if each.device == source.name), None)
        tenancy = Tenancy(source, open_device, self._lost, before)
        tenancy.start()
        self._note(SlotEvent.OPENING, source)
        return tenancy

    def _release(self) -> None:
        """Close what is behind the slot, in the background. Lock held."""
        if self._tenancy is not None:
            self._leave(self._tenancy)
            self._tenancy = None

    def _leave(self, tenancy: Tenancy) -> None:
        tenancy.release()
        self._leaving.append(tenancy)

    def _drop_challenger(self) -> None:
        if self._challenger is not None:
            self._leave(self._challenger[1])
            self._challenger = None

    def _is_current(self, tenancy: Tenancy) -> bool:
        return self._wanted and tenancy is self._tenancy and not tenancy.released

    def _let_in(self, tenancy: Tenancy) -> bool:
        """Whether what this tenancy gives counts; a challenger that gives has won. Lock held."""
        challenger = self._challenger
        if challenger is not None and tenancy is challenger[1] and self._wanted:
            self._challenger = None
            self._release()
            self._source, self._tenancy = challenger[0], tenancy
            self._note(SlotEvent.SWAPPED)
            # What it gives now is news to the subclass and to whoever watches.
            self._set_state(SourceState.STARTING)
        return self._is_current(tenancy)

    def _gave(self, now: float) -> bool:
        """The device gave something; True when that is a change. Lock held."""
        self._last_live = now
        if self._state is SourceState.LIVE:
            return False
        self._set_state(SourceState.LIVE)
        self._note(SlotEvent.LIVE)
        return True

    def _check_silence(self, now: float) -> None:
        """Declare failed what gave nothing for too long. Lock held."""
        source = self._source
        stalled = self._state is SourceState.LIVE and now >= self._last_live + STALLED_S
        mute = self._state is SourceState.STARTING and now >= self._tried_at + self._patience_s
        if source is not None and (stalled or mute):
            reason = f"The {self._kind} {source.name} gives no {self._gives}"
            log.warning("%s", reason)
            self._set_state(SourceState.FAILED, reason, self._failed_code)
            self._note(SlotEvent.STALLED)
            self._stalled = (source.name, now)
            self._failures.append(Failure(source, SourceState.FAILED, reason, self._failed_code))
        if self._challenger is not None and now >= self._challenger[2] + OVERLAP_S:
            reason = f"The {self._kind} {self._challenger[0].name} gives no {self._gives}"
            self._refuse(SourceState.FAILED, reason, self._failed_code)

    def _refuse(self, state: SourceState, reason: str, code: int) -> None:
        """The challenger is out. Lock held."""
        assert self._challenger is not None
        source = self._challenger[0]
        self._drop_challenger()
        self._note(SlotEvent.REFUSED, source)
        self._failures.append(Failure(source, state, reason, code))

    def _lost(self, tenancy: Tenancy, state: SourceState, reason: str, code: int) -> None:
        """On the tenancy's thread."""
        with self._lock:
            if not code:
                code = self._absent_code if state is SourceState.ABSENT else self._failed_code
            challenger = self._challenger
            if challenger is not None and tenancy is challenger[1]:
                self._refuse(state, reason, code)
            elif self._is_current(tenancy) and self._source is not None:
                log.warning("%s %s: %s", self._kind, self.device, reason)
                # It closes now: what its thread may still be giving must not make it live again.
                tenancy.release()
                self._failures.append(Failure(self._source, state, reason, code))
                self._note(SlotEvent.LOST)
                self._set_state(state, reason, code)
                if challenger is not None:
                    self._succeed(challenger[0], challenger[1])
                self._wake.notify_all()
            else:
                return
        self._changed()

    def _succeed(self, source: DeviceT, tenancy: Tenancy) -> None:
        """The device a challenger was to replace is gone: no longer a contest. Lock held."""
        self._challenger = None
        self._release()
        self._source, self._tenancy = source, tenancy
        self._tried_at, self._patience_s = self._clock.now(), STARTING_S
        self._set_state(SourceState.STARTING)

    def _set_state(self, state: SourceState, reason: str = "", code: int = 0) -> None:
        self._state, self._reason, self._error_code = state, reason, code

    def _note(self, event: SlotEvent, source: DeviceT | None = None) -> None:
        device = self.device if source is None else source.name
        self.log.note(self._clock.now(), event, device)

    def _changed(self) -> None:
        if self.on_change is not None:
            try:
                self.on_change()
            except Exception:
                log.exception("whoever watches the %s slot failed", self._kind)

    def _run(self) -> None:
        label_thread()
        me = threading.current_thread()
        while True:
            with self._lock:
                if not self._wanted or self._filler is not me:
                    return
                failures = len(self._failures)
                now = self._clock.now()
                self._check_silence(now)
                delay = self._fill(now)
                changed = len(self._failures) != failures or not self._wanted
                if self._challenger is not None:
                    delay = min(delay, max(0.0, self._challenger[2] + OVERLAP_S - now))
            if changed:
                self._changed()
            with self._lock:
                if self._wanted:
                    self._wake.wait(delay)
