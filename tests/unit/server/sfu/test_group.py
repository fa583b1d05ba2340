# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node of the service looks after which room, on a real database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.media import LinkMessage
from callagent.server.bus import HearNodes, LocalBus
from callagent.server.calls.model import Call
from callagent.server.sfu import group as group_module
from callagent.server.sfu.group import JanusGroupMedia
from callagent.server.sfu.links import RoomState
from callagent.server.storage import calls, nodes, seats
from callagent.server.storage.engine import Storage
from callagent.server.storage.seats import RoomKey
from tests.unit.server.rig import MEMORY, until
from tests.unit.server.sfu.test_links import TRACKS, call_of
from tests.unit.server.sfu.test_room import KEY, FakeBackend, FakeDesk


class Nodes:
    """The buses of nodes that hear each other."""

    def __init__(self) -> None:
        self.buses: list[SharedBus] = []
        self.silent = False


class SharedBus(LocalBus):
    def __init__(self, nodes: Nodes) -> None:
        super().__init__()
        self._nodes, self._topics = nodes, dict[str, HearNodes]()
        nodes.buses.append(self)

    def tell_nodes(self, topic: str, message: dict[str, Any]) -> None:
        for bus in self._nodes.buses:
            if bus is not self and topic in bus._topics and not self._nodes.silent:
                bus._topics[topic](message)

    def hear_nodes(self, topic: str, hear: HearNodes) -> None:
        self._topics[topic] = hear


class StoredDesk(FakeDesk):
    """Keeps the state where it belongs."""

    def __init__(self, storage: Storage, node_id: str, call: Call) -> None:
        super().__init__(call)
        self._storage, self._node_id = storage, node_id

    async def facts(self, key: RoomKey) -> Any:
        wanted = await self._storage.read(lambda connection: seats.views(connection, key.app_id, key.call_id))
        return self.call, wanted

    async def save(self, key: RoomKey, state: RoomState) -> bool:
        self.state = state
        stored = state.model_dump(mode="json")
        return await self._storage.write(
            lambda connection: seats.save(connection, key, self._node_id, len(state.links), stored)
        )

    async def remove(self, key: RoomKey) -> None:
        await self._storage.write(lambda connection: seats.remove(connection, key, self._node_id))


class Node:
    def __init__(self, name: str, storage: Storage, shared: Nodes, call: Call) -> None:
        self.name, self.storage = name, storage
        self.backends = [FakeBackend(), FakeBackend()]
        self.backends[1].url = "ws://two"
        self.desk = StoredDesk(storage, name, call)
        bus = SharedBus(shared)
        self.group = JanusGroupMedia(self.backends, storage, bus, self.desk, name, shared=True)

    async def start(self) -> None:
        await self.storage.write(lambda connection: nodes.beat(connection, self.name))
        await self.group.start()

    async def owned(self) -> list[RoomKey]:
        return list(await self.storage.read(lambda connection: seats.noted(connection, self.name)))


class Scene:
    def __init__(self, storage: Storage, call: Call) -> None:
        shared = Nodes()
        self.storage, self.call, self.shared = storage, call, shared
        self.one, self.two = Node("one", storage, shared, call), Node("two", storage, shared, call)


@asynccontextmanager
async def staged() -> AsyncIterator[Scene]:
    storage = await Storage.open(MEMORY)
    call = call_of("a", "b", "c").model_copy(update={"call_id": KEY.call_id})
    await storage.write(lambda connection: calls.store(connection, None, call))
    scene = Scene(storage, call)
    for node in (scene.one, scene.two):
        await node.start()
    try:
        yield scene
    finally:
        for node in (scene.one, scene.two):
            await node.group.close()
        await storage.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_module, "LOOK_S", 0.05)


def offer(attempt: str = "") -> LinkMessage:
    fields = {"call_id": KEY.call_id, "epoch": KEY.epoch, "kind": "offer", "attempt": attempt, "sdp": "sdp"}
    return LinkMessage.model_validate(fields | {"tracks": TRACKS})


async def has_links(node: Node) -> bool:
    return node.desk.state is not None and len(node.desk.state.links) == 3


def own_link(node: Node, session: str) -> str:
    assert node.desk.state is not None
    return next(link.link_id for link in node.desk.state.links.values() if link.session_id == session)


async def test_one_node_looks_after_a_room_and_the_other_passes_messages_on() -> None:
    async with staged() as scene:
        await asyncio.gather(scene.one.group.follow(scene.call), scene.two.group.follow(scene.call))
        await until(lambda: has_either(scene))
        owner, other = (scene.one, scene.two) if await scene.one.owned() else (scene.two, scene.one)
        assert await owner.owned() == [KEY]
        assert await other.owned() == []
        assert not any(backend.did("create") for backend in other.backends)
        for node in (owner, other):
            before = len(owner.desk.told)
            await node.group.message(scene.call, "a1", own_link(owner, "a1"), offer(node.name))
            await until(lambda before=before: len(owner.desk.told) > before)  # type: ignore[misc]
        for node in (owner, other):
            with pytest.raises(CallAgentError) as raised:
                await node.group.message(scene.call, "b1", own_link(owner, "a1"), offer())
            assert raised.value.code is ErrorCode.PEER_UNREACHABLE


async def has_either(scene: Scene) -> bool:
    return await has_links(scene.one) or await has_links(scene.two)


@pytest.mark.parametrize("silent", [False, True])
async def test_what_is_wanted_reaches_the_room_also_when_nodes_cannot_talk(silent: bool) -> None:
    async with staged() as scene:
        await scene.one.group.follow(scene.call)
        await until(lambda: has_links(scene.one))
        await scene.one.group.message(scene.call, "a1", own_link(scene.one, "a1"), offer())
        await until(lambda: len(scene.one.desk.told) == 1)
        state = scene.one.desk.state
        assert state is not None
        handle = next(link.handle for link in state.links.values() if link.handle is not None)
        room = next(iter(scene.one.group._rooms.values()))
        room.seat_up(handle)
        await until(lambda: len(scene.one.desk.told) == 3)
        scene.shared.silent = silent
        await scene.two.group.view(scene.call, "b1", "a", "l")
        backend = next(one for one in scene.one.backends if one.did("create"))
        await until(lambda: len(backend.did("switch")) == 1)


async def test_a_dead_nodes_rooms_are_taken_over_by_one() -> None:
    async with staged() as scene:
        await scene.one.group.follow(scene.call)
        await until(lambda: has_links(scene.one))
        await scene.storage.write(lambda connection: nodes.remove(connection, "one"))
        scene.two.group.take_over()
        await until(lambda: owns(scene.two))
        # The first one, which was only slow, sees it and lets go.
        await until(lambda: not scene.one.group._rooms)
        assert [backend.did("claim") for backend in scene.two.backends if backend.did("claim")]
        assert not any(backend.did("destroy") for backend in scene.one.backends)


async def owns(node: Node) -> bool:
    return await node.owned() == [KEY]


async def test_a_node_that_stops_leaves_its_rooms_to_the_others() -> None:
    async with staged() as scene:
        await scene.one.group.follow(scene.call)
        await until(lambda: has_links(scene.one))
        await scene.one.group.close()
        await until(lambda: owns(scene.two))
        assert not any(backend.did("destroy") for backend in scene.one.backends)


async def test_the_least_loaded_healthy_server_takes_a_call() -> None:
    async with staged() as scene:
        group = scene.one.group
        await group.follow(scene.call)
        await until(lambda: has_links(scene.one))
        used = next(one for one in scene.one.backends if one.did("create"))
        free = next(one for one in scene.one.backends if one is not used)
        await until(lambda: group.least_loaded() is free)
        free.problem = "away"
        assert group.least_loaded() is used
        used.capacity = 3
        assert group.least_loaded() is None
        assert not group.available
        assert group.problems == {used.url: "ok", free.url: "away"}


async def test_without_a_server_at_the_last_moment_the_call_is_planned_anew() -> None:
    async with staged() as scene:
        for backend in scene.one.backends:
            backend.problem = "away"
        await scene.one.group.follow(scene.call)
        await until(lambda: scene.one.desk.new_epochs == 1)
        assert await scene.one.owned() == []
