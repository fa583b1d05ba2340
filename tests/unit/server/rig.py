# SPDX-License-Identifier: GPL-3.0-or-later
"""The real service behind a real uvicorn on loopback, and a client that speaks plain messages."""

import asyncio
import inspect
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy import select
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from callagent.server.accounts import DEFAULT_APP_ID
from callagent.server.app import create_app
from callagent.server.clock import Now
from callagent.server.service import CallService
from callagent.server.settings import ServiceSettings
from callagent.server.storage.tables import TimerRow
from callagent.server.storage.timers import TimerKind
from tests.deadline import DEADLINE_S

MEMORY = "sqlite://"
Json = dict[str, Any]


class FakeNow:
    """Unix seconds that pass only when told."""

    def __init__(self, at: float = 1_800_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


class Rig:
    """A started service with its addresses: one node, or several that share a database and a Redis.

    Clients are spread over the nodes in turn.
    """

    def __init__(self, nodes: Sequence[tuple[CallService, int]]) -> None:
        """`nodes`: each with its port."""
        self.services = [service for service, _ in nodes]
        self.service, self.port = nodes[0]
        self._ports = itertools.cycle([port for _, port in nodes])

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def away(self) -> set[str]:
        """The sessions whose away timer runs."""
        query = select(TimerRow.key).where(TimerRow.kind == TimerKind.AWAY)
        return await self.service.storage.read(lambda connection: set(connection.scalars(query)))

    async def is_away(self, client: "Client") -> bool:
        return client.session_id in await self.away()

    def pass_time(self, seconds: float) -> None:
        """On a FakeNow; what is due fires."""
        now = self.service.now
        assert isinstance(now, FakeNow)
        now.at += seconds
        for service in self.services:
            service.timers.changed((), ())

    async def usersig(self, user_id: str, app_id: int = DEFAULT_APP_ID) -> str:
        return await self.service.accounts.usersig(app_id, user_id)

    def connect(self) -> "Client":
        return Client(f"ws://127.0.0.1:{next(self._ports)}/v1/signal")

    @asynccontextmanager
    async def login(self, user_id: str, device_id: str | None = None, **more: Any) -> AsyncIterator["Client"]:
        """A client that has said hello."""
        async with self.connect() as client:
            await client.login(user_id, await self.usersig(user_id), device_id or f"{user_id}-1", **more)
            yield client


@asynccontextmanager
async def running(service: CallService, app: FastAPI | None = None) -> AsyncIterator[Rig]:
    """Serve an opened service; it is started here and closed at the end."""
    async with _served(service, app) as port:
        yield Rig([(service, port)])


@asynccontextmanager
async def fresh(
    database_url: str = MEMORY, *, nodes: int = 1, now: Now | None = None, **settings: Any
) -> AsyncIterator[Rig]:
    """`settings` are those of ServiceSettings."""
    async with AsyncExitStack() as stack:
        served = []
        for _ in range(nodes):
            service = await CallService.open(database_url, now=now, settings=ServiceSettings(**settings))
            served.append((service, await stack.enter_async_context(_served(service, None))))
        yield Rig(served)


@asynccontextmanager
async def _served(service: CallService, app: FastAPI | None) -> AsyncIterator[int]:
    """Gives the port."""
    config = uvicorn.Config(
        app or create_app(service),
        host="127.0.0.1",
        port=0,
        log_config=None,
        access_log=False,
        ws_ping_interval=None,
        lifespan="off",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    await service.start()
    serving = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started or serving.done())
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        await service.close()
        server.should_exit = True
        await serving


async def until(condition: Callable[[], bool | Awaitable[bool]], deadline_s: float = DEADLINE_S) -> None:
    """Wait for something that has no event of its own."""
    async with asyncio.timeout(deadline_s):
        while True:
            fulfilled = condition()
            if await fulfilled if inspect.isawaitable(fulfilled) else fulfilled:
                return
            await asyncio.sleep(0.005)


class Client:
    """One WebSocket. What arrives is kept in order; `event` and `reply` wait for the next of their kind."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ids = itertools.count(1)
        self._arrived = asyncio.Condition()
        self._reader: asyncio.Task[None] | None = None
        self._replies: dict[int, Json] = {}
        self.inbox: list[Json] = []
        """Everything but replies, not yet taken."""
        self.hear: Callable[[Json], None] | None = None
        """Gets what else would come into the inbox."""
        self.closed = asyncio.Event()
        self.session: Json = {}
        self.seq = 0
        self.user_id = ""

    async def __aenter__(self) -> "Client":
        self.socket: ClientConnection = await connect(self._url, compression=None, max_size=None)
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.disconnect()

    async def disconnect(self) -> None:
        await self.socket.close()
        if self._reader is not None:
            await self._reader

    async def abort(self) -> None:
        """As a power cut: no close handshake."""
        self.socket.transport.abort()
        if self._reader is not None:
            await self._reader

    async def _read(self) -> None:
        try:
            async for text in self.socket:
                message: Json = json.loads(text)
                async with self._arrived:
                    if message["type"] == "reply":
                        self._replies[message["id"]] = message
                    elif self.hear is not None:
                        self.hear(message)
                    else:
                        self.inbox.append(message)
                    self._arrived.notify_all()
        except ConnectionClosed:
            pass
        finally:
            self.closed.set()
            async with self._arrived:
                self._arrived.notify_all()

    async def send(self, kind: str, **fields: Any) -> int:
        """Send a request without waiting; returns its id."""
        number = next(self._ids)
        await self.socket.send(json.dumps({"type": kind, "id": number, **fields}))
        return number

    async def reply(self, number: int) -> Json:
        async with asyncio.timeout(DEADLINE_S), self._arrived:
            await self._arrived.wait_for(lambda: number in self._replies or self.closed.is_set())
        return self._replies.pop(number)

    async def ask(self, kind: str, **fields: Any) -> Json:
        return await self.reply(await self.send(kind, **fields))

    async def ok(self, kind: str, **fields: Any) -> Json:
        """The data of a reply that must be good."""
        reply = await self.ask(kind, **fields)
        assert reply["code"] == 0, reply
        data: Json = reply["data"]
        return data

    async def code(self, kind: str, **fields: Any) -> int:
        code: int = (await self.ask(kind, **fields))["code"]
        return code

    async def hello(self, user_id: str, user_sig: str, device_id: str, **more: Any) -> Json:
        fields: Json = {
            "protocol": 1,
            "sdkAppId": DEFAULT_APP_ID,
            "userId": user_id,
            "userSig": user_sig,
            "deviceId": device_id,
        }
        return await self.ask("hello", **(fields | more))

    async def login(self, user_id: str, user_sig: str, device_id: str, **more: Any) -> Json:
        reply = await self.hello(user_id, user_sig, device_id, **more)
        assert reply["code"] == 0, reply
        self.user_id = user_id
        self.session = reply["data"]
        self.seq = more["resume"]["lastSeq"] if self.session["resumed"] else self.session["seq"]
        return self.session

    @property
    def session_id(self) -> str:
        return str(self.session["sessionId"])

    @property
    def resume(self) -> Json:
        return {
            "sessionId": self.session_id,
            "resumeToken": self.session["resumeToken"],
            "lastSeq": self.seq,
        }

    async def message(self, kind: str) -> Json:
        """The next message of that type, taken out of the inbox."""
        async with asyncio.timeout(DEADLINE_S), self._arrived:
            await self._arrived.wait_for(
                lambda: any(m["type"] == kind for m in self.inbox) or self.closed.is_set()
            )
            found = next(m for m in self.inbox if m["type"] == kind)
            self.inbox.remove(found)
        return found

    async def event(self, name: str) -> Json:
        """The data of the next event, which must be this one, numbered one above the last."""
        event = await self.message("event")
        assert event["event"] == name, event
        assert event["seq"] == self.seq + 1
        self.seq = event["seq"]
        data: Json = event["data"]
        return data

    async def quiet(self) -> None:
        """Nothing but presence is on its way: a later request was answered and no event came before."""
        await self.ok("getHistory")
        assert [m for m in self.inbox if m["type"] == "event"] == []
