# SPDX-License-Identifier: GPL-3.0-or-later
"""Group media on media servers: which calls this node of the service looks after, and where each is."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from callagent.protocol.enums import Placement
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.media import LinkMessage
from callagent.server.bus import Bus
from callagent.server.calls.group_media import Layer
from callagent.server.calls.model import Call
from callagent.server.sfu.backend import SfuBackend, SfuError
from callagent.server.sfu.links import RoomState
from callagent.server.sfu.room import Room, room_name
from callagent.server.sfu.seating import RoomDesk
from callagent.server.storage import nodes, seats
from callagent.server.storage.engine import Conflict, Storage
from callagent.server.storage.seats import Noted, RoomKey, StoredRoom

LOOK_S = 1.0
"""How often the database is asked for rooms nobody looks after, and for changes nobody told of."""
SWEEP_S = 30.0
TOPIC = "media"
"""Of what nodes tell each other about rooms."""
_LOST = (SQLAlchemyError, OSError, Conflict)

logger = logging.getLogger(__name__)


class JanusGroupMedia:
    """See `GroupMedia`. Runs from `start` to `close`. Used on the event loop."""

    def __init__(
        self,
        backends: Sequence[SfuBackend],
        storage: Storage,
        bus: Bus,
        desk: RoomDesk,
        node_id: str,
        *,
        shared: bool,
    ) -> None:
        """`shared`: there may be other nodes."""
        self._backends = {backend.url: backend for backend in backends}
        self._storage = storage
        self._bus = bus
        self._desk = desk
        self._node_id = node_id
        self._shared = shared
        self._rooms: dict[RoomKey, Room] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._noted: dict[RoomKey, Noted] = {}
        self._seats: dict[str, int] = {}
        """Of every node's rooms, by server."""
        self._closing = False
        self._look_now = asyncio.Event()
        self._looker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """The rooms of a process that died here go on."""
        await asyncio.gather(*(backend.start() for backend in self._backends.values()))
        self._bus.hear_nodes(TOPIC, self._hear)
        await self._try(self._look)
        self._looker = asyncio.create_task(self._run(), name="group media")

    async def close(self) -> None:
        """Rooms stay at their servers: another node, or this one after its restart, claims them."""
        self._closing = True
        tasks = self._tasks | ({self._looker} if self._looker is not None else set())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._try(self._release)
        await asyncio.gather(*(backend.close() for backend in self._backends.values()))

    @property
    def available(self) -> bool:
        return self.least_loaded() is not None

    @property
    def problems(self) -> dict[str, str]:
        """What each media server is, for people."""
        return {url: backend.problem or "ok" for url, backend in self._backends.items()}

    def take_over(self) -> None:
        """A node died: look for what it had now."""
        self._look_now.set()

    async def follow(self, call: Call) -> None:
        key = RoomKey(call.app_id, call.call_id, call.epoch)
        for room_key, room in self._rooms.items():
            if (room_key.app_id, room_key.call_id) == (call.app_id, call.call_id):
                room.changed()
        if call.placement is Placement.SFU and not (call.over or self._closing or key in self._rooms):
            self._spawn(self._open(key), f"room of {call.call_id}")
        self._bus.tell_nodes(TOPIC, {"app": call.app_id, "call": call.call_id})

    async def message(self, call: Call, session_id: str, to: str, media: LinkMessage) -> None:
        key = RoomKey(call.app_id, call.call_id, call.epoch)
        room = self._rooms.get(key)
        if room is not None:
            if not room.has(session_id, to):
                raise _unreachable()
            room.put(session_id, to, media)
            return
        stored = await self._storage.read(lambda connection: seats.load(connection, key))
        state = _state(stored) if stored is not None else None
        link = state.links.get(to) if state is not None else None
        if link is None or link.session_id != session_id:
            raise _unreachable()
        said = {"session": session_id, "link": to, "media": media.wire()}
        self._bus.tell_nodes(TOPIC, {"app": call.app_id, "call": call.call_id} | said)

    async def view(self, call: Call, session_id: str, user_id: str, layer: Layer) -> None:
        app_id, call_id = call.app_id, call.call_id

        def work(connection: Connection) -> None:
            seats.set_view(connection, app_id, call_id, session_id, user_id, layer)

        try:
            await self._storage.write(work)
        except IntegrityError:
            return  # the call is over
        await self.follow(call)

    def _hear(self, said: dict[str, Any]) -> None:
        """What another node told."""
        for key, room in self._rooms.items():
            if (key.app_id, key.call_id) != (said["app"], said["call"]):
                continue
            if "media" not in said:
                room.changed()
                continue
            media = LinkMessage.model_validate(said["media"])
            if media.epoch == key.epoch:
                room.put(said["session"], said["link"], media)

    def least_loaded(self) -> SfuBackend | None:
        """Which media server would take another call; None: none would."""
        fit = [
            backend
            for backend in self._backends.values()
            if not backend.problem and self._seats.get(backend.url, 0) < backend.capacity
        ]
        return min(fit, key=lambda one: self._seats.get(one.url, 0) / one.capacity, default=None)

    async def _open(self, key: RoomKey) -> None:
        """Have this epoch's room, unless another node has it already."""
        backend = self.least_loaded()
        if backend is None:
            # Between the plan and now it went away.
            await self._try(lambda: self._desk.new_epoch(key))
            return
        room = StoredRoom(key, self._node_id, backend.url, {})
        try:
            await self._storage.write(lambda connection: seats.add(connection, room))
        except IntegrityError:
            return
        except _LOST:
            logger.exception("call %s: its room was not noted", key.call_id)
            await self._try(lambda: self._desk.new_epoch(key))
            return
        self._serve(Room(key, backend, self._desk, None))

    def _serve(self, room: Room) -> None:
        self._rooms[room.key] = room
        self._spawn(self._run_room(room), f"room of {room.key.call_id}")

    async def _run_room(self, room: Room) -> None:
        try:
            await room.run()
        except Exception:
            logger.exception("call %s: its room failed", room.key.call_id)
            await self._try(lambda: self._desk.remove(room.key))
            await self._try(lambda: self._desk.new_epoch(room.key))
        finally:
            del self._rooms[room.key]

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        swept_at = loop.time()
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._look_now.wait()
            except TimeoutError:
                pass
            self._look_now.clear()
            await self._try(self._look)
            if loop.time() - swept_at >= SWEEP_S:
                swept_at = loop.time()
                await self._try(self.sweep)

    async def _look(self) -> None:
        node_id, shared = self._node_id, self._shared

        def work(
            connection: Connection,
        ) -> tuple[list[StoredRoom], dict[RoomKey, Noted], dict[str, int]]:
            alive = nodes.beats(connection) if shared else ()
            taken = seats.take_unowned(connection, node_id, alive)
            return taken, seats.noted(connection, node_id), seats.seats(connection)

        ours = {key for key, room in self._rooms.items() if room.entered}
        taken, noted, self._seats = await self._storage.write(work)
        for stored in taken:
            await self._claim(stored)
        for key, room in self._rooms.items():
            if key in ours and key not in noted:
                room.let_go()
            elif noted.get(key) != self._noted.get(key):
                room.changed()
        self._noted = noted

    async def _claim(self, stored: StoredRoom) -> None:
        backend, state = self._backends.get(stored.server), _state(stored)
        if backend is not None and stored.key not in self._rooms:
            self._serve(Room(stored.key, backend, self._desk, state))
        elif backend is None:
            logger.warning("call %s: its media server is not configured", stored.key.call_id)
            await self._desk.remove(stored.key)
            await self._desk.new_epoch(stored.key)

    async def sweep(self) -> None:
        """Destroy rooms without a call, of whatever died in between."""
        for backend in self._backends.values():
            if backend.problem:
                continue
            try:
                swept = await backend.sweep(partial(self._names_on, backend.url))
            except SfuError as error:
                logger.warning("media server %s was not swept: %s", backend.url, error)
                continue
            if swept:
                logger.warning("media server %s had %d rooms without a call", backend.url, len(swept))

    async def _names_on(self, server: str) -> frozenset[str]:
        keys = await self._storage.read(lambda connection: seats.on_server(connection, server))
        return frozenset(room_name(key) for key in keys)

    async def _release(self) -> None:
        await self._storage.write(lambda connection: seats.release(connection, self._node_id))

    async def _try(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except (*_LOST, CallAgentError):
            logger.exception("group media waits %.0f s", LOOK_S)


def _state(stored: StoredRoom) -> RoomState | None:
    """None: its node had not made it yet."""
    try:
        return RoomState.model_validate(stored.state)
    except ValidationError:
        return None


def _unreachable() -> CallAgentError:
    return CallAgentError(ErrorCode.PEER_UNREACHABLE, "That is no link of this session", "to")
