# SPDX-License-Identifier: GPL-3.0-or-later
"""The signalling client against a server that drops, repeats, leaves out and kicks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from callagent.call import signalling
from callagent.call.signalling import SignallingClient
from callagent.call.signalling_types import SignallingSettings
from callagent.protocol.enums import CallEndReason, MediaType
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.events import (
    AnyEventData,
    Moment,
    OnKickedOffline,
    OnMissedCall,
    PresenceChange,
)
from callagent.protocol.replies import HelloData
from callagent.protocol.requests import GetHistory, Reply
from tests.unit.call.scripted_service import (
    DEADLINE_S,
    SESSION,
    ScriptedService,
    hello_data,
    scripted_service,
)

QUERY = GetHistory(id=1)


class Ticket:
    """Credentials that note what they were asked."""

    def __init__(self) -> None:
        self.asked: list[bool] = []

    async def usersig(self, rejected: bool = False) -> str:
        self.asked.append(rejected)
        return f"sig{len(self.asked)}"


class Ear:
    """Writes down what the client tells, and lets a test wait for it."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []
        self._more = asyncio.Event()

    def _note(self, name: str, what: Any = None) -> None:
        self.heard.append((name, what))
        self._more.set()

    def on_login_started(self) -> None:
        self._note("login")

    def on_session(self, hello: HelloData) -> None:
        self._note("session", hello)

    def on_connection_lost(self) -> None:
        self._note("lost")

    def on_login_failed(self, error: CallAgentError) -> None:
        self._note("failed", error)

    def on_logged_out(self) -> None:
        self._note("out")

    def on_event(self, data: AnyEventData) -> None:
        self._note("event", data)

    def on_moment(self, message: Moment) -> None:
        self._note("presence" if isinstance(message, PresenceChange) else "signal", message)

    def names(self) -> list[str]:
        return [name for name, _ in self.heard]

    def calls(self) -> list[str]:
        return [what.call_id for name, what in self.heard if name == "event"]

    async def wait(self, name: str, count: int = 1) -> Any:
        """Until `name` was heard `count` times; the last of them."""
        async with asyncio.timeout(DEADLINE_S):
            while self.names().count(name) < count:
                self._more.clear()
                await self._more.wait()
        return [what for heard, what in self.heard if heard == name][count - 1]


def missed(number: int) -> OnMissedCall:
    return OnMissedCall(
        call_id=str(number), caller_id="anna", media_type=MediaType.VIDEO, reason=CallEndReason.LINE_BUSY
    )


@pytest.fixture
async def service() -> AsyncIterator[ScriptedService]:
    async with scripted_service() as running:
        yield running


@asynccontextmanager
async def running(
    service: ScriptedService, ticket: Ticket | None = None, **changes: Any
) -> AsyncIterator[tuple[SignallingClient, Ear]]:
    ear = Ear()
    settings: dict[str, Any] = {
        "url": service.url,
        "app_id": 1400000001,
        "user_id": "kiosk",
        "device_id": "box-1",
        "credentials": ticket or Ticket(),
        "version": "0.1",
        "capabilities": ("h264",),
        **changes,
    }
    client = SignallingClient(SignallingSettings(**settings), ear)
    client.start()
    try:
        yield client, ear
    finally:
        await client.close(0.05)


async def test_login_says_who_and_what(service: ScriptedService) -> None:
    async with running(service) as (client, ear):
        line = await service.line()
        hello = await line.greet()
        assert hello["userId"] == "kiosk"
        assert hello["userSig"] == "sig1"
        assert hello["platform"] == "linux"
        assert hello["capabilities"] == ["h264"]
        assert "resume" not in hello
        told = await ear.wait("session")
        assert told.session_id == SESSION
        assert ear.names() == ["login", "session"]
        assert client.last_error == ""


async def test_replies_find_their_requests_in_any_order(service: ScriptedService) -> None:
    async with running(service) as (client, ear):
        line = await service.line()
        await line.greet()
        await ear.wait("session")
        requests = [asyncio.create_task(client.request(QUERY, DEADLINE_S)) for _ in range(3)]
        asked = [await line.receive("getHistory") for _ in range(3)]
        assert len({request["id"] for request in asked}) == 3
        await line.reply({"id": 999})  # nobody asked
        await line.reply(asked[2], code=-1203)
        await line.reply(asked[0], mark=0)
        await line.reply(asked[0], mark="again")
        await line.reply(asked[1], mark=1)
        assert (await requests[0]).data == {"mark": 0}
        assert (await requests[1]).data == {"mark": 1}
        with pytest.raises(CallAgentError) as refused:
            await requests[2]
        assert refused.value.code is ErrorCode.REQUEST_REFUSED


async def test_a_request_has_a_deadline(service: ScriptedService) -> None:
    async with running(service) as (client, ear):
        line = await service.line()
        await line.greet()
        await ear.wait("session")
        with pytest.raises(CallAgentError) as late:
            await client.request(QUERY, 0.05)
        assert late.value.code is ErrorCode.SIGNALING_SEND_FAIL
        await line.reply(await line.receive("getHistory"))
        await line.event(1, missed(1))
        await ear.wait("event")


async def test_every_request_is_answered_once_when_the_connection_breaks(service: ScriptedService) -> None:
    async with running(service) as (client, ear):
        replies: list[Reply] = []
        client.send(QUERY, replies.append)
        assert [reply.code for reply in replies] == [ErrorCode.SIGNALING_SEND_FAIL]
        line = await service.line()
        await line.greet()
        await ear.wait("session")
        client.send(QUERY, replies.append)
        await line.receive("getHistory")
        line.drop()
        await ear.wait("lost")
        await (await service.line()).greet(resumed=True)
        await ear.wait("session", 2)
        assert [reply.code for reply in replies] == [ErrorCode.SIGNALING_SEND_FAIL] * 2


async def test_resume_replays_in_order_and_none_twice(service: ScriptedService) -> None:
    async with running(service) as (_, ear):
        line = await service.line()
        await line.greet()
        for seq in (1, 2, 2, 1):
            await line.event(seq, missed(seq))
        await ear.wait("event", 2)
        line.drop()
        again = await service.line()
        hello = await again.greet(resumed=True, seq=4)
        assert hello["resume"] == {"sessionId": SESSION, "resumeToken": "token", "lastSeq": 2}
        for seq in (2, 3):
            await again.event(seq, missed(seq))
        await ear.wait("event", 3)
        assert ear.names().count("session") == 1, "the session is not open before every event is back"
        await again.event(4, missed(4))
        await ear.wait("session", 2)
        await again.event(5, missed(5))
        await ear.wait("event", 5)
        assert ear.calls() == ["1", "2", "3", "4", "5"]
        assert ear.names() == [
            *("login", "session", "event", "event", "lost"),
            *("event", "event", "session", "event"),
        ]


async def test_a_session_that_is_gone_starts_anew(service: ScriptedService) -> None:
    async with running(service) as (_, ear):
        line = await service.line()
        await line.greet()
        await line.event(1, missed(1))
        await ear.wait("event")
        line.drop()
        again = await service.line()
        await again.greet(sessionId="c" * 16, resumed=False, seq=0)
        assert not (await ear.wait("session", 2)).resumed
        await again.event(1, missed(2))
        await ear.wait("event", 2)
        assert ear.calls() == ["1", "2"]


async def test_events_left_out_are_asked_for_again_then_the_session_is_given_up(
    service: ScriptedService,
) -> None:
    async with running(service) as (_, ear):
        line = await service.line()
        await line.greet()
        await line.event(1, missed(1))
        await line.event(3, missed(3))
        again = await service.line()
        assert (await again.greet(resumed=True, seq=3))["resume"]["lastSeq"] == 1
        await again.event(3, missed(3))
        last = await service.line()
        assert "resume" not in await last.greet(seq=0)
        await ear.wait("session", 2)
        assert ear.calls() == ["1"]


async def test_a_replay_that_stops_is_not_waited_for_for_ever(service: ScriptedService) -> None:
    async with running(service) as (_, ear):
        await (first := await service.line()).greet()
        await ear.wait("session")
        first.drop()
        await (await service.line()).greet(resumed=True, seq=2, pingReply=0.1)
        again = await service.line()
        await again.greet(resumed=True, seq=2)
        await again.event(1, missed(1))
        await again.event(2, missed(2))
        await ear.wait("session", 2)


async def test_heartbeats_acknowledge_and_their_silence_reconnects(service: ScriptedService) -> None:
    async with running(service) as (_, ear):
        line = await service.line()
        await line.greet(pingIdle=0.05, pingReply=0.3)
        await line.event(1, missed(1))
        await line.event(2, missed(2))
        await ear.wait("event", 2)
        while (ping := await line.receive("ping"))["ack"] < 2:
            await line.reply(ping)
        # this one is not answered
        again = await service.line()
        assert (await again.greet(resumed=True, seq=2))["resume"]["lastSeq"] == 2


async def test_a_call_quickens_the_heartbeat_at_once(service: ScriptedService) -> None:
    async with running(service) as (client, ear):
        line = await service.line()
        await line.greet(pingIdle=60.0, pingCall=0.05)
        await ear.wait("session")
        client.in_call = True
        for _ in range(3):
            await line.reply(await line.receive("ping"))


async def test_what_the_service_garbles_does_no_harm(service: ScriptedService) -> None:
    async with running(service) as (client, ear):
        line = await service.line()
        await line.greet()
        for text in (
            "no json",
            "[1]",
            "[" * 5000,
            "{}",
            '{"type": "novelty"}',
            '{"type": "reply", "id": "x"}',
            '{"type": "event", "seq": 1, "event": "onNovelty", "time": 0, "data": {}}',
            '{"type": "event", "seq": 2, "event": "onMissedCall", "time": 0, "data": {"callId": 5}}',
            '{"type": "error", "code": 90001, "message": "what?"}',
            '{"type": "presence", "userId": "anna"}',
            '{"type": "media", "sender": 1}',
        ):
            await line.send_text(text)
        await line.event(3, missed(3))
        await ear.wait("event")
        assert ear.names() == ["login", "session", "event"]
        reply = asyncio.create_task(client.request(QUERY, DEADLINE_S))
        await line.reply(await line.receive("getHistory"))
        await reply


async def test_a_refused_ticket_is_renewed(service: ScriptedService) -> None:
    ticket = Ticket()
    async with running(service, ticket) as (_, ear):
        for code in (ErrorCode.USERSIG_EXPIRED, ErrorCode.USERSIG_INVALID):
            line = await service.line()
            await line.reply(await line.receive("hello"), code=code)
            await line.bye(code)
        assert (await ear.wait("failed", 2)).code is ErrorCode.USERSIG_INVALID
        assert (await (await service.line()).greet())["userSig"] == "sig3"
        await ear.wait("session")
        assert ticket.asked == [False, True, True]


async def test_an_unreachable_service_is_tried_until_it_is_there(service: ScriptedService) -> None:
    url, port = service.url, service.url.rsplit(":", 1)[1]
    await service.stop()
    async with running(service, url=url) as (client, ear):
        failed = await ear.wait("failed", 2)
        assert failed.code is ErrorCode.SIGNALING_SEND_FAIL
        assert port in client.last_error


async def test_a_poke_skips_the_pause(service: ScriptedService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signalling, "FIRST_PAUSE_S", 3600.0)
    monkeypatch.setattr(signalling, "LONGEST_PAUSE_S", 3600.0)
    async with running(service) as (client, ear):
        line = await service.line()
        await line.greet()
        await ear.wait("session")
        line.drop()
        await ear.wait("lost")
        client.poke()
        await (await service.line()).greet(resumed=True)
        await ear.wait("session", 2)


async def test_a_poke_replaces_a_connection_that_may_be_dead(
    service: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signalling, "POKE_GAP_S", 0.1)
    async with running(service) as (client, ear):
        first = await service.line()
        await first.greet()
        await ear.wait("session")
        for _ in range(5):
            client.poke()
        second = await service.line()
        assert "resume" in await second.greet(resumed=True)
        await first.closed()
        await ear.wait("session", 2)
        assert service.waiting_lines == 0


@pytest.mark.parametrize("by_event", [True, False])
async def test_kicked_comes_back_later_as_somebody_new(service: ScriptedService, by_event: bool) -> None:
    async with running(service, first_kicked_pause_s=0.1) as (client, ear):
        for round_number in (1, 2):
            line = await service.line()
            assert "resume" not in await line.greet()
            await ear.wait("session", round_number)
            if by_event:
                await line.event(1, OnKickedOffline(message="other"))
                line.drop()
            else:
                await line.bye(ErrorCode.KICKED_OFFLINE)
            await ear.wait("out", round_number)
            client.poke()
        await (await service.line()).greet()


async def test_kicked_may_stay_down(service: ScriptedService) -> None:
    async with running(service, on_kicked="stay_down", first_kicked_pause_s=0.0) as (client, ear):
        line = await service.line()
        await line.greet()
        await ear.wait("session")
        await line.bye(ErrorCode.KICKED_OFFLINE)
        await ear.wait("out")
        client.poke()
        with pytest.raises(CallAgentError):
            await client.request(QUERY, 0.2)
        assert service.waiting_lines == 0


async def test_a_stopping_service_is_resumed(service: ScriptedService) -> None:
    async with running(service) as (_, ear):
        line = await service.line()
        await line.greet()
        await ear.wait("session")
        await line.bye(ErrorCode.SERVICE_STOPPING)
        assert "resume" in await (await service.line()).greet(resumed=True)
        assert "out" not in ear.names()


async def test_close_logs_out(service: ScriptedService) -> None:
    async with running(service) as (client, ear):
        line = await service.line()
        await line.greet()
        await ear.wait("session")
        closing = asyncio.create_task(client.close(DEADLINE_S))
        await line.reply(await line.receive("logout"))
        await closing
        await client.close()
        await line.closed()


async def test_close_works_in_every_stage(service: ScriptedService) -> None:
    async with running(service):
        pass  # before the first packet
    async with running(service):
        await (await service.line()).receive("hello")  # login unanswered
    async with running(service) as (_, ear):
        line = await service.line()
        await line.receive("hello")
        line.drop()
        await ear.wait("failed")  # in the pause
    async with running(service, on_kicked="retry", first_kicked_pause_s=3600.0) as (_, ear):
        line = await service.line()
        await line.greet()
        await line.bye(ErrorCode.KICKED_OFFLINE)
        await ear.wait("out")


def test_the_scripted_hello_is_what_the_protocol_says() -> None:
    assert HelloData.model_validate(hello_data()).ping_reply == 5.0
