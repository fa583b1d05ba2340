# SPDX-License-Identifier: GPL-3.0-or-later
"""A WebSocket server that answers as Janus would, or as a test has it."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

Json = dict[str, Any]
Answer = Callable[[Json], list[Json] | None]
"""What comes of a request, in order; None: what Janus would say."""


class ScriptedJanus:
    """Knows sessions, handles and rooms; negotiates nothing."""

    def __init__(self) -> None:
        self.port = 0
        self.answer: Answer = lambda _request: None
        self.requests: list[Json] = []
        self.sessions: set[int] = set()
        self.rooms: dict[int, str] = {}
        self._ids = itertools.count(1000)
        self._sockets: set[web.WebSocketResponse] = set()
        self.connected = asyncio.Event()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/"

    def asked(self, kind: str) -> list[Json]:
        """The requests of a kind: of the core, or of the plugin."""
        return [
            request
            for request in self.requests
            if request["janus"] == kind or request.get("body", {}).get("request") == kind
        ]

    async def tell(self, message: Json) -> None:
        await self.say(json.dumps(message))

    async def say(self, text: str) -> None:
        for socket in list(self._sockets):
            await socket.send_str(text)

    async def cut(self) -> None:
        for socket in list(self._sockets):
            await socket.close()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("janus-protocol",))
        await socket.prepare(request)
        self._sockets.add(socket)
        self.connected.set()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._take(socket, json.loads(message.data))
        finally:
            self._sockets.discard(socket)
        return socket

    async def _take(self, socket: web.WebSocketResponse, request: Json) -> None:
        self.requests.append(request)
        answers = self.answer(request)
        for answer in self._usual(request) if answers is None else answers:
            await socket.send_str(json.dumps(answer | {"transaction": request["transaction"]}))

    def _usual(self, request: Json) -> list[Json]:
        session = request.get("session_id")
        if session is not None and session not in self.sessions:
            return [{"janus": "error", "error": {"code": 458, "reason": "No such session"}}]
        match request["janus"]:
            case "ping":
                return [{"janus": "pong"}]
            case "keepalive" | "trickle":
                return [{"janus": "ack"}]
            case "create" | "attach" as kind:
                number = next(self._ids)
                if kind == "create":
                    self.sessions.add(number)
                return [{"janus": "success", "data": {"id": number}}]
            case "destroy":
                self.sessions.discard(request["session_id"])
        if request["janus"] == "message":
            return self._plugin(request["body"])
        return [{"janus": "success"}]

    def _plugin(self, body: Json) -> list[Json]:
        data: Json = {}
        match body["request"]:
            case "create":
                self.rooms[body["room"]] = body["description"]
            case "destroy":
                self.rooms.pop(body["room"], None)
            case "list":
                data = {"list": [{"room": room, "description": name} for room, name in self.rooms.items()]}
            case "listparticipants":
                data = {"participants": []}
        return [{"janus": "success", "plugindata": {"data": data}}]


@asynccontextmanager
async def scripted_janus() -> AsyncIterator[ScriptedJanus]:
    janus = ScriptedJanus()
    app = web.Application()
    app.router.add_get("/", janus.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    janus.port = runner.addresses[0][1]
    try:
        yield janus
    finally:
        await janus.cut()
        await runner.cleanup()
