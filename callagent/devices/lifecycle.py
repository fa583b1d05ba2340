# SPDX-License-Identifier: GPL-3.0-or-later
"""State, reason and end of one opened device, shared by its thread and everybody who asks."""

import os
import select
import threading
from collections.abc import Callable, Sequence

from callagent.ports import SourceState


class Lifecycle:
    """What `state`, `reason` and `wait_ended` of every device stand on. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._ended.set()
        self._state = SourceState.OFF
        self._reason = ""
        self._watchers: list[Callable[[], None]] = []

    @property
    def state(self) -> SourceState:
        return self._state

    @property
    def reason(self) -> str:
        return self._reason

    def begin(self) -> None:
        """The device is being opened. Raises RuntimeError when it is open already."""
        with self._lock:
            if not self._ended.is_set():
                raise RuntimeError("the device is open already")
            self._ended.clear()
            self._state, self._reason = SourceState.STARTING, ""

    def live(self) -> None:
        """The first frame came."""
        with self._lock:
            if self._state is SourceState.STARTING:
                self._state = SourceState.LIVE

    def lose(self, state: SourceState, reason: str) -> None:
        """The device died or could not be opened; of no effect after `off`."""
        with self._lock:
            if self._state is not SourceState.OFF:
                self._state, self._reason = state, reason
            self._end()

    def off(self) -> None:
        """The owner closed the device."""
        with self._lock:
            self._state, self._reason = SourceState.OFF, ""
            self._end()

    def _end(self) -> None:
        """Lock held."""
        self._ended.set()
        for tell in self._watchers:
            tell()

    def wait_ended(self, timeout_s: float | None = None) -> bool:
        return self._ended.wait(timeout_s)

    def when_ended(self, callback: Callable[[], None]) -> Callable[[], None]:
        def leave() -> None:
            with self._lock:
                if callback in self._watchers:
                    self._watchers.remove(callback)

        with self._lock:
            self._watchers.append(callback)
            if self._ended.is_set():
                callback()
        return leave


class StatefulDevice:
    """The part every device shares: its stable id, and what it tells of its life."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._life = Lifecycle()

    @property
    def name(self) -> str:
        return self._name

    @property
    def state(self) -> SourceState:
        return self._life.state

    @property
    def reason(self) -> str:
        return self._life.reason

    def wait_ended(self, timeout_s: float | None = None) -> bool:
        """Block until the device stopped giving frames; True when it has."""
        return self._life.wait_ended(timeout_s)

    def when_ended(self, callback: Callable[[], None]) -> Callable[[], None]:
        return self._life.when_ended(callback)


class Waker:
    """Lets `close` interrupt a thread that waits for a device's file descriptor (eventfd(2)).

    That thread calls `close` when it ends, which a driver that hangs may put off for long.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        self._stopped = threading.Event()

    def watch(self, fd: int, events: int) -> None:
        """Wait for this descriptor too; POLLERR and POLLHUP are always reported."""
        self._poll.register(fd, events)

    def wait(self, timeout_s: float) -> Sequence[tuple[int, int]]:
        """The watched descriptors that are ready, with their events; empty at a time-out."""
        return [(fd, events) for fd, events in self._poll.poll(timeout_s * 1000) if fd != self._fd]

    def pause(self, seconds: float) -> bool:
        """Sleep without looking at the descriptors; True when `stop` was called."""
        return self._stopped.wait(seconds)

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def stop(self) -> None:
        """From any thread, at any time."""
        self._stopped.set()
        with self._lock:
            if self._fd >= 0:
                os.eventfd_write(self._fd, 1)

    def close(self) -> None:
        """The waiting thread is done. Idempotent."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
