# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection to Janus and the backend on it, against a Janus that misbehaves by script."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from callagent.protocol.media import IceCandidate
from callagent.server.sfu import janus as backend_module
from callagent.server.sfu import janus_seat
from callagent.server.sfu.backend import FeedGone, Refused, RoomGone, RoomIds, ServerAway
from callagent.server.sfu.janus import JanusBackend
from callagent.server.sfu.janus_wire import JanusWire, Json
from tests.unit.server.rig import until
from tests.unit.server.sfu.scripted_janus import ScriptedJanus, scripted_janus


class Heard:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.seats: list[tuple[int, bool]] = []
        self.backs = 0
        self.reasons: list[str] = []

    def seat_up(self, handle: int) -> None:
        self.seats.append((handle, True))

    def seat_down(self, handle: int) -> None:
        self.seats.append((handle, False))

    def back(self) -> None:
        self.backs += 1

    def gone(self, reason: str) -> None:
        self.reasons.append(reason)


@pytest.fixture
async def janus() -> AsyncIterator[ScriptedJanus]:
    async with scripted_janus() as server:
        yield server


@pytest.fixture
async def backend(janus: ScriptedJanus, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[JanusBackend]:
    for name, value in (("PING_S", 0.05), ("PING_ANSWER_S", 0.3), ("RETRY_S", 0.05), ("PATIENCE_S", 0.6)):
        monkeypatch.setattr(backend_module, name, value)
    monkeypatch.setattr(backend_module, "REFUSED_S", 0.2)
    made = JanusBackend(janus.url, "secret", 10)
    await made.start()
    yield made
    await made.close()


async def test_answers_in_any_order_find_who_asked(janus: ScriptedJanus) -> None:
    held: list[Json] = []

    def reverse(request: Json) -> list[Json]:
        held.append(request)
        return []

    janus.answer = reverse
    events: list[Json] = []
    async with aiohttp.ClientSession() as web:
        wire = await JanusWire.open(web, janus.url, None, events.append)
        asked = [asyncio.create_task(wire.ask({"janus": "ping", "number": n})) for n in range(3)]
        await until(lambda: len(held) == 3)
        await janus.tell({"janus": "event", "sender": 5, "session_id": 1})
        for request in reversed(held):
            await janus.tell({"janus": "ack", "transaction": request["transaction"]})
            await janus.tell(
                {"janus": "pong", "transaction": request["transaction"], "to": request["number"]}
            )
        assert [(await task)["to"] for task in asked] == [0, 1, 2]
        # What nobody waits for any more is no event.
        await janus.tell({"janus": "success", "transaction": held[0]["transaction"]})
        await janus.tell({"janus": "event", "sender": 6, "session_id": 1})
        await until(lambda: len(events) == 2)
        assert [event["sender"] for event in events] == [5, 6]
        await wire.close()


async def test_who_waits_when_the_connection_ends_hears_it(janus: ScriptedJanus) -> None:
    janus.answer = lambda _request: []
    async with aiohttp.ClientSession() as web:
        wire = await JanusWire.open(web, janus.url, None, lambda _event: None)
        waiting = asyncio.create_task(wire.ask({"janus": "create"}))
        await until(lambda: len(janus.requests) == 1)
        await janus.cut()
        with pytest.raises(ServerAway, match="lost"):
            await waiting
        with pytest.raises(ServerAway):
            await wire.ask({"janus": "create"})
        await wire.close()


async def test_no_answer_and_an_answer_that_is_no_json(janus: ScriptedJanus) -> None:
    janus.answer = lambda _request: []
    async with aiohttp.ClientSession() as web:
        wire = await JanusWire.open(web, janus.url, None, lambda _event: None)
        with pytest.raises(ServerAway, match="no answer to create"):
            await wire.ask({"janus": "create"}, deadline_s=0.05)
        await janus.say("no json")
        await janus.say("[1]")
        janus.answer = lambda _request: None
        assert (await wire.ask({"janus": "ping"}))["janus"] == "pong"
        await wire.close()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"janus": "error", "error": {"code": 458, "reason": "No such session"}}, RoomGone),
        ({"janus": "error", "error": {"code": 403, "reason": "Unauthorized"}}, Refused),
        ({"janus": "event", "plugindata": {"data": {"error_code": 426, "error": "No such room"}}}, RoomGone),
        ({"janus": "event", "plugindata": {"data": {"error_code": 428, "error": "No such feed"}}}, FeedGone),
        ({"janus": "success", "plugindata": {"data": {"error_code": 427, "error": "exists"}}}, Refused),
    ],
)
async def test_what_janus_complains_of(
    janus: ScriptedJanus, backend: JanusBackend, answer: Json, error: type[Exception]
) -> None:
    room = await backend.create("r", Heard())
    janus.answer = lambda request: [answer] if request["janus"] == "message" else None
    with pytest.raises(error) as raised:
        await backend.subscribe(room, 7, ["0"])
    assert type(raised.value) is error
    assert len(janus.asked("attach")) == len(janus.asked("detach")) + 1, "only the desk stays"


async def test_every_request_but_a_ping_has_the_secret(janus: ScriptedJanus, backend: JanusBackend) -> None:
    room = await backend.create("r", Heard())
    await backend.destroy(room)
    assert {request.get("apisecret") for request in janus.requests} == {"secret"}
    assert janus.sessions == set()
    assert janus.rooms == {}


async def test_seats_are_heard_of_until_the_room_is_released(
    janus: ScriptedJanus, backend: JanusBackend
) -> None:
    heard = Heard()
    room = await backend.create("r", heard)
    for message in (
        {"janus": "webrtcup", "session_id": room.session, "sender": 5},
        {"janus": "media", "session_id": room.session, "sender": 5},
        {"janus": "webrtcup", "session_id": 1, "sender": 6},
        {"janus": "hangup", "session_id": room.session, "sender": 5},
        {"janus": "timeout", "session_id": room.session},
        {"janus": "webrtcup", "session_id": room.session, "sender": 7},
    ):
        await janus.tell(message)
    await until(lambda: bool(heard.reasons))
    assert heard.seats == [(5, True), (5, False)]


async def test_a_short_break_is_waited_out(janus: ScriptedJanus, backend: JanusBackend) -> None:
    heard = Heard()
    room = await backend.create("r", heard)
    await janus.cut()
    await until(lambda: backend.problem != "")
    # What is asked meanwhile waits.
    await backend.pause(room, 5, "1")
    assert heard.backs == 1
    assert heard.reasons == []
    assert [request["session_id"] for request in janus.asked("claim")] == [room.session]


async def test_a_room_that_janus_gave_up_in_the_break_is_gone(
    janus: ScriptedJanus, backend: JanusBackend
) -> None:
    heard, other = Heard(), Heard()
    room = await backend.create("r", heard)
    await backend.create("s", other)
    janus.sessions.discard(room.session)
    await janus.cut()
    await until(lambda: bool(heard.reasons))
    await until(lambda: other.backs == 1)
    assert heard.backs == 0


async def test_a_janus_that_hangs_is_lost_with_its_rooms(janus: ScriptedJanus, backend: JanusBackend) -> None:
    heard = Heard()
    room = await backend.create("r", heard)
    janus.answer = lambda _request: []
    await until(lambda: bool(heard.reasons))
    assert "no answer" in backend.problem
    with pytest.raises(ServerAway):
        await backend.pause(room, 5, "1")
    janus.answer = lambda _request: None
    await until(lambda: backend.problem == "")


async def test_a_claim_needs_the_room_too(janus: ScriptedJanus, backend: JanusBackend) -> None:
    room = await backend.create("r", Heard())
    backend.release(room)
    heard = Heard()
    await backend.claim(room, heard)
    gone = {"janus": "success", "plugindata": {"data": {"error_code": 426, "error": "No such room"}}}
    janus.answer = lambda request: [gone] if request["janus"] == "message" else None
    with pytest.raises(RoomGone):
        await backend.claim(room, heard)
    with pytest.raises(RoomGone):
        await backend.claim(RoomIds(session=1, desk=2, room=3), heard)


async def test_a_server_that_makes_no_room_is_not_asked_again_at_once(
    janus: ScriptedJanus, backend: JanusBackend
) -> None:
    no = {"janus": "success", "plugindata": {"data": {"error_code": 433, "error": "admin_key"}}}
    janus.answer = lambda request: [no] if request["janus"] == "message" else None
    with pytest.raises(Refused):
        await backend.create("r", Heard())
    assert backend.problem == "it would not make a room"
    assert janus.sessions == set()


async def test_a_switch_that_changed_nothing_is_refused(janus: ScriptedJanus, backend: JanusBackend) -> None:
    room = await backend.create("r", Heard())

    def switched(mid: str) -> None:
        data = {"switched": "ok", "streams": [{"mid": "1", "feed_mid": mid}]}
        event = {"janus": "event", "plugindata": {"data": data}}
        janus.answer = lambda request: (
            [{"janus": "ack"}, event] if request.get("body", {}).get("request") == "switch" else None
        )

    switched("2")
    await backend.switch(room, 5, "1", 7, "2")
    assert janus.asked("configure")[-1]["body"]["streams"] == [{"mid": "1", "send": True}]
    switched("3")
    with pytest.raises(Refused, match="codec"):
        await backend.switch(room, 5, "1", 7, "2")


def test_candidates_as_janus_takes_them() -> None:
    assert janus_seat.trickle(IceCandidate(candidate="")) == {"completed": True}
    one = IceCandidate(candidate="candidate:1", sdp_mid="0", sdp_m_line_index=0)
    assert janus_seat.trickle(one) == {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0}


@pytest.mark.parametrize(
    ("payloads", "codec"), [("96 97", "vp8"), ("98 97 96", "h264"), ("97", "h264"), ("99 96", "vp8")]
)
def test_the_codec_the_offer_names_first(payloads: str, codec: str) -> None:
    maps = {"96": "VP8/90000", "97": "rtx/90000", "98": "H264/90000", "99": "VP9/90000"}
    lines = [
        f"m=video 9 UDP/TLS/RTP/SAVPF {payloads}",
        *(f"a=rtpmap:{n} {maps[n]}" for n in payloads.split()),
    ]
    sdp = "\r\n".join(["v=0", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=rtpmap:111 opus/48000/2", *lines, ""])
    assert janus_seat.preferred_codec(sdp) == codec
