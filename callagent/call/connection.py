# SPDX-License-Identifier: GPL-3.0-or-later
"""One WebSocket connection to the service: framing, replies by id, heartbeat. It never reconnects."""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
from pydantic import ValidationError

from callagent.call.own_time import comes_within
from callagent.protocol.errors import ErrorCode
from callagent.protocol.events import (
    CommandAnswerSignal,
    CommandSignal,
    Event,
    Moment,
    PresenceChange,
    Signal,
)
from callagent.protocol.replies import HelloData
from callagent.protocol.requests import AnyRequest, Bye, Hello, Ping, ProtocolError, Reply

log = logging.getLogger(__name__)

OnReply = Callable[[Reply], None]

HELLO_REPLY_S = 10.0
CLOSE_S = 0.3
MAX_UNSENT = 256


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection ended."""

    reason: str
    bye: Bye | None = None


class ConnectionLost(Exception):
    """The connection ended before the login was answered."""


class ConnectionListener(Protocol):
    """Told on the loop, in the order of the wire."""

    def handle_event(self, event: Event) -> None: ...

    def handle_moment(self, message: Moment) -> None: ...

    def handled_seq(self) -> int:
        """The last event that was applied; acknowledged with the next heartbeat."""
        ...


def unreachable(message: str) -> Reply:
    """What stands for a reply that will not come."""
    return Reply(id=0, code=ErrorCode.SIGNALING_SEND_FAIL, message=message)


class Connection:
    """Used on the loop by one owner: `login`, then `run` until it returns, then `close`."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, listener: ConnectionListener) -> None:
        self._ws = ws
        self._listener = listener
        self._waiting: dict[int, OnReply] = {}
        self._unsent: asyncio.Queue[str] = asyncio.Queue(MAX_UNSENT)
        self._last_id = 0
        self._in_call = False
        self._tempo_changed = asyncio.Event()
        self._failed: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    async def login(self, hello: Hello) -> Reply:
        """Send hello and wait for its reply. Raises ConnectionLost."""
        try:
            async with asyncio.timeout(HELLO_REPLY_S):
                await self._ws.send_str(self._numbered(hello))
                while True:
                    message = await self._receive()
                    if isinstance(message, Ending):
                        raise ConnectionLost(message.bye.message if message.bye else message.reason)
                    if message.get("type") == "reply":
                        return Reply.model_validate(message)
        except TimeoutError:
            raise ConnectionLost("the service did not answer the login") from None
        except (ConnectionError, aiohttp.ClientError, ValidationError) as error:
            raise ConnectionLost(str(error) or type(error).__name__) from error

    async def run(self, hello: HelloData) -> Ending:
        """Read, write and keep alive until the connection is over."""
        tasks: list[asyncio.Task[Ending]] = [
            asyncio.create_task(self._read(), name="signalling reader"),
            asyncio.create_task(self._write(), name="signalling writer"),
            asyncio.create_task(self._beat(hello), name="signalling heartbeat"),
        ]
        try:
            done, _ = await asyncio.wait([*tasks, self._failed], return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Fail what waits for a reply and drop the socket, politely if that is quick."""
        waiting, self._waiting = self._waiting, {}
        for on_reply in waiting.values():
            on_reply(unreachable("The connection to the call service broke"))
        self._failed.cancel()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._ws.close()
        except TimeoutError:
            log.debug("The connection was dropped without a closing handshake")

    def fail(self, reason: str) -> None:
        """Give the connection up: `run` returns."""
        if not self._failed.done():
            self._failed.set_result(Ending(reason))

    @property
    def failing(self) -> bool:
        """Given up; `run` is about to return."""
        return self._failed.done()

    def set_in_call(self, in_call: bool) -> None:
        """Choose the heartbeat's tempo."""
        if in_call != self._in_call:
            self._in_call = in_call
            self._tempo_changed.set()

    def send(self, message: AnyRequest, on_reply: OnReply) -> None:
        """Queue a request; `on_reply` is called exactly once, at the latest by `close`."""
        text = self._numbered(message)
        self._waiting[self._last_id] = on_reply
        try:
            self._unsent.put_nowait(text)
        except asyncio.QueueFull:
            self.fail("the service takes nothing any more")

    def _numbered(self, message: AnyRequest) -> str:
        self._last_id += 1
        return json.dumps({**message.wire(), "id": self._last_id})

    async def _write(self) -> Ending:
        try:
            while True:
                await self._ws.send_str(await self._unsent.get())
        except (ConnectionError, aiohttp.ClientError) as error:
            return Ending(str(error) or "the connection broke")

    async def _beat(self, hello: HelloData) -> Ending:
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout(hello.ping_call if self._in_call else hello.ping_idle):
                    await self._tempo_changed.wait()
            except TimeoutError:
                pass
            self._tempo_changed.clear()
            answered: asyncio.Future[Reply] = loop.create_future()
            self.send(Ping(id=1, ack=self._listener.handled_seq()), answered.set_result)
            if not await comes_within(answered, hello.ping_reply):
                return Ending("the service did not answer the heartbeat")

    async def _read(self) -> Ending:
        while True:
            message = await self._receive()
            if isinstance(message, Ending):
                return message
            try:
                self._handle(message)
            except ValidationError as error:
                log.warning("The service sent a malformed %r: %s", message.get("type"), error)

    async def _receive(self) -> dict[str, Any] | Ending:
        """The next JSON object, or how the connection ended."""
        while True:
            frame = await self._ws.receive()
            if frame.type is aiohttp.WSMsgType.TEXT:
                try:
                    message = json.loads(frame.data)
                except (ValueError, RecursionError):
                    log.warning("The service sent something that is not JSON")
                    continue
                if not isinstance(message, dict):
                    log.warning("The service sent something that is not an object")
                elif message.get("type") == "bye":
                    return _ending_of(message)
                else:
                    return message
            elif frame.type is not aiohttp.WSMsgType.BINARY:
                return Ending("the service closed the connection")

    def _handle(self, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "reply":
                reply = Reply.model_validate(message)
                on_reply = self._waiting.pop(reply.id, None)
                if on_reply is not None:
                    on_reply(reply)
            case "event":
                self._listener.handle_event(Event.model_validate(message))
            case "media":
                self._listener.handle_moment(Signal.model_validate(message))
            case "command":
                self._listener.handle_moment(CommandSignal.model_validate(message))
            case "commandAnswer":
                self._listener.handle_moment(CommandAnswerSignal.model_validate(message))
            case "presence":
                self._listener.handle_moment(PresenceChange.model_validate(message))
            case "error":
                error = ProtocolError.model_validate(message)
                log.warning("The service could not read a message: %s [%d]", error.message, error.code)
            case other:
                log.debug("The service sent a message of unknown type %r", other)


def _ending_of(message: dict[str, Any]) -> Ending:
    try:
        bye = Bye.model_validate(message)
    except ValidationError:
        return Ending("the service said good-bye")
    return Ending(bye.message, bye)
