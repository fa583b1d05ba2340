# SPDX-License-Identifier: GPL-3.0-or-later
"""Durable timers: set in the transaction that needs them, fired by one node, again after a crash."""

import asyncio
import heapq
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from callagent.server.clock import Now
from callagent.server.storage import timers
from callagent.server.storage.engine import Storage
from callagent.server.storage.timers import Timer, TimerKey

CLAIM_S = 10.0
"""A node that has not finished firing by then is taken for dead."""
LOOK_S = 1.0
"""How often a node looks for timers that the node that set them did not fire."""
LATE_S = 1.0
"""What is overdue for this long was not fired by who set it."""

Fire = Callable[[Timer], Awaitable[None]]

logger = logging.getLogger(__name__)


class Timers(Protocol):
    """Told after every commit what it set and cleared. Used on the event loop."""

    async def start(self, fire: Fire) -> None:
        """Arm everything that is stored; what is overdue fires at once."""
        ...

    def changed(self, due: Iterable[Timer], cleared: Iterable[TimerKey]) -> None: ...

    async def close(self) -> None:
        """Finish what is firing, fire nothing more; what is stored stays."""
        ...


class StoredTimers:
    """The stored timers that this process set, on a heap of this loop.

    A service that is one process arms all of them at its start. One of several nodes
    (`shared`) leaves those of the others alone, until they are overdue: then their
    node is dead or stuck, and whoever claims one first fires it.
    """

    def __init__(self, storage: Storage, now: Now, *, shared: bool = False) -> None:
        self._storage = storage
        self._now = now
        self._shared = shared
        self._looking: asyncio.Task[None] | None = None
        self._armed: dict[TimerKey, Timer] = {}
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    @property
    def armed(self) -> set[TimerKey]:
        """What is to fire yet."""
        return set(self._armed)

    async def start(self, fire: Fire) -> None:
        if self._shared:
            self._looking = asyncio.create_task(self._look(), name="overdue timers")
        else:

            def work(connection: Connection) -> list[Timer]:
                # The claims are those of the process that died here.
                timers.unclaim_all(connection)
                return timers.load_all(connection)

            self.changed(await self._storage.write(work), ())
        self._task = asyncio.create_task(self._run(fire), name="timers")

    def changed(self, due: Iterable[Timer], cleared: Iterable[TimerKey]) -> None:
        for key in cleared:
            self._armed.pop(key, None)
        for timer in due:
            self._arm(timer, timer.due_at)
        self._changed.set()

    async def close(self) -> None:
        self._closing = True
        self._changed.set()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
            self._looking = None
        if self._task is not None:
            await self._task
            self._task = None

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            now = self._now()
            try:
                late = await self._storage.read(
                    lambda connection, now=now: timers.overdue(connection, now - LATE_S, now)  # type: ignore[misc]
                )
            except (OSError, SQLAlchemyError):
                logger.exception("overdue timers cannot be read; once more in %.0f s", LOOK_S)
                continue
            self.changed([timer for timer in late if timer.key not in self._armed], ())

    def _arm(self, timer: Timer, at: float) -> None:
        self._armed[timer.key] = timer
        heapq.heappush(self._heap, (at, next(self._order), timer))

    async def _run(self, fire: Fire) -> None:
        async with asyncio.TaskGroup() as firing:
            while not self._closing:
                self._changed.clear()
                now = self._now()
                while self._heap and self._heap[0][0] <= now:
                    _, _, timer = heapq.heappop(self._heap)
                    if self._armed.get(timer.key) == timer:
                        del self._armed[timer.key]
                        firing.create_task(self._fire(timer, fire))
                wait = self._heap[0][0] - now if self._heap else None
                try:
                    async with asyncio.timeout(wait):
                        await self._changed.wait()
                except TimeoutError:
                    continue

    async def _fire(self, timer: Timer, fire: Fire) -> None:
        try:
            now = self._now()
            if not await self._storage.write(
                lambda connection: timers.claim(connection, timer, now, now + CLAIM_S), short=True
            ):
                return
            await fire(timer)
            await self._storage.write(lambda connection: timers.remove_if_due(connection, timer), short=True)
        except Exception:
            # The claim stands until then. One timer's failure must not stop the others.
            logger.exception(
                "timer %s %s failed; once more in %.0f s", timer.key.kind, timer.key.key, CLAIM_S
            )
            if timer.key not in self._armed:
                self._arm(timer, self._now() + CLAIM_S)
                self._changed.set()
