# SPDX-License-Identifier: GPL-3.0-or-later
"""Fan-out: how what happens reaches the connections of the sessions concerned."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from callagent.protocol.events import Event, Moment, Signal
from callagent.protocol.requests import Bye
from callagent.server.storage.event_log import Delivery, SessionKey

AWAY_SIGNALS = 64
"""Media messages kept for a session that is away; the oldest go first."""

HearPresence = Callable[[int, Iterable[str]], None]
"""Users of an app changed, as another node knows."""
HearNodes = Callable[[dict[str, Any]], None]
"""What another node tells on a topic, a JSON object. Returns at once."""


class Subscriber(Protocol):
    """A session's connection. Its methods return at once and never raise."""

    def event(self, event: Event) -> None:
        """May come out of order or twice; the log in the database has the truth."""
        ...

    def newest(self, seq: int) -> None:
        """The log has events up to this one."""
        ...

    def moment(self, message: Moment) -> None: ...

    def dismiss(self, bye: Bye | None) -> None:
        """Send what is queued, then the bye (None: it has a successor), then close."""
        ...


class Bus(Protocol):
    """Between the sessions, whatever node each is connected to. Used on the event loop."""

    async def start(self) -> None:
        """Before the first session is attached."""
        ...

    async def close(self) -> None: ...

    @property
    def problem(self) -> str:
        """Why other nodes cannot be reached at the moment; empty: they can."""
        ...

    @property
    def connected(self) -> dict[SessionKey, Subscriber]:
        """The sessions connected to this node, each with its connection."""
        ...

    async def attach(self, session: SessionKey, subscriber: Subscriber, number: int) -> None:
        """This is the session's connection from now on, wherever it had an older one: that is dismissed.

        `number` counts the connections of the session. Events that are stored after
        this returned reach it.
        """
        ...

    def detach(self, session: SessionKey, subscriber: Subscriber) -> None:
        """Without effect when another connection took over."""
        ...

    def publish(self, delivery: Delivery) -> None:
        """Tell the session's connection, if there is one, of a stored event."""
        ...

    def newest(self, events: Mapping[SessionKey, int]) -> None:
        """The number of the last stored event of sessions: connections that missed any send them."""
        ...

    async def signal(self, session: SessionKey, message: Moment) -> bool:
        """Pass on something of the moment; False: the session is away.

        A short queue of media messages is kept for who is away.
        """
        ...

    def dismiss(self, session: SessionKey, bye: Bye | None) -> None:
        """End the session's connection, if there is one."""
        ...

    def forget(self, session: SessionKey) -> None:
        """The session ended."""
        ...

    def presence_changed(self, app_id: int, user_ids: Iterable[str]) -> None:
        """Tell the other nodes."""
        ...

    def hear_presence(self, hear: HearPresence) -> None:
        """Call this with what the other nodes tell."""
        ...

    def tell_nodes(self, topic: str, message: dict[str, Any]) -> None:
        """Tell the other nodes, those that can be reached at the moment."""
        ...

    def hear_nodes(self, topic: str, hear: HearNodes) -> None:
        """Call this with what the other nodes tell on the topic."""
        ...


class LocalBus:
    """The bus of a service that is one process."""

    problem = ""

    def __init__(self) -> None:
        self._subscribers: dict[SessionKey, Subscriber] = {}
        self._kept: dict[SessionKey, deque[Signal]] = {}

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    @property
    def connected(self) -> dict[SessionKey, Subscriber]:
        return dict(self._subscribers)

    async def attach(self, session: SessionKey, subscriber: Subscriber, _number: int) -> None:
        older = self._subscribers.get(session)
        self._subscribers[session] = subscriber
        for message in self._kept.pop(session, ()):
            subscriber.moment(message)
        if older is not None:
            older.dismiss(None)

    def detach(self, session: SessionKey, subscriber: Subscriber) -> None:
        if self._subscribers.get(session) is subscriber:
            del self._subscribers[session]

    def publish(self, delivery: Delivery) -> None:
        subscriber = self._subscribers.get(delivery.session)
        if subscriber is not None:
            subscriber.event(delivery.event)

    def newest(self, events: Mapping[SessionKey, int]) -> None:
        """Nothing is missed within a process."""

    async def signal(self, session: SessionKey, message: Moment) -> bool:
        subscriber = self._subscribers.get(session)
        if subscriber is not None:
            subscriber.moment(message)
        elif isinstance(message, Signal):
            self._kept.setdefault(session, deque(maxlen=AWAY_SIGNALS)).append(message)
        return subscriber is not None

    def dismiss(self, session: SessionKey, bye: Bye | None) -> None:
        subscriber = self._subscribers.get(session)
        if subscriber is not None:
            subscriber.dismiss(bye)

    def forget(self, session: SessionKey) -> None:
        self._kept.pop(session, None)

    def presence_changed(self, app_id: int, user_ids: Iterable[str]) -> None:
        pass

    def hear_presence(self, hear: HearPresence) -> None:
        pass

    def tell_nodes(self, topic: str, message: dict[str, Any]) -> None:
        """There are none."""

    def hear_nodes(self, topic: str, hear: HearNodes) -> None:
        """There is nothing to hear."""
