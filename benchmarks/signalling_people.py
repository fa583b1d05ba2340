# SPDX-License-Identifier: GPL-3.0-or-later
"""One user of the load generator: a session on the call service, and one whole call of two."""

import asyncio
import itertools
import json
import time
from typing import Any

import aiohttp

from callagent.protocol.requests import PROTOCOL_VERSION
from callagent.protocol.usersig import make_usersig

DEADLINE_S = 10.0
_PING_S = 10.0

Json = dict[str, Any]


class Failed(Exception):
    """Something was answered wrongly or not in time."""


class Person:
    """Used on one event loop. Reads all it is told, answers pings in time, remembers nothing it need not."""

    def __init__(self, name: str, app_id: int, secret: str) -> None:
        self.name = name
        self._hello = {
            "protocol": PROTOCOL_VERSION,
            "sdkAppId": app_id,
            "userId": name,
            "userSig": make_usersig(app_id, secret, name, 86400, now=time.time()),
            "deviceId": f"{name}-1",
        }
        self._ids = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Json]] = {}
        self._events: dict[str, asyncio.Future[Json]] = {}
        self._seq = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def log_in(self, web: aiohttp.ClientSession, url: str) -> None:
        self._socket = await web.ws_connect(f"{url}/v1/signal", compress=0, max_msg_size=0)
        self._tasks = [asyncio.create_task(self._read())]
        await self.ask("hello", **self._hello)
        self._tasks.append(asyncio.create_task(self._ping()))

    async def log_out(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()

    async def ask(self, kind: str, **fields: Any) -> Json:
        """The reply's data. Raises Failed."""
        number = next(self._ids)
        reply = self._replies[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_str(json.dumps({"type": kind, "id": number, **fields}))
        try:
            async with asyncio.timeout(DEADLINE_S):
                message = await reply
        except TimeoutError:
            raise Failed(f"{self.name}: {kind} was not answered") from None
        finally:
            self._replies.pop(number, None)
        if message["code"] != 0:
            raise Failed(f"{self.name}: {kind} was answered {message['code']} {message['message']}")
        data: Json = message["data"]
        return data

    def expect(self, *names: str) -> list[asyncio.Future[Json]]:
        """The next events of these names; to be called before what causes them."""
        loop = asyncio.get_running_loop()
        for name in names:
            self._events[name] = loop.create_future()
        return [self._events[name] for name in names]

    async def _read(self) -> None:
        async for frame in self._socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                continue
            message = json.loads(frame.data)
            if message["type"] == "reply":
                waiting = self._replies.get(message["id"])
            elif message["type"] == "event":
                self._seq = message["seq"]
                waiting = self._events.pop(message["event"], None)
            else:
                continue
            if waiting is not None and not waiting.done():
                waiting.set_result(message)

    async def _ping(self) -> None:
        # Not all at the same moment.
        await asyncio.sleep(hash(self.name) % 1000 / 1000 * _PING_S)
        while True:
            await self.ask("ping", ack=self._seq)
            await asyncio.sleep(_PING_S)


async def set_up(caller: Person, callee: Person, due: float) -> float:
    """One call from the first word to its record; seconds from `due` (event loop's clock) until it rang.

    Raises Failed.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(DEADLINE_S):
            (rings,) = callee.expect("onCallReceived")
            both = [*caller.expect("onCallBegin", "onCallEnd"), *callee.expect("onCallBegin", "onCallEnd")]
            begins, ends = both[::2], both[1::2]
            rang = loop.create_future()
            rings.add_done_callback(lambda _: rang.set_result(loop.time() - due))
            started = await caller.ask("calls", userIdList=[callee.name], mediaType=1)
            call_id = started["callId"]
            rang_s: float = await rang
            await callee.ask("accept", callId=call_id)
            await asyncio.gather(*begins)
            await caller.ask("hangup", callId=call_id)
            await asyncio.gather(*ends)
            newest = await caller.ask("getHistory", limit=1)
    except TimeoutError:
        raise Failed(f"{caller.name} and {callee.name}: the call stopped half way") from None
    if [entry["callId"] for entry in newest["calls"]] != [call_id]:
        raise Failed(f"{caller.name}: call {call_id} left no record")
    return rang_s
