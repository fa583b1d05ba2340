# SPDX-License-Identifier: GPL-3.0-or-later
"""The bus of a service of several nodes: Redis passes on, the database keeps.

Every session that is connected somewhere has a channel, which its node listens
to. Nothing durable is in Redis: a node that has lost it asks the database once a
second for events its connections have not had, until Redis is back.
"""

import asyncio
import json
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from callagent.protocol.events import Event, Moment, Signal
from callagent.protocol.requests import Bye
from callagent.server.bus import AWAY_SIGNALS, HearNodes, HearPresence, Subscriber
from callagent.server.storage.event_log import Delivery, SessionKey

ANSWER_S = 2.0
"""Redis answers within this time, or is taken for lost."""
LISTEN_S = 5.0
"""After so much silence the connection that listens is tried; after twice as much it is lost."""
LOOK_S = 1.0
"""How often the database is asked while Redis is lost."""
KEEP_S = 60
"""How long media messages are kept for who is away; its session ends sooner."""
MAX_QUEUED = 10_000
"""Messages to other nodes that wait; the oldest go first (events are in the database)."""
BATCH = 256

_PRESENCE = "callagent:presence"
_NODES = "callagent:nodes"
_SIGNAL = f"""
local heard = redis.call('PUBLISH', KEYS[1], ARGV[1])
if heard == 0 and ARGV[2] == 'keep' then
    redis.call('RPUSH', KEYS[2], ARGV[1])
    redis.call('LTRIM', KEYS[2], -{AWAY_SIGNALS}, -1)
    redis.call('EXPIRE', KEYS[2], {KEEP_S})
end
return heard
"""
"""In one step, so that nobody misses the message who comes in between."""
_LOST = (RedisError, OSError, TimeoutError)
_MOMENT: TypeAdapter[Moment] = TypeAdapter(Moment)

Newest = Callable[[], Awaitable[Mapping[SessionKey, int]]]
"""The sessions the database knows to be connected to this node, and the number of each one's last event."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Connected:
    session: SessionKey
    subscriber: Subscriber
    number: int


@dataclass(frozen=True, slots=True)
class _Outgoing:
    channel: str
    text: str
    keep: bool = False
    """Until somebody listens to the channel; for what has a `heard`."""
    heard: asyncio.Future[bool] | None = None

    def settle(self, heard: bool) -> None:
        if self.heard is not None and not self.heard.done():
            self.heard.set_result(heard)


class RedisBus:
    """See `Bus`. Owns its tasks from `start` to `close`. Used on the event loop."""

    def __init__(self, url: str, newest: Newest) -> None:
        """`url` as redis-py has it: `redis://[:password@]host:port`, `rediss://` with TLS."""
        self._redis: Redis = Redis.from_url(
            url,
            decode_responses=True,
            socket_connect_timeout=ANSWER_S,
            socket_timeout=ANSWER_S,
            socket_keepalive=True,
            # Once more, on another connection: those that are kept do not survive a restart of Redis. What is
            # lost then is made good from the database, not by waiting.
            retry=Retry(NoBackoff(), 1),
        )
        self._ask_newest = newest
        self._own = secrets.token_hex(8)
        self._connected: dict[str, _Connected] = {}
        """By channel."""
        self._hear: HearPresence | None = None
        self._topics: dict[str, HearNodes] = {}
        self._outgoing: deque[_Outgoing] = deque()
        self._to_send = asyncio.Event()
        self._changed: asyncio.Queue[str] = asyncio.Queue()
        """Channels whose sessions came or went."""
        self._confirming: dict[str, asyncio.Future[None]] = {}
        self._listening: PubSub | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.problem = ""

    async def start(self) -> None:
        """Returns when Redis answered; raises redis.exceptions.RedisError, OSError when it does not."""
        await self._redis.ping()
        present = self._confirmation(_PRESENCE)
        self._tasks = [
            asyncio.create_task(self._listen(), name="redis listener"),
            asyncio.create_task(self._subscribe(), name="redis channels"),
            asyncio.create_task(self._send(), name="redis sender"),
        ]
        async with asyncio.timeout(ANSWER_S):
            await present

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._tasks = []
        while self._outgoing:
            self._outgoing.popleft().settle(False)
        await self._redis.aclose()

    @property
    def connected(self) -> dict[SessionKey, Subscriber]:
        return {connected.session: connected.subscriber for connected in self._connected.values()}

    async def attach(self, session: SessionKey, subscriber: Subscriber, number: int) -> None:
        channel, kept = _channel(session), _kept(session)
        older = self._connected.get(channel)
        self._connected[channel] = _Connected(session, subscriber, number)
        if older is not None:
            older.subscriber.dismiss(None)
        try:
            async with asyncio.timeout(ANSWER_S):
                confirmed = self._confirmation(channel)
                self._changed.put_nowait(channel)
                await confirmed
                self._put(channel, {"newer": number})
                async with self._redis.pipeline(transaction=True) as pipe:
                    pipe.lrange(kept, 0, -1)
                    pipe.delete(kept)
                    messages, _ = await pipe.execute()
        except _LOST as error:
            # The database has its events, and is asked for them until Redis is back.
            logger.warning("session %s is not on the bus yet: %r", session.session_id, error)
            return
        for text in messages:
            subscriber.moment(_MOMENT.validate_python(json.loads(text)["moment"]))

    def detach(self, session: SessionKey, subscriber: Subscriber) -> None:
        channel = _channel(session)
        connected = self._connected.get(channel)
        if connected is not None and connected.subscriber is subscriber:
            del self._connected[channel]
            self._changed.put_nowait(channel)

    def publish(self, delivery: Delivery) -> None:
        channel = _channel(delivery.session)
        connected = self._connected.get(channel)
        if connected is not None:
            connected.subscriber.event(delivery.event)
        else:
            self._put(channel, {"event": delivery.event.wire()})

    def newest(self, events: Mapping[SessionKey, int]) -> None:
        for session, seq in events.items():
            connected = self._connected.get(_channel(session))
            if connected is not None:
                connected.subscriber.newest(seq)

    async def signal(self, session: SessionKey, message: Moment) -> bool:
        channel = _channel(session)
        connected = self._connected.get(channel)
        if connected is not None:
            connected.subscriber.moment(message)
            return True
        heard: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._put(channel, {"moment": message.wire()}, keep=isinstance(message, Signal), heard=heard)
        return await heard

    def dismiss(self, session: SessionKey, bye: Bye | None) -> None:
        channel = _channel(session)
        connected = self._connected.get(channel)
        if connected is not None:
            connected.subscriber.dismiss(bye)
        else:
            self._put(channel, {"bye": bye.wire() if bye is not None else None})

    def forget(self, session: SessionKey) -> None:
        """What is kept for it goes by itself (`KEEP_S`)."""

    def presence_changed(self, app_id: int, user_ids: Iterable[str]) -> None:
        self._put(_PRESENCE, {"node": self._own, "app": app_id, "users": list(user_ids)})

    def hear_presence(self, hear: HearPresence) -> None:
        self._hear = hear

    def tell_nodes(self, topic: str, message: dict[str, Any]) -> None:
        self._put(_NODES, {"node": self._own, "topic": topic, "message": message})

    def hear_nodes(self, topic: str, hear: HearNodes) -> None:
        self._topics[topic] = hear

    def _put(
        self,
        channel: str,
        message: dict[str, Any],
        *,
        keep: bool = False,
        heard: asyncio.Future[bool] | None = None,
    ) -> None:
        if len(self._outgoing) >= MAX_QUEUED:
            self._outgoing.popleft().settle(False)
        text = json.dumps(message, separators=(",", ":"))
        self._outgoing.append(_Outgoing(channel, text, keep, heard))
        self._to_send.set()

    async def _send(self) -> None:
        """All that waits in one go, in order."""
        while True:
            await self._to_send.wait()
            self._to_send.clear()
            while self._outgoing:
                batch = [self._outgoing.popleft() for _ in range(min(BATCH, len(self._outgoing)))]
                heard: list[Any] = []
                try:
                    heard = await self._send_batch(batch)
                except _LOST as error:
                    # Events among it are found in the database, by whoever has their sessions.
                    logger.warning("%d messages to other nodes are lost: %r", len(batch), error)
                finally:
                    for position, outgoing in enumerate(batch):
                        answer = heard[position] if position < len(heard) else 0
                        outgoing.settle(isinstance(answer, int) and answer > 0)

    async def _send_batch(self, batch: list[_Outgoing]) -> list[Any]:
        """How many listened to each. Raises what Redis raises."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for outgoing in batch:
                if outgoing.heard is None:
                    pipe.publish(outgoing.channel, outgoing.text)
                else:
                    keys = (outgoing.channel, outgoing.channel + _KEPT)
                    pipe.eval(_SIGNAL, 2, *keys, outgoing.text, "keep" if outgoing.keep else "")
            answers: list[Any] = await pipe.execute(raise_on_error=False)
        return answers

    def _confirmation(self, channel: str) -> asyncio.Future[None]:
        """Done when Redis next confirms that this node listens to the channel."""
        waiting = self._confirming.get(channel)
        if waiting is None or waiting.done():
            waiting = self._confirming[channel] = asyncio.get_running_loop().create_future()
        return asyncio.shield(waiting)

    async def _subscribe(self) -> None:
        """Have Redis send what the channels of the connected sessions get, and nothing else."""
        while True:
            channel = await self._changed.get()
            listening = self._listening
            if listening is None:
                continue  # the listener subscribes to all there are when it is back
            try:
                if channel in self._connected:
                    await listening.subscribe(channel)
                else:
                    await listening.unsubscribe(channel)
            except _LOST as error:
                logger.warning("channel %s: %r", channel, error)  # the listener will see it, too

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as pubsub:
                    # Confirmed in this order: with the last one all are.
                    await pubsub.subscribe(*self._connected, _NODES, _PRESENCE)
                    self._listening = pubsub
                    await self._hear_all(pubsub)
            except _LOST as error:
                self._lost(error)
            finally:
                self._listening = None
            await self._look()
            await asyncio.sleep(LOOK_S)

    async def _hear_all(self, pubsub: PubSub) -> None:
        """Returns or raises when Redis is lost."""
        silent = 0
        while silent < 2:
            message = await pubsub.get_message(timeout=LISTEN_S)
            if message is None:
                silent += 1
                await pubsub.ping()
                continue
            silent = 0
            if message["type"] == "subscribe":
                await self._confirm(message["channel"])
            elif message["type"] == "message":
                self._take(message["channel"], json.loads(message["data"]))
        raise TimeoutError("Redis is silent")

    async def _confirm(self, channel: str) -> None:
        waiting = self._confirming.pop(channel, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
        if channel == _PRESENCE and self.problem:
            self.problem = ""
            logger.info("Redis is back")
            await self._look()

    def _take(self, channel: str, message: dict[str, Any]) -> None:
        if channel == _PRESENCE:
            if self._hear is not None and message["node"] != self._own:
                self._hear(message["app"], message["users"])
            return
        if channel == _NODES:
            hear = self._topics.get(message["topic"])
            if hear is not None and message["node"] != self._own:
                hear(message["message"])
            return
        connected = self._connected.get(channel)
        if connected is None:
            return
        match message:
            case {"event": event}:
                connected.subscriber.event(Event.model_validate(event))
            case {"moment": moment}:
                connected.subscriber.moment(_MOMENT.validate_python(moment))
            case {"newer": number}:
                if connected.number < number:
                    connected.subscriber.dismiss(None)
            case {"bye": bye}:
                connected.subscriber.dismiss(Bye.model_validate(bye) if bye is not None else None)

    def _lost(self, error: BaseException) -> None:
        if not self.problem:
            logger.warning("Redis is lost, events come from the database meanwhile: %r", error)
        self.problem = f"Redis: {error!r}"

    async def _look(self) -> None:
        """Tell the connections what events there are: messages about them may have been lost."""
        try:
            self.newest(await self._ask_newest())
        except (SQLAlchemyError, OSError):
            logger.exception("the database was not asked for events")


_KEPT = ":kept"


def _channel(session: SessionKey) -> str:
    return f"callagent:session:{session.app_id}:{session.session_id}"


def _kept(session: SessionKey) -> str:
    return _channel(session) + _KEPT
