# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of the call service for the load generator: accounts, sessions and whole calls of two."""

import asyncio
import itertools
import json
import time
from typing import Any

import aiohttp

from benchmarks.signalling_contract import Failed, Json, Load, in_time
from callagent.protocol.enums import MediaType
from callagent.protocol.requests import PROTOCOL_VERSION
from callagent.protocol.usersig import make_usersig

PING_S = 10.0
IMPORTED_AT_ONCE = 100


class Person:
    """One session. Reads all it is told, pings in time, keeps nothing that nobody waits for."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._ids = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Json]] = {}
        self._events: dict[str, asyncio.Future[Json]] = {}
        self._seq = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def log_in(self, web: aiohttp.ClientSession, url: str, hello: Json) -> None:
        self._socket = await web.ws_connect(f"{url}/v1/signal", compress=0, max_msg_size=0)
        self._tasks = [asyncio.create_task(self._read())]
        await self.ask("hello", **hello)
        self._tasks.append(asyncio.create_task(self._ping()))

    async def leave(self) -> None:
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
            message = await in_time(reply, f"{self.name}: {kind} was not answered")
        finally:
            self._replies.pop(number, None)
        if message["code"] != 0:
            raise Failed(f"{self.name}: {kind} was answered {message['code']} {message['message']}")
        data: Json = message["data"]
        return data

    def expect(self, event: str) -> asyncio.Future[Json]:
        """The next event of this name; to be called before what causes it."""
        expected = self._events[event] = asyncio.get_running_loop().create_future()
        return expected

    async def _read(self) -> None:
        async for frame in self._socket:
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
        await asyncio.sleep(hash(self.name) % 1000 / 1000 * PING_S)
        while True:
            await self.ask("ping", ack=self._seq)
            await asyncio.sleep(PING_S)


class People:
    """See `signalling_contract.People`."""

    def __init__(self, load: Load, web: aiohttp.ClientSession) -> None:
        self._load, self._web = load, web
        self._people = [Person(f"p{number:05d}") for number in range(load.sessions)]
        self._admin = {
            "sdkappid": str(load.app_id),
            "identifier": "administrator",
            "usersig": self._ticket("administrator"),
            "random": "1",
            "contenttype": "json",
        }

    async def prepare(self) -> None:
        names = [{"UserID": person.name} for person in self._people]
        for first in range(0, len(names), IMPORTED_AT_ONCE):
            batch = {"AccountList": names[first : first + IMPORTED_AT_ONCE]}
            done = await self._rest(0, "im_open_login_svc/multiaccount_import", batch)
            if done["FailAccounts"]:
                raise Failed(f"not imported: {done['FailAccounts']}")

    async def log_in(self, number: int) -> None:
        person = self._people[number]
        hello = {
            "protocol": PROTOCOL_VERSION,
            "sdkAppId": self._load.app_id,
            "userId": person.name,
            "userSig": self._ticket(person.name),
            "deviceId": f"{person.name}-1",
        }
        await person.log_in(self._web, self._url(number), hello)

    async def set_up(self, caller: int, callee: int, due: float) -> float:
        """Until the record is there for a back end, too."""
        calling, called = self._people[caller], self._people[callee]
        rings = called.expect("onCallReceived")
        rang = asyncio.get_running_loop().create_future()
        rings.add_done_callback(lambda _: rang.set_result(asyncio.get_running_loop().time() - due))
        begins = [side.expect("onCallBegin") for side in (calling, called)]
        ends = [side.expect("onCallEnd") for side in (calling, called)]
        started = await calling.ask("calls", userIdList=[called.name], mediaType=MediaType.AUDIO)
        call_id = started["callId"]
        rang_s: float = await in_time(rang, f"{called.name} does not ring")
        await called.ask("accept", callId=call_id)
        await in_time(asyncio.gather(*begins), f"{call_id} does not begin")
        await calling.ask("hangup", callId=call_id)
        await in_time(asyncio.gather(*ends), f"{call_id} does not end")
        found = await self._rest(caller, "call_record_http_srv/get_record_by_callid", {"CallId": call_id})
        record = found["Response"]["CallRecord"]
        if (record["CallId"], record["CallResult"]) != (call_id, "NormalEnd"):
            raise Failed(f"{call_id} left a wrong record: {record}")
        return rang_s

    async def log_out(self) -> None:
        await asyncio.gather(*(person.leave() for person in self._people))

    async def _rest(self, number: int, command: str, body: Json) -> Json:
        """Raises Failed."""
        url = f"{self._url(number)}/v4/{command}"
        async with self._web.post(url, params=self._admin, json=body) as answer:
            found: Json = await answer.json()
        if found["ErrorCode"] != 0:
            raise Failed(f"{command} was answered {found}")
        return found

    def _url(self, number: int) -> str:
        """As a load balancer would spread them: every other pair is on one node."""
        pair, position = divmod(number, 2)
        nodes = self._load.urls
        return nodes[(pair // 2 + position * (pair % 2)) % len(nodes)]

    def _ticket(self, name: str) -> str:
        return make_usersig(self._load.app_id, self._load.secret, name, 86400, now=time.time())
