# SPDX-License-Identifier: GPL-3.0-or-later
"""The signalling WebSocket: one reader, one writer and one worker per connection (docs/protocol.md)."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from callagent.protocol import taken_out
from callagent.protocol.base import Wire
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.replies import HelloData
from callagent.protocol.requests import (
    PING_CALL_S,
    PING_IDLE_S,
    PING_REPLY_S,
    AnyRequest,
    Bye,
    Hello,
    Logout,
    Ping,
    ProtocolError,
    Reply,
)
from callagent.server.connection import Outbox
from callagent.server.limits import TooMany
from callagent.server.parsing import BadMessage, failure, parse
from callagent.server.patience import Patience
from callagent.server.sessions import Login

if TYPE_CHECKING:
    from callagent.server.service import CallService

HELLO_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 3.0
"""For the last messages to a consumer that may not read."""
FULL_QUEUE_POLL_S = 0.1
MAX_PENDING = 64
"""Requests read ahead; then reading waits."""

WS_POLICY, WS_LATER = 1008, 1013
"""Close codes (RFC 6455, 7.4.1, and IANA's registry): policy violation, try again later."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Pending:
    request: AnyRequest
    content: str
    """What it says apart from its id."""


class SignallingConnection:
    """One WebSocket from accept to close. Runs on the event loop.

    The reader answers pings and refuses nonsense at once; the worker does the
    requests one after the other, in their order, and finishes those it has also
    when the connection is gone.
    """

    def __init__(self, service: "CallService", websocket: WebSocket) -> None:
        self._service = service
        self._websocket = websocket
        self._pending: asyncio.Queue[_Pending | None] = asyncio.Queue(MAX_PENDING)
        self._unfinished: list[str] = []
        self._login: Login | None = None
        self._heard_at = 0.0
        self._silent = False
        self.outbox = Outbox()

    async def run(self) -> None:
        """Serve until either side ends it; never raises for what the other side does."""
        reader = asyncio.create_task(self._read(), name="signalling reader")
        writer = asyncio.create_task(self.outbox.write(self._send), name="signalling writer")
        worker = asyncio.create_task(self._work(), name="signalling worker")
        tasks = {reader, writer, worker}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            reader.cancel()
            await asyncio.wait({reader})
            await self._finish(worker)
            await self._end(writer)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                _report(task)

    async def _finish(self, worker: asyncio.Task[None]) -> None:
        """Let the worker do what was asked before the end, then leave the session."""
        while not worker.done() and self._pending.full():
            await asyncio.wait({worker}, timeout=FULL_QUEUE_POLL_S)
        if not worker.done():
            self._pending.put_nowait(None)
            await asyncio.wait({worker})
        if self._login is None:
            return
        try:
            if self._silent:
                await self._service.sessions.silent(self._login)
                bye = Bye(code=ErrorCode.RESUME_IMPOSSIBLE, message="Nothing was heard for too long")
                self.outbox.dismiss(bye)
            self._service.bus.detach(self._login.key, self.outbox)
            await self._service.sessions.away(self._login)
        except (SQLAlchemyError, CallAgentError):
            logger.exception("session %s was not left in order", self._login.key.session_id)

    @property
    def _address(self) -> str:
        return self._websocket.client.host if self._websocket.client is not None else ""

    async def _end(self, writer: asyncio.Task[None]) -> None:
        self.outbox.dismiss(None)
        await asyncio.wait({writer}, timeout=CLOSE_TIMEOUT_S)
        if self._websocket.client_state is WebSocketState.CONNECTED:
            try:
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await self._websocket.close()
            except (TimeoutError, RuntimeError, WebSocketDisconnect):
                logger.debug("the connection was gone before its close")

    async def _send(self, text: str) -> None:
        await self._websocket.send_text(text)

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        opened_at = self._heard_at = loop.time()
        patience = Patience(lambda: self._deadline(opened_at))
        try:
            await self._read_patiently(patience, loop)
        except TimeoutError:
            self._give_up()
        finally:
            patience.close()

    async def _read_patiently(self, patience: Patience, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            with patience:
                message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            self._heard_at = loop.time()
            text = message.get("text")
            if text is None:
                self._answer(ProtocolError(code=ErrorCode.MALFORMED_MESSAGE, message="Not a text frame"))
            else:
                await self._take(text)

    def _deadline(self, opened_at: float) -> float:
        if self._login is None:
            return opened_at + HELLO_TIMEOUT_S
        return self._heard_at + self._service.silence_s

    def _give_up(self) -> None:
        if self._login is None:
            self.outbox.dismiss(Bye(code=ErrorCode.NOT_LOGGED_IN, message="No hello came"))
        else:
            logger.info("session %s of %s is silent", self._login.key.session_id, self._login.user_id)
            self._silent = True

    async def _take(self, text: str) -> None:
        try:
            request, content = parse(text)
        except BadMessage as bad:
            self._answer(bad.answer)
            return
        if isinstance(request, Ping) and self._login is not None:
            self._service.sessions.acknowledge(self._login.key, min(request.ack, self.outbox.sent_seq))
            self._answer(Reply(id=request.id))
        elif not self._within_limits():
            self._answer(_refused(request, ErrorCode.TOO_MANY_REQUESTS, "Too many requests; slow down"))
        elif content in self._unfinished:
            self._answer(_refused(request, ErrorCode.REQUEST_REPEATED, "The same request is still running"))
        else:
            self._unfinished.append(content)
            await self._pending.put(_Pending(request, content))

    def _within_limits(self) -> bool:
        login = self._login
        return login is None or self._service.limits.allows_request(login.key.app_id, login.user_id)

    def _answer(self, message: Wire) -> None:
        self.outbox.put(message)

    async def _work(self) -> None:
        while (pending := await self._pending.get()) is not None:
            request = pending.request
            self.outbox.hold()
            try:
                if isinstance(request, Hello):
                    await self._hello(request)
                elif self._login is None:
                    self._answer(_refused(request, ErrorCode.NOT_LOGGED_IN, "The first message is hello"))
                else:
                    await self._do(self._login, request)
            finally:
                self._unfinished.remove(pending.content)
                self.outbox.release()

    async def _do(self, login: Login, request: AnyRequest) -> None:
        try:
            data = {} if isinstance(request, Ping) else await self._service.handlers.handle(login, request)
            self._answer(Reply(id=request.id, data=taken_out.pruned("reply", request.type, data)))
        except CallAgentError as error:
            self._answer(failure(request.id, error))
        except Exception:
            # Whatever it was: this request failed, the connection and the call go on.
            logger.exception("a %s failed", request.type)
            self._answer(_refused(request, ErrorCode.SERVER_INTERNAL, "The service failed; try again"))
        else:
            if isinstance(request, Logout):
                self.outbox.dismiss(Bye(code=ErrorCode.OK, message="Logged out"))

    async def _hello(self, hello: Hello) -> None:
        if self._login is not None:
            self._answer(_refused(hello, ErrorCode.REQUEST_REFUSED, "This connection is logged in already"))
            return
        try:
            login = await self._service.sessions.hello(hello, self._address)
            self._login = login
            await self._service.bus.attach(login.key, self.outbox, login.connection)
            data = (await self._greeting(login)).wire()
            self._answer(Reply(id=hello.id, data=taken_out.pruned("reply", hello.type, data)))
        except CallAgentError as error:
            told = self._service.limits.refused(self._address, error)
            self._answer(failure(hello.id, told))
            self.outbox.dismiss(Bye(code=told.code, message=told.message))
        except Exception:
            logger.exception("a hello failed")
            self._answer(_refused(hello, ErrorCode.SERVER_INTERNAL, "The service failed; try again"))
            self.outbox.dismiss(Bye(code=ErrorCode.SERVER_INTERNAL, message="The service failed"))
        else:
            self.outbox.replay(lambda after: self._service.sessions.events_after(login.key, after), login.seq)

    async def _greeting(self, login: Login) -> HelloData:
        service = self._service
        own = (await service.presence.users(login.key.app_id, [login.user_id]))[0]
        return HelloData(
            session_id=login.key.session_id,
            resume_token=login.resume_token,
            resumed=login.resumed,
            seq=login.newest_seq,
            server_version=service.version,
            server_time=int(service.now() * 1000),
            nickname=own.nickname,
            avatar=own.avatar,
            ping_idle=PING_IDLE_S,
            ping_call=PING_CALL_S,
            ping_reply=PING_REPLY_S,
            session_silence=service.silence_s,
            call=await service.control.snapshot(login.key, login.user_id),
        )


def _report(task: asyncio.Task[None]) -> None:
    """A peer that is gone or does not read is nothing to report; anything else is a fault of ours."""
    error = None if task.cancelled() else task.exception()
    if isinstance(error, TimeoutError):
        logger.info("a connection that does not read was closed")
    elif error is not None and not isinstance(error, WebSocketDisconnect):
        logger.error("the %s failed", task.get_name(), exc_info=error)


def _refused(request: AnyRequest, code: ErrorCode, message: str) -> Reply:
    return Reply(id=request.id, code=code, message=message)


async def signal(websocket: WebSocket) -> None:
    """The endpoint /v1/signal; the service is in the application's state."""
    service: CallService = websocket.app.state.service
    address = websocket.client.host if websocket.client is not None else ""
    try:
        with service.limits.connection(address):
            if not origin_allowed(websocket.headers, service.settings.origins):
                logger.warning("a page of %s may not connect (listen.origins)", websocket.headers["origin"])
                await websocket.close(WS_POLICY)
                return
            await websocket.accept()
            await service.serve(SignallingConnection(service, websocket))
    except TooMany:
        logger.warning("too many connections; one from %s was refused", address)
        await websocket.close(WS_LATER)


def origin_allowed(headers: Mapping[str, str], others: Sequence[str]) -> bool:
    """Whether a page of that origin may connect (RFC 6454): only browsers send one, and they do not lie."""
    origin = headers.get("origin")
    if origin is None or "*" in others or origin in others:
        return True
    return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
