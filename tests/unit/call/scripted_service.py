# SPDX-License-Identifier: GPL-3.0-or-later
"""A real WebSocket server on loopback whose every word the test says."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from callagent.protocol.base import Wire
from callagent.protocol.events import AnyEventData, Event, event_name

DEADLINE_S = 10.0
SESSION = "b" * 16


def hello_data(**changes: Any) -> dict[str, Any]:
    return {
        "sessionId": SESSION,
        "resumeToken": "token",
        "resumed": False,
        "seq": 0,
        "serverVersion": "test",
        "serverTime": 0,
        "nickname": "",
        "avatar": "",
        "pingIdle": 60.0,
        "pingCall": 60.0,
        "pingReply": 5.0,
        "sessionSilence": 30.0,
        **changes,
    }


class Line:
    """One connection of the client, seen from the service."""

    def __init__(self, ws: web.WebSocketResponse) -> None:
        self._ws = ws
        self.over = asyncio.Event()

    async def receive(self, kind: str | None = None) -> dict[str, Any]:
        """The next message; of that type, if one is named."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                message: dict[str, Any] = json.loads(await self._ws.receive_str())
                if kind is None or message["type"] == kind:
                    return message

    async def closed(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while (await self._ws.receive()).type is WSMsgType.TEXT:
                pass

    async def send(self, message: Wire | dict[str, Any]) -> None:
        await self._ws.send_json(message.wire() if isinstance(message, Wire) else message)

    async def send_text(self, text: str) -> None:
        await self._ws.send_str(text)

    async def reply(self, request: dict[str, Any], code: int = 0, **data: Any) -> None:
        await self.send({"type": "reply", "id": request["id"], "code": code, "message": "", "data": data})

    async def greet(self, **changes: Any) -> dict[str, Any]:
        """Receive hello and welcome the client; returns the hello."""
        hello = await self.receive("hello")
        await self.reply(hello, **hello_data(**changes))
        return hello

    async def event(self, seq: int, data: AnyEventData) -> None:
        await self.send(Event(seq=seq, event=event_name(data), time=0, data=data.wire()))

    async def bye(self, code: int) -> None:
        await self.send({"type": "bye", "code": code, "message": "bye"})

    def drop(self) -> None:
        """The connection is gone, without a good-bye."""
        self.over.set()


class ScriptedService:
    def __init__(self) -> None:
        self._lines: asyncio.Queue[Line] = asyncio.Queue()
        self._server: TestServer | None = None
        self._open: list[Line] = []
        self.url = ""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/v1/signal", self._serve)
        self._server = TestServer(app)
        await self._server.start_server()
        self.url = f"ws://127.0.0.1:{self._server.port}"

    async def stop(self) -> None:
        for line in self._open:
            line.drop()
        if self._server is not None:
            await self._server.close()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        line = Line(ws)
        self._open.append(line)
        self._lines.put_nowait(line)
        await line.over.wait()
        if request.transport is not None:
            request.transport.abort()
        return ws

    async def line(self) -> Line:
        """The client's next connection."""
        async with asyncio.timeout(DEADLINE_S):
            return await self._lines.get()

    @property
    def waiting_lines(self) -> int:
        return self._lines.qsize()


@asynccontextmanager
async def scripted_service() -> AsyncIterator[ScriptedService]:
    service = ScriptedService()
    await service.start()
    try:
        yield service
    finally:
        await service.stop()
