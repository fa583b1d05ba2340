# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of Janus' VideoCall plugin for the load generator, driven as those of the call service are.

Janus keeps no accounts and no records: a name is registered with the login, and nothing is asked for at
the end. It answers for both sides as the gateway it is, so that each call makes two ICE agents; no media is
sent, as none is sent to the call service (janus.conf.meetecho.com/docs/videocall.html).
"""

import asyncio
import itertools
import json
from typing import Any

import aiohttp

from benchmarks.signalling_contract import Failed, Json, Load, in_time

KEEP_ALIVE_S = 25.0
"""A session that says nothing for 60 s ends."""
_FINGERPRINT = ":".join(f"{number:02X}" for number in range(32))
_SDP = [
    "v=0",
    "o=- 1 1 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    "c=IN IP4 0.0.0.0",
    "a=mid:0",
    "a=sendrecv",
    "a=rtcp-mux",
    "a=ice-ufrag:abcd",
    "a=ice-pwd:abcdefghijklmnopqrstuvwx",
    f"a=fingerprint:sha-256 {_FINGERPRINT}",
    "a=rtpmap:111 opus/48000/2",
]


class Peer:
    """One session with one handle."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._numbers = itertools.count(1)
        self._at: Json = {}
        self._answers: dict[str, asyncio.Future[Json]] = {}
        self._events: dict[str, asyncio.Future[Json]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def log_in(self, web: aiohttp.ClientSession, url: str) -> None:
        self._socket = await web.ws_connect(url, protocols=("janus-protocol",), compress=0, max_msg_size=0)
        self._tasks = [asyncio.create_task(self._read())]
        created = await self._ask("create")
        self._at = {"session_id": created["data"]["id"]}
        attached = await self._ask("attach", plugin="janus.plugin.videocall")
        self._at["handle_id"] = attached["data"]["id"]
        registered = self.expect("registered")
        await self.request("register", username=self.name)
        await in_time(registered, f"{self.name} is not registered")
        self._tasks.append(asyncio.create_task(self._keep_alive()))

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()

    def expect(self, event: str) -> asyncio.Future[Json]:
        """The plugin's next event of this name, or `closed`; to be called before what causes it."""
        expected = self._events[event] = asyncio.get_running_loop().create_future()
        return expected

    async def request(self, name: str, jsep: Json | None = None, **fields: Any) -> None:
        """Of the plugin, which answers with events."""
        more = {} if jsep is None else {"jsep": jsep}
        await self._ask("message", body={"request": name, **fields}, **more)

    async def _ask(self, kind: str, **fields: Any) -> Json:
        """The first answer. Raises Failed."""
        number = str(next(self._numbers))
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        message = {"janus": kind, "transaction": number, **self._at, **fields}
        await self._socket.send_str(json.dumps(message))
        try:
            found: Json = await in_time(answer, f"{self.name}: {kind} was not answered")
        finally:
            self._answers.pop(number, None)
        if found["janus"] == "error":
            raise Failed(f"{self.name}: {kind} was answered {found['error']}")
        return found

    async def _read(self) -> None:
        async for frame in self._socket:
            message = json.loads(frame.data)
            waiting = self._answers.get(message.get("transaction", ""))
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
            if message["janus"] == "hangup":
                self._happened("closed", message)
            elif message["janus"] == "event":
                data = message["plugindata"]["data"]
                self._happened(data.get("result", {}).get("event", "refused"), message)

    def _happened(self, event: str, message: Json) -> None:
        waiting = self._events.pop(event, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(message)

    async def _keep_alive(self) -> None:
        await asyncio.sleep(hash(self.name) % 1000 / 1000 * KEEP_ALIVE_S)
        while True:
            await self._ask("keepalive")
            await asyncio.sleep(KEEP_ALIVE_S)


class People:
    """See `signalling_contract.People`."""

    def __init__(self, load: Load, web: aiohttp.ClientSession) -> None:
        self._url, self._web = load.urls[0], web
        self._peers = [Peer(f"p{number:05d}") for number in range(load.sessions)]

    async def prepare(self) -> None:
        pass

    async def log_in(self, number: int) -> None:
        await self._peers[number].log_in(self._web, self._url)

    async def set_up(self, caller: int, callee: int, due: float) -> float:
        """The plugin says to both sides that the call is accepted, where ours begins it."""
        calling, called = self._peers[caller], self._peers[callee]
        both = (calling, called)
        rings = called.expect("incomingcall")
        rang = asyncio.get_running_loop().create_future()
        rings.add_done_callback(lambda _: rang.set_result(asyncio.get_running_loop().time() - due))
        begins = [side.expect("accepted") for side in both]
        ends = [side.expect(event) for side in both for event in ("hangup", "closed")]
        await calling.request("call", _description("offer"), username=called.name)
        rang_s: float = await in_time(rang, f"{called.name} does not ring")
        await called.request("accept", _description("answer"))
        await in_time(asyncio.gather(*begins), f"the call of {calling.name} does not begin")
        await calling.request("hangup")
        await in_time(asyncio.gather(*ends), f"the call of {calling.name} does not end")
        return rang_s

    async def log_out(self) -> None:
        await asyncio.gather(*(peer.leave() for peer in self._peers))


def _description(kind: str) -> Json:
    setup = "a=setup:actpass" if kind == "offer" else "a=setup:active"
    return {"type": kind, "sdp": "\r\n".join([*_SDP, setup, ""])}
