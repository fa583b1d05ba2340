# SPDX-License-Identifier: GPL-3.0-or-later
"""What has arrived on a connection's sockets and waits for the connection's own task."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

Datagram = tuple[bytes, int]
"""Payload and ICE component, as aioice has it."""
CAPACITY = 128
"""Far more than is read in one round of the loop; only on a machine that is too slow does so much wait."""
_TURN_S = 0.005


class DatagramQueue(asyncio.Queue[Datagram | None]):
    """Lets the loop do everything else too; bounded, the oldest gives way.

    On a machine that is short of time datagrams come faster than they can be used. A task that takes one
    after the other out of an asyncio.Queue never gives way then: signalling, buttons and the control socket
    wait for seconds, and the service takes this side for lost. A turn lasts 5 ms, or as long as everything
    else took before it: half of the loop's time at the worst. None, which says that the connection is
    closed, is never given up. On the loop.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._turn_began = 0.0
        self._turn_s = _TURN_S
        self.dropped = 0
        """Datagrams that gave way to newer ones."""
        super().__init__()

    async def get(self) -> Datagram | None:
        """The oldest; waits for one. The others have theirs first when this turn is over."""
        now = self._clock()
        if not self.empty() and now - self._turn_began >= self._turn_s:
            await asyncio.sleep(0)
            self._turn_began = self._clock()
            self._turn_s = max(_TURN_S, self._turn_began - now)
        return await super().get()

    def _put(self, item: Datagram | None) -> None:
        """What asyncio.Queue leaves to its subclasses."""
        waiting: deque[Datagram | None] = self._queue  # type: ignore[attr-defined]
        if not waiting:
            self._turn_began = self._clock()
        elif len(waiting) >= CAPACITY and waiting[0] is not None:
            waiting.popleft()
            self.dropped += 1
        super()._put(item)
