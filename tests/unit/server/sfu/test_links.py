# SPDX-License-Identifier: GPL-3.0-or-later
"""What is due for a call in a room: pure."""

from callagent.protocol.enums import MediaFlow, MediaType, Placement
from callagent.protocol.media import Track
from callagent.server.calls.model import Call, Member, MemberStatus
from callagent.server.sfu.backend import RoomIds
from callagent.server.sfu.links import Due, Link, RoomState, due, publication_of, subscribed_tracks

IDS = RoomIds(session=1, desk=2, room=3)
TRACKS = [
    Track(id="mic", owner="a", source="microphone", mid="0"),
    Track(id="cam", owner="a", source="camera", layer="h", mid="1"),
    Track(id="cam-l", owner="a", source="camera", layer="l", mid="2"),
]


def call_of(*users: str, ringing: str | None = None) -> Call:
    members = {
        user: Member(user_id=user, status=MemberStatus.CONNECTED, session_id=f"{user}1", sfu=True)
        for user in users
    }
    if ringing is not None:
        members[ringing] = Member(user_id=ringing, status=MemberStatus.RINGING)
    return Call(
        app_id=1,
        call_id="c",
        room_id=7,
        media_type=MediaType.VIDEO,
        caller_id=users[0],
        caller_name="",
        user_data="",
        chat_group_id="",
        invited_at=0.0,
        epoch=2,
        placement=Placement.SFU,
        members=members,
    )


def settle(call: Call, state: RoomState, feed: int = 100) -> RoomState:
    """Everybody sends, everything due is made."""
    for link in due(call, state, {}).make:
        state = state.with_link(link)
    for number, link in enumerate(state.links.values()):
        if link.sends and not link.up:
            sending = {"feed": feed + number, "handle": number, "up": True}
            state = state.with_link(link.model_copy(update=sending | {"publication": publication_of(TRACKS)}))
    for number, link in enumerate(due(call, state, {}).make, 500):
        seat = {"handle": number, "audio_mid": "0", "video_mid": "1"}
        state = state.with_link(link.model_copy(update=seat))
    return state


def nothing(work: Due) -> bool:
    return not (work.drop or work.make or work.layers)


def pairs(links: tuple[Link, ...]) -> set[tuple[str, str]]:
    return {(link.session_id, link.user_id) for link in links}


def test_each_member_sends_first_and_receives_who_is_up() -> None:
    call = call_of("a", "b", "c", ringing="d")
    first = due(call, RoomState(ids=IDS), {})
    assert pairs(first.make) == {("a1", "a"), ("b1", "b"), ("c1", "c")}
    assert {link.flow for link in first.make} == {MediaFlow.SEND}
    state = settle(call, RoomState(ids=IDS))
    assert len(state.links) == 9
    assert nothing(due(call, state, {}))
    receiving = {(link.session_id, link.user_id) for link in state.links.values() if not link.sends}
    assert receiving == {(f"{x}1", y) for x in "abc" for y in "abc" if x != y}


def test_who_leaves_takes_all_links_along() -> None:
    state = settle(call_of("a", "b", "c"), RoomState(ids=IDS))
    work = due(call_of("a", "b"), state, {})
    assert pairs(work.drop) == {("c1", "c"), ("c1", "a"), ("c1", "b"), ("a1", "c"), ("b1", "c")}
    assert work.make == ()


def test_who_comes_back_on_another_session_begins_anew() -> None:
    call = call_of("a", "b", "c")
    state = settle(call, RoomState(ids=IDS))
    member = call.members["c"].model_copy(update={"session_id": "c2"})
    call = call.model_copy(update={"members": call.members | {"c": member}})
    work = due(call, state, {})
    assert pairs(work.make) == {("c2", "c"), ("c2", "a"), ("c2", "b")}
    assert ("c1", "c") in pairs(work.drop)
    assert ("a1", "c") in pairs(work.drop)


def test_who_is_down_is_received_by_nobody_until_another_feed_is_up() -> None:
    call = call_of("a", "b", "c")
    state = settle(call, RoomState(ids=IDS))
    sender = next(link for link in state.links.values() if link.sends and link.user_id == "a")
    state = state.with_link(sender.model_copy(update={"up": False}))
    work = due(call, state, {})
    assert pairs(work.drop) == {("b1", "a"), ("c1", "a")}
    again = state.with_link(sender.model_copy(update={"feed": 999}))
    work = due(call, again, {})
    assert pairs(work.drop) == pairs(work.make) == {("b1", "a"), ("c1", "a")}
    assert {link.feed for link in work.make} == {999}


def test_layers_change_when_wanted() -> None:
    call = call_of("a", "b", "c")
    state = settle(call, RoomState(ids=IDS))
    work = due(call, state, {("b1", "a"): "l", ("c1", "a"): "h", ("a1", "gone"): "off"})
    assert [(link.session_id, link.user_id, layer) for link, layer in work.layers] == [("b1", "a", "l")]
    fresh = due(
        call,
        RoomState(ids=IDS, links={k: v for k, v in state.links.items() if v.sends}),
        {("b1", "a"): "off"},
    )
    assert {(link.session_id, link.layer) for link in fresh.make if link.user_id == "a"} == {
        ("b1", "off"),
        ("c1", "h"),
    }


def test_who_sends_nothing_is_not_received() -> None:
    call = call_of("a", "b", "c")
    state = RoomState(ids=IDS)
    for link in due(call, state, {}).make:
        state = state.with_link(link.model_copy(update={"up": True, "handle": 1, "feed": 5}))
    assert nothing(due(call, state, {}))


def test_what_a_receiver_is_told_of_its_m_lines() -> None:
    publication = publication_of(TRACKS)
    assert (publication.audio, publication.h, publication.l) == ("0", "1", "2")
    assert publication_of(TRACKS[:2]).video("l") == "1", "there is but one"
    assert publication_of(TRACKS[:1]).video("h") is None
    link = Link(
        link_id="x",
        session_id="b1",
        user_id="a",
        flow=MediaFlow.RECEIVE,
        publication=publication,
        audio_mid="4",
        video_mid="5",
        layer="l",
    )
    assert [(track.id, track.mid) for track in subscribed_tracks(link)] == [("mic", "4"), ("cam-l", "5")]


def test_the_state_is_stored_whole() -> None:
    state = settle(call_of("a", "b", "c"), RoomState(ids=IDS))
    assert RoomState.model_validate(state.model_dump(mode="json")) == state
