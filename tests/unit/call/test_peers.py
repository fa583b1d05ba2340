# SPDX-License-Identifier: GPL-3.0-or-later
"""Media peers: who offers, what is dropped, make before break, and how often a new epoch is asked for."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.call import peer_link, peers
from callagent.call.backoff import PER_WINDOW, WINDOW_S, Backoff, RetryBudget
from callagent.call.media_wire import ice_server, to_candidate, to_description, to_message
from callagent.call.peers import MediaPeers
from callagent.ports import IceServer, MediaSessionState, PeerKey
from callagent.protocol.enums import Placement
from callagent.protocol.events import MediaPeer, OnMediaPlan, Signal
from callagent.protocol.media import IceCandidate, MediaMessage
from tests.unit.call.fake_media import FakeMedia, FakeSession

CALL, OTHER_CALL = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
LOW, MIDDLE, HIGH = "1" * 16, "5" * 16, "9" * 16
CONNECTED = MediaSessionState.CONNECTED


class Desk:
    """The engine's side: notes what the peers say."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[tuple[str, MediaMessage]] = asyncio.Queue()
        self.dead: asyncio.Queue[tuple[PeerKey, str]] = asyncio.Queue()
        self.connected: asyncio.Queue[PeerKey] = asyncio.Queue()
        self.frames: list[tuple[PeerKey, str]] = []

    def on_media_connected(self, peer: PeerKey) -> None:
        self.connected.put_nowait(peer)

    def on_media_first_frame(self, peer: PeerKey, kind: Literal["audio", "video"]) -> None:
        self.frames.append((peer, kind))

    def on_media_dead(self, peer: PeerKey, reason: str) -> None:
        self.dead.put_nowait((peer, reason))

    def send_media(self, session_id: str, message: MediaMessage) -> None:
        self.sent.put_nowait((session_id, message))


class Bench:
    def __init__(self) -> None:
        self.desk, self.media = Desk(), FakeMedia()
        self.peers = MediaPeers(self.media, "kiosk", self.desk)

    async def sent(self) -> tuple[str, MediaMessage]:
        async with asyncio.timeout(10.0):
            return await self.desk.sent.get()

    async def dead(self) -> tuple[PeerKey, str]:
        async with asyncio.timeout(10.0):
            return await self.desk.dead.get()

    async def start_connected(self, epoch: int = 1) -> FakeSession:
        """A plan with one peer, offered to, answered, connected."""
        self.peers.start(plan(epoch, HIGH), LOW)
        await self.sent()
        self.hear("answer", epoch, HIGH)
        (session,) = await self.media.wait_open(1, CONNECTED)
        return session

    def hear(self, kind: Literal["offer", "answer"], epoch: int, sender: str, call_id: str = CALL) -> None:
        message = MediaMessage(call_id=call_id, epoch=epoch, kind=kind, sdp=f"{kind} {epoch}")
        self.peers.relay(Signal(sender=sender, media=message))

    def hear_candidate(self, text: str | None, epoch: int, sender: str) -> None:
        candidate = None if text is None else IceCandidate(candidate=text, sdp_mid="0")
        message = MediaMessage(call_id=CALL, epoch=epoch, kind="candidate", candidate=candidate)
        self.peers.relay(Signal(sender=sender, media=message))


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.peers.aclose()
    assert not made.media.open


def plan(
    epoch: int, *sessions: str, call_id: str = CALL, ice: list[dict[str, Any]] | None = None
) -> OnMediaPlan:
    return OnMediaPlan(
        call_id=call_id,
        epoch=epoch,
        placement=Placement.P2P,
        peers=[MediaPeer(user_id=f"user{session[0]}", session_id=session) for session in sessions],
        ice_servers=ice or [],
    )


async def test_the_lower_session_offers(bench: Bench) -> None:
    bench.peers.start(plan(1, LOW, HIGH), MIDDLE)
    to, offer = await bench.sent()
    assert (to, offer.kind, offer.epoch) == (HIGH, "offer", 1)
    assert [(track.id, track.source) for track in offer.tracks] == [("offer-a", "microphone")]
    bench.hear("answer", 1, HIGH)
    bench.hear("offer", 1, LOW)
    to, answer = await bench.sent()
    assert (to, answer.kind) == (LOW, "answer")
    sessions = await bench.media.wait_open(2, CONNECTED)
    assert {session.peer.session_id: session.role for session in sessions} == {
        HIGH: "offerer",
        LOW: "answerer",
    }


async def test_ice_servers_are_handed_on(bench: Bench) -> None:
    bench.peers.start(plan(1, HIGH, ice=[{"urls": "stun:x"}, {"nothing": 1}]), LOW)
    await bench.sent()
    assert bench.media.ice_servers == (IceServer(("stun:x",)),)


async def test_what_comes_early_is_kept_and_candidates_wait_for_the_description(bench: Bench) -> None:
    bench.hear_candidate("one", 1, LOW)
    bench.hear("offer", 1, LOW)
    bench.hear_candidate("two", 1, LOW)
    bench.peers.start(plan(1, LOW), HIGH)
    assert (await bench.sent())[1].kind == "answer"
    bench.hear_candidate("bad", 1, LOW)
    bench.hear_candidate(None, 1, LOW)
    bench.hear_candidate("three", 1, LOW)
    (session,) = await bench.media.wait_open(1, CONNECTED)
    await bench.media.until(lambda: len(session.candidates) == 3)
    assert session.candidates == ["one", "two", "three"]


async def test_a_new_epoch_is_made_before_the_old_one_is_closed(bench: Bench) -> None:
    old = await bench.start_connected()
    bench.peers.start(plan(2, HIGH), LOW)
    await bench.sent()
    assert old.state is CONNECTED
    assert len(bench.media.open) == 2
    bench.hear("answer", 1, HIGH)  # stale
    bench.hear("answer", 2, HIGH)
    (new,) = await bench.media.wait_open(1, CONNECTED)
    assert new.peer.epoch == 2
    assert new.remote is not None
    assert new.remote.sdp == "answer 2"
    assert await bench.peers.statistics() == {"user9": {"epoch": 2}}


async def test_the_old_epoch_does_not_outlive_the_handover(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "HANDOVER_S", 0.05)
    bench.peers.start(plan(1, HIGH), LOW)
    await bench.sent()
    bench.hear("answer", 1, HIGH)
    await bench.media.wait_open(1, CONNECTED)
    bench.peers.start(plan(2, HIGH), LOW)
    await bench.sent()
    (new,) = await bench.media.wait_open(1)
    assert new.peer.epoch == 2


async def test_only_a_connection_that_carries_is_kept(bench: Bench) -> None:
    bench.peers.start(plan(1, HIGH), LOW)
    await bench.sent()
    bench.hear("answer", 1, HIGH)
    (first,) = await bench.media.wait_open(1, CONNECTED)
    bench.peers.start(plan(2, HIGH), LOW)  # never connects
    await bench.sent()
    bench.peers.start(plan(3, HIGH), LOW)
    await bench.sent()
    opened = await bench.media.wait_open(2)
    assert [session.peer.epoch for session in opened] == [1, 3]
    assert first.state is CONNECTED


async def test_an_old_plan_changes_nothing(bench: Bench) -> None:
    bench.peers.start(plan(2, HIGH), LOW)
    await bench.sent()
    bench.peers.start(plan(1, HIGH), LOW)
    bench.peers.start(plan(2, HIGH), LOW)
    assert len(bench.media.sessions) == 1


async def test_close_silences_at_once(bench: Bench) -> None:
    session = await bench.start_connected()
    session.first_frame("video")
    assert bench.desk.frames == [(session.peer, "video")]
    bench.peers.close(CALL)
    session.first_frame("audio")
    session.become(MediaSessionState.FAILED)
    assert len(bench.desk.frames) == 1
    assert bench.desk.dead.empty()
    await bench.media.wait_open(0)


async def test_another_call_takes_over_with_what_came_early(bench: Bench) -> None:
    bench.peers.start(plan(1, HIGH), LOW)
    await bench.sent()
    bench.hear("offer", 1, LOW, OTHER_CALL)
    bench.peers.start(plan(1, LOW, call_id=OTHER_CALL), HIGH)
    to, answer = await bench.sent()
    assert (to, answer.call_id) == (LOW, OTHER_CALL)
    await bench.media.wait_open(1, CONNECTED)


async def test_failed_media_is_reported_and_asked_for_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "ASK_AGAIN_S", 0.05)
    session = await bench.start_connected()
    session.become(MediaSessionState.FAILED)
    assert await bench.dead() == (session.peer, "the connection failed")
    assert (await bench.dead())[0] == session.peer
    bench.peers.start(plan(2, HIGH), LOW)
    await bench.sent()
    assert bench.desk.dead.empty()


@pytest.mark.parametrize("own", [LOW, HIGH])
async def test_a_negotiation_has_a_deadline(bench: Bench, monkeypatch: pytest.MonkeyPatch, own: str) -> None:
    monkeypatch.setattr(peer_link, "NEGOTIATION_S", 0.05)
    bench.peers.start(plan(1, MIDDLE), own)
    peer, reason = await bench.dead()
    assert peer.epoch == 1
    assert "in time" in reason


async def test_media_that_the_other_side_closed_without_a_word_is_asked_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_link, "CLOSED_GRACE_S", 0.05)
    session = await bench.start_connected()
    session.become(MediaSessionState.CLOSED)
    assert bench.desk.dead.empty(), "the call may be over"
    peer, reason = await bench.dead()
    assert (peer.epoch, reason) == (1, "the other side closed the connection")


async def test_media_that_is_closed_at_the_end_of_the_call_is_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_link, "CLOSED_GRACE_S", 0.05)
    session = await bench.start_connected()
    session.become(MediaSessionState.CLOSED)
    bench.peers.close(CALL)
    await asyncio.sleep(0.1)  # twice the grace
    assert bench.desk.dead.empty()


async def test_a_connection_has_a_deadline(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_link, "CONNECT_S", 0.05)
    bench.media.connects = False
    bench.peers.start(plan(1, HIGH), LOW)
    await bench.sent()
    bench.hear("answer", 1, HIGH)
    assert (await bench.dead())[1] == "it did not connect in time"


async def test_bad_descriptions_and_broken_factories_are_reported(bench: Bench) -> None:
    bench.peers.start(plan(1, HIGH), LOW)
    await bench.sent()
    bad = MediaMessage(call_id=CALL, epoch=1, kind="answer", sdp="rubbish")
    bench.peers.relay(Signal(sender=HIGH, media=bad))
    assert "description" in (await bench.dead())[1]
    bench.media.broken = True
    bench.peers.start(plan(2, HIGH), LOW)
    assert "no media today" in (await bench.dead())[1]


def test_descriptions_survive_the_wire() -> None:
    key = PeerKey(CALL, HIGH, "anna", 3)
    message = MediaMessage(call_id=CALL, epoch=3, kind="offer", sdp="v=0")
    assert to_message(key, to_description(message)) == message
    with pytest.raises(ValueError, match="no SDP"):
        to_description(MediaMessage(call_id=CALL, epoch=3, kind="answer"))
    with pytest.raises(ValueError, match="missing"):
        to_candidate(MediaMessage(call_id=CALL, epoch=3, kind="candidate"))


@pytest.mark.parametrize("entry", [{}, {"urls": 5}, {"urls": []}, {"urls": ["stun:x", 5]}])
def test_an_ice_server_without_urls_is_none(entry: dict[str, Any]) -> None:
    assert ice_server(entry) is None


@given(st.lists(st.integers(0, 200), max_size=40).map(sorted))
def test_never_more_than_five_new_epochs_in_a_minute(wishes: list[int]) -> None:
    budget, spent, now = RetryBudget(), list[float](), 0.0
    for wish in wishes:
        now = max(now, float(wish))
        now += budget.delay_s(now)
        budget.spend(now)
        spent.append(now)
    for at in spent:
        assert sum(at - WINDOW_S < other <= at for other in spent) <= PER_WINDOW


def test_the_first_new_epoch_is_immediate_and_the_next_ones_wait() -> None:
    budget = RetryBudget()
    delays = []
    now = 100.0
    for _ in range(4):
        delays.append(budget.delay_s(now))
        now += delays[-1]
        budget.spend(now)
    assert delays == [0.0, 1.0, 2.0, 4.0]
    assert budget.delay_s(now + WINDOW_S) == 0.0


@given(st.integers(0, 30))
def test_backoff_doubles_to_its_cap_with_jitter(steps: int) -> None:
    backoff = Backoff(0.2, 15.0)
    pauses = [backoff.next() for _ in range(steps + 1)]
    for step, pause in enumerate(pauses):
        full = min(15.0, 0.2 * 2**step)
        assert full / 2 <= pause <= full
    backoff.reset()
    assert backoff.next() <= 0.2


async def test_media_of_a_lost_address_is_asked_for_at_once(bench: Bench) -> None:
    session = await bench.start_connected()
    bench.peers.addresses_lost(frozenset({"192.0.2.99"}))
    bench.peers.addresses_lost(frozenset())
    assert bench.desk.dead.empty()
    assert session.local_address is not None
    bench.peers.addresses_lost(frozenset({session.local_address}))
    assert (await bench.dead())[1] == "its network address is gone"


async def test_a_relayed_connection_may_have_left_from_any_lost_address(bench: Bench) -> None:
    session = await bench.start_connected()
    session.local_address = None
    bench.peers.addresses_lost(frozenset({"192.0.2.99"}))
    await bench.dead()


async def test_what_fails_while_the_service_is_away_is_asked_for_when_it_is_back(bench: Bench) -> None:
    session = await bench.start_connected()
    bench.peers.set_online(False)
    session.become(MediaSessionState.FAILED)
    for _ in range(5):
        await asyncio.sleep(0)
    bench.peers.addresses_lost(frozenset({"192.0.2.1"}))
    await asyncio.sleep(0.01)
    assert bench.desk.dead.empty()
    bench.peers.set_online(True)
    assert (await bench.dead())[1] == "the connection failed"
    assert bench.desk.dead.empty(), "once"


async def test_what_is_negotiated_while_the_service_is_away_is_made_anew(bench: Bench) -> None:
    """The other side offered into the void: it would wait eight seconds for an answer."""
    session = await bench.start_connected()
    bench.peers.set_online(False)
    session.become(MediaSessionState.FAILED)
    await asyncio.sleep(0.01)
    bench.peers.start(plan(2, LOW), HIGH)
    bench.peers.set_online(True)
    peer, reason = await bench.dead()
    assert (peer.epoch, reason) == (2, "the service was away while it was negotiated")
    assert bench.desk.dead.empty(), "once"


async def test_a_connection_that_outlived_the_services_absence_is_left_alone(bench: Bench) -> None:
    await bench.start_connected()
    bench.peers.set_online(False)
    bench.peers.set_online(True)
    bench.peers.set_online(True)
    await asyncio.sleep(0.01)
    assert bench.desk.dead.empty()
