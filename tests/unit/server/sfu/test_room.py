# SPDX-License-Identifier: GPL-3.0-or-later
"""One room between a call and a media server that fails in every way."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest
from sqlalchemy.exc import OperationalError

from callagent.protocol.events import MediaPeer
from callagent.protocol.media import IceCandidate, LinkMessage, MediaMessage
from callagent.server.calls.group_media import Layer
from callagent.server.calls.model import Call
from callagent.server.sfu import room as room_module
from callagent.server.sfu import seating as seating_module
from callagent.server.sfu.backend import (
    FeedGone,
    Keep,
    Refused,
    RoomGone,
    RoomIds,
    RoomListener,
    Seat,
    ServerAway,
)
from callagent.server.sfu.links import RoomState, Views
from callagent.server.sfu.room import Room
from callagent.server.storage.seats import RoomKey
from tests.unit.server.rig import until
from tests.unit.server.sfu.test_links import IDS, TRACKS, call_of

KEY = RoomKey(1, "c" * 36, 2)


class FakeBackend:
    """A media server whose next failures are set by the test."""

    def __init__(self) -> None:
        self.url, self.capacity, self.problem = "ws://one", 10, ""
        self.done: list[tuple[object, ...]] = []
        self.fail: dict[str, list[Exception]] = {}
        self.up: frozenset[int] = frozenset()
        self._handles = itertools.count(10)
        self.released = 0

    def did(self, what: str) -> list[tuple[object, ...]]:
        return [one[1:] for one in self.done if one[0] == what]

    def _do(self, what: str, *said: object) -> None:
        if self.fail.get(what):
            raise self.fail[what].pop(0)
        self.done.append((what, *said))

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def create(self, name: str, listener: RoomListener) -> RoomIds:
        self._do("create", name)
        return IDS

    async def claim(self, room: RoomIds, listener: RoomListener) -> None:
        self._do("claim", room)

    def release(self, room: RoomIds) -> None:
        self.released += 1

    async def destroy(self, room: RoomIds) -> None:
        self._do("destroy")

    async def publish(self, room: RoomIds, feed: int, sdp: str, descriptions: dict[str, str]) -> Seat:
        self._do("publish", feed, sdp)
        return Seat(handle=next(self._handles), sdp=f"answer to {sdp}")

    async def subscribe(self, room: RoomIds, feed: int, mids: Sequence[str]) -> Seat:
        self._do("subscribe", feed, tuple(mids))
        return Seat(handle=next(self._handles), sdp=f"offer of {feed}", mids={m: f"s{m}" for m in mids})

    async def answer(self, room: RoomIds, handle: int, sdp: str) -> None:
        self._do("answer", handle, sdp)

    async def candidate(self, room: RoomIds, handle: int, candidate: IceCandidate) -> None:
        self._do("candidate", handle, candidate.candidate)

    async def switch(self, room: RoomIds, handle: int, own_mid: str, feed: int, mid: str) -> None:
        self._do("switch", handle, own_mid, feed, mid)

    async def pause(self, room: RoomIds, handle: int, own_mid: str) -> None:
        self._do("pause", handle, own_mid)

    async def feeds(self, room: RoomIds) -> frozenset[int]:
        self._do("feeds")
        return self.up

    async def kick(self, room: RoomIds, handle: int) -> None:
        self._do("kick", handle)

    async def sweep(self, keep: Keep) -> list[str]:
        return []


class FakeDesk:
    def __init__(self, call: Call) -> None:
        self.call: Call | None = call
        self.wanted: dict[tuple[str, str], Layer] = {}
        self.state: RoomState | None = None
        self.ours = True
        self.fail: list[Exception] = []
        self.plans: dict[str, list[MediaPeer]] = {}
        self.told: list[tuple[str, MediaMessage]] = []
        self.removed = False
        self.new_epochs = 0

    async def facts(self, key: RoomKey) -> tuple[Call | None, Views]:
        if self.fail:
            raise self.fail.pop(0)
        return self.call, self.wanted

    async def save(self, key: RoomKey, state: RoomState) -> bool:
        self.state = state
        return self.ours

    async def remove(self, key: RoomKey) -> None:
        self.removed = True

    async def announce(self, key: RoomKey, links: Mapping[str, Sequence[MediaPeer]]) -> None:
        self.plans |= {session: list(peers) for session, peers in links.items()}

    async def tell(self, key: RoomKey, session_id: str, link_id: str, media: MediaMessage) -> None:
        # Whatever a client hears of is stored.
        assert self.state is not None
        assert self.state.links[link_id].session_id == session_id
        assert self.state.links[link_id].handle is not None
        self.told.append((link_id, media))

    async def new_epoch(self, key: RoomKey) -> None:
        self.new_epochs += 1


class Scene:
    def __init__(self, room: Room, backend: FakeBackend, desk: FakeDesk, task: asyncio.Task[None]) -> None:
        self.room, self.backend, self.desk, self.task = room, backend, desk, task

    def link(self, session: str, user: str) -> str:
        assert self.desk.state is not None
        return next(
            link.link_id
            for link in self.desk.state.links.values()
            if (link.session_id, link.user_id) == (session, user)
        )

    def put(self, session: str, user: str, kind: str, attempt: str = "", **more: object) -> None:
        fields = {"call_id": KEY.call_id, "epoch": KEY.epoch, "kind": kind, "attempt": attempt}
        self.room.put(session, self.link(session, user), LinkMessage.model_validate(fields | more))

    def offers(self, session: str, user: str, attempt: str = "", sdp: str = "sdp") -> None:
        self.put(session, user, "offer", attempt, sdp=sdp, tracks=TRACKS)

    async def sends(self, user: str) -> int:
        """The user's send link comes up; its handle."""
        before = len(self.desk.told)
        self.offers(f"{user}1", user)
        await until(lambda: len(self.desk.told) > before)
        assert self.desk.state is not None
        handle = self.desk.state.links[self.link(f"{user}1", user)].handle
        assert handle is not None
        self.room.seat_up(handle)
        return handle

    def answers_and_offers(self, kind: str) -> list[MediaMessage]:
        return [media for _, media in self.desk.told if media.kind == kind]


@asynccontextmanager
async def staged(call: Call | None = None, state: RoomState | None = None) -> AsyncIterator[Scene]:
    backend, desk = FakeBackend(), FakeDesk(call or call_of("a", "b", "c"))
    desk.state = state
    room = Room(KEY, backend, desk, state)
    task = asyncio.create_task(room.run())
    scene = Scene(room, backend, desk, task)
    try:
        yield scene
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()
        assert backend.released >= 1 or desk.state is None


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_module, "RETRY_S", 0.02)


async def ready(scene: Scene) -> None:
    await until(lambda: len(scene.desk.plans) == 3)


async def test_a_call_is_set_up() -> None:
    async with staged() as scene:
        await ready(scene)
        assert {len(peers) for peers in scene.desk.plans.values()} == {1}
        await scene.sends("a")
        await until(lambda: len(scene.answers_and_offers("offer")) == 2)
        assert [peer.flow.value for peer in scene.desk.plans["b1"]] == ["send", "receive"]
        assert len(scene.desk.plans["a1"]) == 1
        scene.put("b1", "a", "answer", sdp="mine")
        scene.put("b1", "a", "answer", sdp="once more")
        scene.put("b1", "a", "candidate", candidate={"candidate": "x"})
        await until(lambda: bool(scene.backend.did("candidate")))
        assert [sdp for _, sdp in scene.backend.did("answer")] == ["mine"]


async def test_an_offer_that_comes_twice_is_answered_once_and_another_attempt_anew() -> None:
    async with staged() as scene:
        await ready(scene)
        first = await scene.sends("a")
        scene.offers("a1", "a")
        scene.offers("a1", "a", "second")
        await until(lambda: len(scene.answers_and_offers("answer")) == 2)
        assert [answer.attempt for answer in scene.answers_and_offers("answer")] == ["", "second"]
        await until(lambda: (first,) in scene.backend.did("kick"))
        scene.put("a1", "a", "candidate", candidate={"candidate": "of the first"})
        scene.put("a1", "a", "candidate", "second", candidate={"candidate": "of the second"})
        await until(lambda: bool(scene.backend.did("candidate")))
        assert [text for _, text in scene.backend.did("candidate")] == ["of the second"]


async def test_a_receive_link_is_restarted() -> None:
    async with staged() as scene:
        await ready(scene)
        await scene.sends("a")
        await until(lambda: len(scene.answers_and_offers("offer")) == 2)
        scene.put("b1", "a", "restart", "again")
        scene.put("b1", "a", "restart", "again")
        await until(lambda: len(scene.answers_and_offers("offer")) == 3)
        assert scene.answers_and_offers("offer")[-1].attempt == "again"
        scene.put("b1", "a", "answer", "", sdp="late")
        scene.put("b1", "a", "answer", "again", sdp="mine")
        await until(lambda: bool(scene.backend.did("answer")))
        assert [sdp for _, sdp in scene.backend.did("answer")] == ["mine"]
        assert len(scene.backend.did("subscribe")) == 3


async def test_what_the_server_did_not_answer_is_asked_again() -> None:
    async with staged() as scene:
        await ready(scene)
        scene.backend.fail = {"publish": [ServerAway("away")], "subscribe": [ServerAway("away")]}
        await scene.sends("a")
        await until(lambda: len(scene.answers_and_offers("offer")) == 2)


async def test_a_message_that_is_never_answered_holds_up_nobody() -> None:
    async with staged() as scene:
        await ready(scene)
        scene.backend.fail = {"publish": [ServerAway("away")] * room_module.MAX_TRIES}
        scene.offers("a1", "a")
        await scene.sends("b")
        await until(lambda: len(scene.answers_and_offers("offer")) == 2)
        assert len(scene.backend.did("publish")) == 1


async def test_an_offer_that_is_refused_may_be_made_again() -> None:
    async with staged() as scene:
        await ready(scene)
        scene.backend.fail = {"publish": [Refused("bad SDP")]}
        scene.offers("a1", "a", sdp="bad")
        scene.offers("a1", "a", "better", sdp="good")
        await until(lambda: len(scene.answers_and_offers("answer")) == 1)
        assert scene.answers_and_offers("answer")[0].sdp == "answer to good"


async def test_a_feed_that_went_down_this_moment() -> None:
    async with staged() as scene:
        await ready(scene)
        scene.backend.fail = {"subscribe": [FeedGone("gone"), FeedGone("gone")]}
        await scene.sends("a")
        await until(lambda: len(scene.backend.did("feeds")) == 1)
        # It is not up, says the server.
        assert scene.backend.did("subscribe") == []
        assert scene.desk.state is not None
        feed = scene.desk.state.links[scene.link("a1", "a")].feed
        scene.backend.up = frozenset({feed})
        scene.room.back()
        await until(lambda: len(scene.answers_and_offers("offer")) == 2)


async def test_a_seat_that_goes_down_takes_the_receivers_along() -> None:
    async with staged() as scene:
        await ready(scene)
        handle = await scene.sends("a")
        await until(lambda: len(scene.desk.plans["b1"]) == 2)
        scene.room.seat_down(4711)
        scene.room.seat_down(handle)
        await until(lambda: len(scene.desk.plans["b1"]) == len(scene.desk.plans["c1"]) == 1)
        assert len(scene.backend.did("kick")) == 2


async def test_layers_are_switched_and_paused() -> None:
    async with staged() as scene:
        await ready(scene)
        scene.desk.wanted = {("c1", "a"): "off"}
        await scene.sends("a")
        await until(lambda: len(scene.answers_and_offers("offer")) == 2)
        await until(lambda: len(scene.backend.did("pause")) == 1)
        for layer, mid in (("l", "2"), ("h", "1")):
            scene.desk.wanted = {("b1", "a"): layer, ("c1", "a"): "off"}  # type: ignore[dict-item]
            scene.room.changed()
            await until(lambda mid=mid: any(one[-1] == mid for one in scene.backend.did("switch")))  # type: ignore[misc]
        scene.backend.fail = {"switch": [Refused("another codec")]}
        scene.desk.wanted = {("b1", "a"): "l"}
        scene.room.changed()
        # It stays as it is; the one beside it is switched all the same.
        await until(lambda: len(scene.backend.did("switch")) == 3)


async def test_an_offer_nobody_answers_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    async with staged() as scene:
        await ready(scene)
        monkeypatch.setattr(seating_module, "UNANSWERED_S", 0.1)
        await scene.sends("a")
        await until(lambda: len(scene.answers_and_offers("offer")) == 2)
        first = scene.link("b1", "a")
        await until(lambda: len(scene.answers_and_offers("offer")) >= 4)
        assert scene.link("b1", "a") != first
        await until(lambda: first not in [peer.session_id for peer in scene.desk.plans["b1"]])


async def test_the_room_ends_with_the_call() -> None:
    async with staged() as scene:
        await ready(scene)
        scene.desk.call = None
        scene.room.changed()
        await asyncio.wait_for(scene.task, 5)
        assert scene.backend.did("destroy")
        assert scene.desk.removed


async def test_the_room_outlives_its_epoch_a_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_module, "LINGER_S", 0.2)
    async with staged() as scene:
        await ready(scene)
        assert scene.desk.call is not None
        scene.desk.call = scene.desk.call.model_copy(update={"epoch": 3})
        scene.room.changed()
        began = asyncio.get_running_loop().time()
        await asyncio.wait_for(scene.task, 5)
        assert asyncio.get_running_loop().time() - began >= 0.19
        assert scene.backend.did("destroy")


@pytest.mark.parametrize("how", ["told", "found out"])
async def test_a_room_that_is_gone_is_made_good_by_a_new_epoch(how: str) -> None:
    async with staged() as scene:
        await ready(scene)
        if how == "told":
            scene.room.gone("killed")
        else:
            scene.backend.fail = {"publish": [RoomGone("killed")]}
            scene.offers("a1", "a")
        await asyncio.wait_for(scene.task, 5)
        assert scene.desk.new_epochs == 1
        assert scene.desk.removed
        assert not scene.backend.did("destroy")


async def test_a_room_that_cannot_be_made_or_claimed_is_given_up() -> None:
    for what, state in (("create", None), ("claim", RoomState(ids=IDS))):
        backend, desk = FakeBackend(), FakeDesk(call_of("a", "b", "c"))
        backend.fail = {what: [ServerAway("away")]}
        await asyncio.wait_for(Room(KEY, backend, desk, state).run(), 5)
        assert desk.new_epochs == 1


async def test_a_room_another_node_has_is_left_alone() -> None:
    async with staged() as scene:
        await ready(scene)
        scene.desk.ours = False
        scene.offers("a1", "a")
        await asyncio.wait_for(scene.task, 5)
        assert not scene.backend.did("destroy")
        assert not scene.desk.removed
        assert scene.answers_and_offers("answer") == []


async def test_a_database_that_is_away_is_waited_for() -> None:
    async with staged() as scene:
        await ready(scene)
        scene.desk.fail = [OperationalError("", {}, Exception()), OSError()]
        await scene.sends("a")
        await until(lambda: len(scene.answers_and_offers("offer")) == 2)


async def test_a_node_goes_on_where_another_left_off() -> None:
    async with staged() as first:
        await ready(first)
        await first.sends("a")
        await first.sends("b")
        await until(lambda: len(first.answers_and_offers("offer")) == 4)
        first.put("b1", "a", "answer", sdp="mine")
        await until(lambda: bool(first.backend.did("answer")))
        state = first.desk.state
    assert state is not None
    settled, unsettled = first.link("b1", "a"), first.link("c1", "a")
    feeds = [link.feed for link in state.links.values() if link.sends and link.up]
    async with staged(state=state) as second:
        second.backend.up = frozenset(feeds)
        await until(lambda: len(second.desk.plans) == 3)
        assert second.backend.did("claim") == [(IDS,)]
        await until(lambda: len(second.answers_and_offers("offer")) == 3)
        # What was negotiated stays, what hung in the air begins anew.
        assert second.link("b1", "a") == settled
        assert second.link("c1", "a") != unsettled
        assert second.link("a1", "a") == first.link("a1", "a")
        assert second.link("c1", "c") != first.link("c1", "c")
        assert not second.backend.did("create")
