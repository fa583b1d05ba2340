# SPDX-License-Identifier: GPL-3.0-or-later
"""What the control of calls tells a media server, and when: the seam between both."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from callagent.protocol.enums import MediaType, Placement, UserStatus
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.media import LinkMessage
from callagent.protocol.requests import Calls, SendMedia, View
from callagent.server.accounts import DEFAULT_APP_ID
from callagent.server.calls.commands import Accept, Command, Hangup, Join, Renegotiate, SetTracks
from callagent.server.calls.group_media import Layer, NoGroupMedia
from callagent.server.calls.model import Call, MemberStatus
from callagent.server.storage.event_log import SessionKey
from tests.unit.server.arena import Arena, arena_with

SESSIONS = {user: user * 16 for user in "abcd"}
LINK = "0123456789abcdef"


@dataclass
class FakeGroupMedia:
    """Notes what it is told."""

    available: bool = True
    followed: list[Call] = field(default_factory=list)
    messages: list[tuple[str, str, LinkMessage]] = field(default_factory=list)
    views: list[tuple[str, str, Layer]] = field(default_factory=list)

    async def follow(self, call: Call) -> None:
        self.followed.append(call)

    async def message(self, call: Call, session_id: str, to: str, media: LinkMessage) -> None:
        assert call.placement is Placement.SFU
        self.messages.append((session_id, to, media))

    async def view(self, call: Call, session_id: str, user_id: str, layer: Layer) -> None:
        assert call.placement is Placement.SFU
        self.views.append((session_id, user_id, layer))

    def news(self) -> list[tuple[Placement, int, set[str], bool]]:
        """What came since the last look: placement, epoch, who is connected, whether it is over."""
        told = [
            (
                call.placement,
                call.epoch,
                {member.user_id for member in call.with_status(MemberStatus.CONNECTED)},
                call.over,
            )
            for call in self.followed
        ]
        self.followed.clear()
        return told


class Core:
    """An arena whose sessions have ids as they are on the wire."""

    def __init__(self, arena: Arena, media: FakeGroupMedia) -> None:
        self.control, self.relay, self.sessions = arena.control, arena.relay, arena.sessions
        self.media = media
        self.call_id = ""

    async def call(self, *callees: str) -> None:
        """a calls them, all answer; nothing of it is news any more."""
        request = Calls(id=1, user_id_list=list(callees), media_type=MediaType.VIDEO)
        self.call_id = (await self.control.invite(key("a"), "a", request, sfu=True)).call_id
        for callee in callees:
            await self.do(Accept(callee, SESSIONS[callee], sfu=True))
        self.media.news()

    async def do(self, command: Command) -> None:
        await self.control.apply(DEFAULT_APP_ID, self.call_id, command)

    async def say(self, user: str, to: str, **fields: Any) -> None:
        media = LinkMessage.model_validate({"call_id": self.call_id, "kind": "offer"} | fields)
        await self.relay.media(key(user), user, SendMedia(id=1, to=to, media=media))

    async def refusal(self, user: str, to: str, **fields: Any) -> tuple[int, str | None]:
        with pytest.raises(CallAgentError) as refused:
            await self.say(user, to, **fields)
        return refused.value.code, refused.value.field


def key(user: str) -> SessionKey:
    return SessionKey(DEFAULT_APP_ID, SESSIONS[user])


@pytest.fixture
async def core() -> AsyncIterator[Core]:
    media = FakeGroupMedia()
    async with arena_with(media) as arena:
        for user, session in SESSIONS.items():
            await arena.open(user, session)
        yield Core(arena, media)


async def test_it_follows_a_call_of_three_from_the_third_to_the_last_but_two(core: Core) -> None:
    await core.call("b")
    assert core.media.news() == []
    await core.do(Join("c", SESSIONS["c"], sfu=True))
    assert core.media.news() == [(Placement.SFU, 2, {"a", "b", "c"}, False)]
    await core.do(SetTracks("c", SESSIONS["c"], video=True))
    assert core.media.news() == [(Placement.SFU, 2, {"a", "b", "c"}, False)]
    await core.do(Join("d", SESSIONS["d"], sfu=True))
    await core.do(Renegotiate("b", SESSIONS["b"], 2))
    assert core.media.news() == [
        (Placement.SFU, 2, {"a", "b", "c", "d"}, False),
        (Placement.SFU, 3, {"a", "b", "c", "d"}, False),
    ]
    await core.do(Hangup("a", SESSIONS["a"]))
    await core.do(Hangup("c", SESSIONS["c"]))
    assert core.media.news() == [
        (Placement.SFU, 3, {"b", "c", "d"}, False),
        (Placement.P2P, 4, {"b", "d"}, False),
    ]
    await core.do(Hangup("b", SESSIONS["b"]))
    assert core.media.news() == []


async def test_it_is_told_of_a_lost_member(core: Core) -> None:
    await core.call("b", "c", "d")
    await core.sessions.end(key("d"), UserStatus.OFFLINE)
    assert core.media.news() == [(Placement.SFU, 2, {"a", "b", "c"}, False)]


async def test_it_is_told_of_the_end(core: Core) -> None:
    await core.call("b", "c")
    assert await core.control.end_by_service(DEFAULT_APP_ID, core.call_id)
    assert core.media.news() == [(Placement.SFU, 2, set(), True)]


async def test_it_gets_what_members_say_on_their_links(core: Core) -> None:
    await core.call("b", "c")
    await core.say("b", LINK, epoch=2, sdp="v=0", attempt="one")
    await core.say("c", LINK, epoch=2, kind="restart", attempt="two")
    assert [(session, to, said.kind, said.attempt) for session, to, said in core.media.messages] == [
        (SESSIONS["b"], LINK, "offer", "one"),
        (SESSIONS["c"], LINK, "restart", "two"),
    ]
    assert await core.refusal("b", LINK, epoch=1) == (ErrorCode.PEER_UNREACHABLE, "media.epoch")
    assert await core.refusal("d", LINK, epoch=2) == (ErrorCode.INVITE_HANDLED, "media.callId")
    assert len(core.media.messages) == 2


async def test_between_two_there_are_no_links(core: Core) -> None:
    await core.call("b")
    assert await core.refusal("a", LINK, epoch=1) == (ErrorCode.PEER_UNREACHABLE, "to")
    restart = await core.refusal("a", SESSIONS["b"], epoch=1, kind="restart")
    assert restart == (ErrorCode.PEER_UNREACHABLE, "to")
    assert core.media.messages == []


async def test_it_is_told_what_is_wanted_to_be_seen(core: Core) -> None:
    await core.call("b")
    await core.relay.view(key("a"), "a", View(id=1, call_id=core.call_id, user_id="b", layer="l"))
    assert core.media.views == []
    await core.do(Join("c", SESSIONS["c"], sfu=True))
    await core.relay.view(key("a"), "a", View(id=2, call_id=core.call_id, user_id="b", layer="l"))
    await core.relay.view(key("c"), "c", View(id=3, call_id=core.call_id, user_id="a", layer="off"))
    assert core.media.views == [(SESSIONS["a"], "b", "l"), (SESSIONS["c"], "a", "off")]


async def test_without_one_nothing_is_taken(core: Core) -> None:
    await core.call("b", "c")
    nothing = NoGroupMedia()
    assert not nothing.available
    live = await core.control.live(DEFAULT_APP_ID, core.call_id)
    assert live is not None
    said = LinkMessage(call_id=core.call_id, epoch=2, kind="offer")
    with pytest.raises(CallAgentError) as refused:
        await nothing.message(live, SESSIONS["a"], LINK, said)
    assert refused.value.code == ErrorCode.PEER_UNREACHABLE
