# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes out on one signalling connection, in which order, and when it is given up."""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from callagent.protocol import taken_out
from callagent.protocol.base import Wire
from callagent.protocol.events import Event, Moment
from callagent.protocol.requests import Bye
from callagent.server.patience import Patience

MAX_QUEUED = 256
"""Messages a consumer may be behind before it is closed; its session stays and can be resumed."""
SEND_TIMEOUT_S = 5.0
"""A consumer that takes nothing for this long is closed, too."""

_ENCODER = json.JSONEncoder(separators=(",", ":"))

ReadLog = Callable[[int], Awaitable[list[Event]]]
"""The stored events of the session after a number."""


class Connection(Protocol):
    """A connection as the service sees it; signalling.py has the real one."""

    @property
    def outbox(self) -> "Outbox": ...

    async def run(self) -> None:
        """Serve until either side ends it; never raises for what the other side does."""
        ...


class Outbox:
    """A bounded queue in front of one writer; implements `bus.Subscriber`. Used on the event loop.

    Events go out in the order of their numbers, each once: what does not fit the
    number sent last makes the writer read the log, which has every event.
    """

    def __init__(self) -> None:
        self._queue: deque[Wire] = deque()
        self._wake = asyncio.Event()
        self._held: list[Event | Moment] | None = None
        self._log: ReadLog | None = None
        self._newest = 0
        self._behind = False
        self._later: deque[Moment] = deque(maxlen=MAX_QUEUED)
        self._closing = False
        self.sent_seq = 0
        """The last event given to the writer."""
        self.overflowed = False

    def put(self, message: Wire) -> None:
        """Queue a message. A consumer too far behind gets nothing more: the writer gives up."""
        if self._closing or self.overflowed:
            return
        if len(self._queue) >= MAX_QUEUED:
            self.overflowed = True
            self._queue.clear()
        else:
            self._queue.append(message)
        self._wake.set()

    def hold(self) -> None:
        """Keep what comes from the bus back until `release`, so that a reply precedes what it caused."""
        self._held = []

    def release(self) -> None:
        held, self._held = self._held or [], None
        for message in held:
            if isinstance(message, Event):
                self.event(message)
            else:
                self.moment(message)

    def replay(self, log: ReadLog, after: int) -> None:
        """The session is known: send its events after `after`, then those to come."""
        self._log = log
        self.sent_seq = after
        self._behind = True
        self._wake.set()

    def event(self, event: Event) -> None:
        if self._held is not None:
            self._held.append(event)
            return
        self._newest = max(self._newest, event.seq)
        if self._log is not None and not self._behind and event.seq == self.sent_seq + 1:
            self._send_event(event)
        elif event.seq > self.sent_seq:
            self._behind = True
            self._wake.set()

    def newest(self, seq: int) -> None:
        if seq > max(self._newest, self.sent_seq):
            self._newest = seq
            self._behind = self._log is not None or self._behind
            self._wake.set()

    def moment(self, message: Moment) -> None:
        if self._held is not None:
            self._held.append(message)
        elif self._behind:
            # What it refers to may be among the events still to be replayed.
            self._later.append(message)
        else:
            self.put(message)

    def dismiss(self, bye: Bye | None) -> None:
        """Send what is queued, then the bye (None: a newer connection took over), then end."""
        self.release()
        if bye is not None:
            self.put(bye)
        self._closing = True
        self._wake.set()

    async def write(self, send: Callable[[str], Awaitable[None]]) -> None:
        """Send until dismissed or overflowed.

        Raises TimeoutError when a message is not taken in SEND_TIMEOUT_S, and what
        `send` raises when the connection is gone.
        """
        loop = asyncio.get_running_loop()
        began = 0.0

        async def send_in_time(message: Wire) -> None:
            nonlocal began
            began = loop.time()
            with patience:
                await send(encode(message))

        patience = Patience(lambda: began + SEND_TIMEOUT_S)
        try:
            while not self.overflowed:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    await send_in_time(self._queue.popleft())
                if self._behind and self._log is not None and not self._closing:
                    await self._catch_up(self._log, send_in_time)
                    self._wake.set()
                elif self._closing:
                    return
        finally:
            patience.close()

    async def _catch_up(self, log: ReadLog, send: Callable[[Wire], Awaitable[None]]) -> None:
        # Until the log is read everything waits for it: what the bus brings now would go out too early.
        known = self._newest
        missed = [event for event in await log(self.sent_seq) if event.seq > self.sent_seq]
        if missed:
            self.sent_seq = missed[-1].seq
        # What was stored before the reading began is read, or gone with the session.
        self._behind = self._newest > max(known, self.sent_seq)
        for event in missed:
            await send(event)
        while self._later and not self._behind:
            self.put(self._later.popleft())

    def _send_event(self, event: Event) -> None:
        self.sent_seq = event.seq
        self.put(event)


def encode(message: Wire) -> str:
    """The JSON text."""
    if isinstance(message, Event):
        # Most of what goes out, and it is plain already.
        plain = {
            "type": message.type,
            "seq": message.seq,
            "event": message.event,
            "time": message.time,
            "data": message.data,
        }
        return _ENCODER.encode(taken_out.sent(plain))
    return _ENCODER.encode(taken_out.sent(message.wire()))
