# SPDX-License-Identifier: GPL-3.0-or-later
"""One Janus node as a `SfuBackend`: stays connected, keeps its rooms alive, claims them after a break."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

from callagent.protocol.media import IceCandidate
from callagent.server.sfu import janus_seat
from callagent.server.sfu.backend import (
    Keep,
    Refused,
    RoomGone,
    RoomIds,
    RoomListener,
    Seat,
    ServerAway,
    SfuError,
)
from callagent.server.sfu.janus_wire import JanusWire, Json, NoSuchHandle, data_of

PING_S = 1.0
PING_ANSWER_S = 2.0
"""A Janus that does not answer within this time is taken for dead."""
KEEPALIVE_S = 10.0
"""Of every session; Janus gives them up after its `session_timeout`, 60 s."""
RETRY_S = 0.25
PATIENCE_S = 3.0
"""How long a break of the connection is waited out before its rooms count as gone."""
REFUSED_S = 1.0
"""The same where nobody listens any more: most likely the rooms ended with the process."""
FIRST_S = 2.5
HELD_S = 10.0
"""A server that would not make a room is not asked for another one so long."""

NAME = "callagent "
"""How the descriptions of the service's rooms begin."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Served:
    ids: RoomIds
    listener: RoomListener


class JanusBackend:
    """See `SfuBackend`. Owns its connection from `start` to `close`."""

    def __init__(self, url: str, api_secret: str | None, capacity: int) -> None:
        """`url`: `ws://` or `wss://`, of Janus' WebSocket transport."""
        self.url = url
        self.capacity = capacity
        self._away = "not connected yet"
        self._held_until = 0.0
        self._api_secret = api_secret
        self._rooms: dict[int, _Served] = {}
        """By session."""
        self._wire: JanusWire | None = None
        self._up = asyncio.Event()
        self._tried = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def problem(self) -> str:
        if self._away or asyncio.get_running_loop().time() >= self._held_until:
            return self._away
        return "it would not make a room"

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"media server {self.url}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_S):
                await self._tried.wait()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._task = None

    async def create(self, name: str, listener: RoomListener) -> RoomIds:
        try:
            return await self._create(name, listener)
        except SfuError:
            self._held_until = asyncio.get_running_loop().time() + HELD_S
            raise

    async def _create(self, name: str, listener: RoomListener) -> RoomIds:
        made = await self._ask({"janus": "create"})
        session = _id(made)
        try:
            desk = await self._attach(session)
            number = secrets.randbelow(2**52) + 1
            await self._message(session, desk, janus_seat.room(number, NAME + name))
        except SfuError:
            with contextlib.suppress(SfuError):
                await self._ask({"janus": "destroy", "session_id": session})
            raise
        ids = RoomIds(session=session, desk=desk, room=number)
        self._rooms[session] = _Served(ids, listener)
        return ids

    async def claim(self, room: RoomIds, listener: RoomListener) -> None:
        await self._ask({"janus": "claim", "session_id": room.session})
        self._rooms[room.session] = _Served(room, listener)
        try:
            await self.feeds(room)  # the room, too, must be there
        except RoomGone:
            self.release(room)
            raise

    def release(self, room: RoomIds) -> None:
        self._rooms.pop(room.session, None)

    async def destroy(self, room: RoomIds) -> None:
        self.release(room)
        with contextlib.suppress(Refused):
            await self._message(room.session, room.desk, {"request": "destroy", "room": room.room})
        with contextlib.suppress(Refused):
            await self._ask({"janus": "destroy", "session_id": room.session})

    async def publish(self, room: RoomIds, feed: int, sdp: str, descriptions: dict[str, str]) -> Seat:
        body = janus_seat.publish(room.room, feed, sdp, descriptions)
        return await self._take_seat(room, body, {"type": "offer", "sdp": sdp}, "answer")

    async def subscribe(self, room: RoomIds, feed: int, mids: Sequence[str]) -> Seat:
        return await self._take_seat(room, janus_seat.subscribe(room.room, feed, mids), None, "offer")

    async def answer(self, room: RoomIds, handle: int, sdp: str) -> None:
        jsep = {"type": "answer", "sdp": sdp}
        await self._message(room.session, handle, {"request": "start"}, jsep)

    async def candidate(self, room: RoomIds, handle: int, candidate: IceCandidate) -> None:
        said = {"janus": "trickle", "candidate": janus_seat.trickle(candidate)}
        await self._ask(said | _to(room.session, handle), acked=True)

    async def switch(self, room: RoomIds, handle: int, own_mid: str, feed: int, mid: str) -> None:
        body = janus_seat.switch(own_mid, feed, mid)
        if not janus_seat.switched(await self._message(room.session, handle, body), own_mid, mid):
            raise Refused("the media server did not switch: another codec, or no such m-line")
        # Where nothing was to be switched a paused m-line would stay so.
        await self._message(room.session, handle, janus_seat.send(own_mid, True))

    async def pause(self, room: RoomIds, handle: int, own_mid: str) -> None:
        await self._message(room.session, handle, janus_seat.send(own_mid, False))

    async def feeds(self, room: RoomIds) -> frozenset[int]:
        body = {"request": "listparticipants", "room": room.room}
        participants = data_of(await self._message(room.session, room.desk, body)).get("participants", ())
        return frozenset(one["id"] for one in participants if one.get("publisher") and "id" in one)

    async def kick(self, room: RoomIds, handle: int) -> None:
        with contextlib.suppress(NoSuchHandle):
            await self._ask({"janus": "detach"} | _to(room.session, handle))

    async def sweep(self, keep: Keep) -> list[str]:
        session = _id(await self._ask({"janus": "create"}))
        try:
            desk = await self._attach(session)
            listed = data_of(await self._message(session, desk, {"request": "list"})).get("list", ())
            ours = {
                room["room"]: str(room["description"]).removeprefix(NAME)
                for room in listed
                if "room" in room and str(room.get("description")).startswith(NAME)
            }
            kept = await keep() if ours else frozenset()
            unknown = {number: name for number, name in ours.items() if name not in kept}
            for number in unknown:
                await self._message(session, desk, {"request": "destroy", "room": number})
            return list(unknown.values())
        finally:
            with contextlib.suppress(SfuError):
                await self._ask({"janus": "destroy", "session_id": session})

    async def _take_seat(self, room: RoomIds, body: Json, jsep: Json | None, gives: str) -> Seat:
        handle = await self._attach(room.session)
        try:
            answer = await self._message(room.session, handle, body, jsep)
            sdp = janus_seat.sdp_of(answer, gives)
        except SfuError:
            with contextlib.suppress(SfuError):
                await self.kick(room, handle)
            raise
        return Seat(handle=handle, sdp=sdp, mids=janus_seat.subscribed_mids(answer))

    async def _attach(self, session: int) -> int:
        return _id(await self._ask({"janus": "attach", "session_id": session, "plugin": janus_seat.PLUGIN}))

    async def _message(self, session: int, handle: int, body: Json, jsep: Json | None = None) -> Json:
        said: Json = {"janus": "message", "body": body} | _to(session, handle)
        return await self._ask(said | ({"jsep": jsep} if jsep is not None else {}))

    async def _ask(self, request: Json, *, acked: bool = False) -> Json:
        """Once the server is there, if that is soon."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._up.wait()
        except TimeoutError:
            raise ServerAway(f"{self.url} is away: {self._away}") from None
        wire = self._wire
        if wire is None:
            raise ServerAway(f"{self.url} is away")
        return await wire.ask(request, acked=acked)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        lost_at = loop.time()
        async with aiohttp.ClientSession() as web:
            while True:
                try:
                    await self._serve(web)
                except SfuError as error:
                    if self._up.is_set():
                        lost_at = loop.time()
                    self._lost(error, loop.time() - lost_at)
                await asyncio.sleep(RETRY_S)

    async def _serve(self, web: aiohttp.ClientSession) -> None:
        """From a connection to its loss, which is raised."""
        wire = await JanusWire.open(web, self.url, self._api_secret, self._heard)
        try:
            await self._introduce(wire)
            self._wire, self._away = wire, ""
            self._up.set()
            self._tried.set()
            logger.info("media server %s is there", self.url)
            for served in list(self._rooms.values()):
                served.listener.back()
            await self._keep(wire)
        finally:
            self._wire = None
            await wire.close()

    async def _introduce(self, wire: JanusWire) -> None:
        """Have the rooms on this connection. Raises Refused when the secret is wrong."""
        made = await wire.ask({"janus": "create"})
        await wire.ask({"janus": "destroy", "session_id": _id(made)})
        for session in list(self._rooms):
            try:
                await wire.ask({"janus": "claim", "session_id": session})
            except RoomGone as error:
                self._gone(session, str(error))

    async def _keep(self, wire: JanusWire) -> None:
        loop = asyncio.get_running_loop()
        kept_at = loop.time()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PING_S):
                    await wire.lost.wait()
            await wire.ask({"janus": "ping"}, deadline_s=PING_ANSWER_S)
            if loop.time() - kept_at >= KEEPALIVE_S:
                kept_at = loop.time()
                for session in list(self._rooms):
                    try:
                        await wire.ask({"janus": "keepalive", "session_id": session}, acked=True)
                    except RoomGone as error:
                        self._gone(session, str(error))

    def _lost(self, error: SfuError, for_s: float) -> None:
        """Its rooms wait a while for its return."""
        if self._up.is_set() or not self._tried.is_set():
            logger.warning("media server %s is away: %s", self.url, error)
        self._away = str(error)
        self._up.clear()
        self._tried.set()
        refused = isinstance(error.__cause__, aiohttp.ClientConnectorError)
        if for_s >= (REFUSED_S if refused else PATIENCE_S):
            for session in list(self._rooms):
                self._gone(session, str(error))

    def _gone(self, session: int, reason: str) -> None:
        served = self._rooms.pop(session, None)
        if served is not None:
            served.listener.gone(reason)

    def _heard(self, message: Json) -> None:
        session, sender = message.get("session_id"), message.get("sender")
        served = self._rooms.get(session) if isinstance(session, int) else None
        if served is None:
            return
        match message.get("janus"):
            case "webrtcup" if isinstance(sender, int):
                served.listener.seat_up(sender)
            case "hangup" | "detached" if isinstance(sender, int):
                served.listener.seat_down(sender)
            case "timeout":
                self._gone(served.ids.session, "the media server gave its session up")


def _id(message: Json) -> int:
    """Raises Refused when the answer has none."""
    data = message.get("data")
    if not isinstance(data, dict) or not isinstance(data.get("id"), int):
        raise Refused("the media server gave no id")
    number: int = data["id"]
    return number


def _to(session: int, handle: int) -> Json:
    return {"session_id": session, "handle_id": handle}
