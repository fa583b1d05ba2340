# SPDX-License-Identifier: GPL-3.0-or-later
"""Fan-out: how what happens reaches the connections of the sessions concerned."""

from collections import deque
from typing import Protocol

from callagent.protocol.events import Event, Moment, Signal
from callagent.protocol.requests import Bye
from callagent.server.storage.event_log import Delivery, SessionKey

AWAY_SIGNALS = 64
"""Media messages kept for a session that is away; the oldest go first."""


class Subscriber(Protocol):
    """A session's connection. Its methods return at once and never raise."""

    def event(self, event: Event) -> None:
        """May come out of order or twice; the log in the database has the truth."""
        ...

    def moment(self, message: Moment) -> None: ...

    def dismiss(self, bye: Bye | None) -> None:
        """Send what is queued, then the bye (None: it has a successor), then close."""
        ...


class Bus(Protocol):
    """Between the nodes of a service. Used on the event loop."""

    def attach(self, session: SessionKey, subscriber: Subscriber) -> None:
        """This connection is the session's from now on; an older one is dismissed by the caller."""
        ...

    def detach(self, session: SessionKey, subscriber: Subscriber) -> None:
        """Without effect when another connection took over."""
        ...

    def subscriber(self, session: SessionKey) -> Subscriber | None: ...

    def publish(self, delivery: Delivery) -> None:
        """Tell the session's connection, if there is one, of a stored event."""
        ...

    def signal(self, session: SessionKey, message: Moment) -> None:
        """Pass on something of the moment; a short queue of signals is kept for who is away."""
        ...

    def forget(self, session: SessionKey) -> None:
        """The session ended."""
        ...


class LocalBus:
    """The bus of a service that is one process."""

    def __init__(self) -> None:
        self._subscribers: dict[SessionKey, Subscriber] = {}
        self._kept: dict[SessionKey, deque[Signal]] = {}

    @property
    def sessions(self) -> set[SessionKey]:
        """Those connected to this process."""
        return set(self._subscribers)

    def attach(self, session: SessionKey, subscriber: Subscriber) -> None:
        self._subscribers[session] = subscriber
        for message in self._kept.pop(session, ()):
            subscriber.moment(message)

    def detach(self, session: SessionKey, subscriber: Subscriber) -> None:
        if self._subscribers.get(session) is subscriber:
            del self._subscribers[session]

    def subscriber(self, session: SessionKey) -> Subscriber | None:
        return self._subscribers.get(session)

    def publish(self, delivery: Delivery) -> None:
        subscriber = self._subscribers.get(delivery.session)
        if subscriber is not None:
            subscriber.event(delivery.event)

    def signal(self, session: SessionKey, message: Moment) -> None:
        subscriber = self._subscribers.get(session)
        if subscriber is not None:
            subscriber.moment(message)
        elif isinstance(message, Signal):
            self._kept.setdefault(session, deque(maxlen=AWAY_SIGNALS)).append(message)

    def forget(self, session: SessionKey) -> None:
        self._kept.pop(session, None)
