# SPDX-License-Identifier: GPL-3.0-or-later
"""From the agent's status and events to what is shown."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callagent.protocol import control as api
from callagent.protocol.enums import CallEndReason, CallRole, CallState, LoginState, MediaType
from callagent.protocol.errors import ErrorCode
from callagent.screen.known import Ended, Known, failed, follow, lost, seen
from callagent.screen.notices import FAILURE_S
from callagent.screen.settings import Contact, ScreenSettings
from callagent.screen.state import ENDED_S, RING_GRACE_S, Page, Shown, show
from tests.unit.screen.agents import (
    CONNECTED,
    DIALING,
    IDLE,
    RINGING,
    call_of,
    ended,
    event,
    not_connected,
    received,
    slot,
    status,
    told,
)

SITE = ScreenSettings(contacts=(Contact("Front desk", ("reception",), "/r.png"),))
NOW = 100.0


def after(*messages: api.EventMessage, known: Known | None = None, at: float = NOW) -> Known:
    known = known or Known()
    for message in messages:
        known = follow(known, message, at)
    return known


def page(*messages: api.EventMessage, at: float = NOW, settings: ScreenSettings = SITE) -> Shown:
    return show(after(*messages), settings, at)


def keys(shown: Shown) -> list[str]:
    return [notice.key for notice in shown.notices]


def controls(shown: Shown) -> list[str]:
    return [control.name for control in shown.controls]


def test_no_agent_yet_and_an_agent_that_went() -> None:
    assert show(Known(), SITE, NOW).page is Page.STARTING
    assert keys(show(Known(), SITE, NOW)) == ["starting"]
    connected = after(told(CONNECTED))
    assert show(lost(connected), SITE, NOW).page is Page.STARTING
    # It comes back in the middle of the call.
    assert show(after(told(CONNECTED), known=lost(connected)), SITE, NOW).page is Page.CONNECTED


@pytest.mark.parametrize(
    ("said", "expected", "pressed"),
    [
        (IDLE, Page.IDLE, ["privacy"]),
        (RINGING, Page.INCOMING, ["reject", "answer"]),
        (DIALING, Page.DIALING, ["microphone", "camera", "hang_up"]),
        (
            CONNECTED,
            Page.CONNECTED,
            ["microphone", "camera", "volume_down", "volume_up", "swap", "hang_up"],
        ),
    ],
)
def test_each_page_and_what_can_be_pressed_on_it(
    said: api.StatusData, expected: Page, pressed: list[str]
) -> None:
    shown = page(told(said))
    assert shown.page is expected
    assert controls(shown) == pressed


def test_an_untouchable_screen_has_no_controls_and_hidden_ones_are_gone() -> None:
    assert page(told(CONNECTED), settings=ScreenSettings(touch=False)).controls == ()
    hidden = ScreenSettings(hidden=frozenset({"volume", "swap", "camera"}))
    assert controls(page(told(CONNECTED), settings=hidden)) == ["microphone", "hang_up"]


def test_controls_the_agent_cannot_do_are_not_offered() -> None:
    known = Known(offered=frozenset({api.INVITE_PATH, api.MEDIA_TYPE_PATH}))
    assert {"voice", "invite"} <= set(controls(show(after(told(CONNECTED), known=known), SITE, NOW)))
    assert not {"voice", "invite"} & set(controls(page(told(CONNECTED))))
    three = status(CallState.CONNECTED, call=call_of("reception", "guard", began_s=1.0))
    many = controls(show(after(told(three), known=known), SITE, NOW))
    assert "voice" not in many  # of two members only (behaviour.md)
    assert "layout" in many


def test_switches_show_how_they_stand() -> None:
    muted = status(
        CallState.CONNECTED,
        call=call_of("reception", began_s=1.0),
        slots={"microphone": slot(muted=True), "camera": slot("off")},
    )
    kinds = {control.name: control.kind for control in page(told(muted)).controls}
    assert (kinds["microphone"], kinds["camera"]) == ("off", "off")
    private = muted.model_copy(update={"privacy": api.PrivacyStatus(on=True, sources=["software"])})
    assert page(told(private)).privacy
    sound = call_of("reception", began_s=1.0, media_type=MediaType.AUDIO)
    assert "camera" not in controls(page(told(status(CallState.CONNECTED, call=sound))))


def test_who_calls() -> None:
    named = page(received("guard", "Gate 2"), told(status(CallState.RINGING, call=call_of("guard"))))
    assert [person.name for person in named.people] == ["Gate 2"]
    # What this site calls somebody counts more than what they call themselves.
    shown = page(received("reception", "R. Smith"), told(RINGING))
    assert [(person.name, person.picture) for person in shown.people] == [("Front desk", "/r.png")]
    assert [each.name for each in page(told(status(CallState.RINGING, call=call_of("x")))).people] == ["x"]


def test_ringing_that_nobody_ends_ends() -> None:
    known = after(received(remaining=10.0), told(RINGING))
    shown = show(known, SITE, NOW)
    assert shown.page is Page.INCOMING
    assert shown.until == NOW + 10 + RING_GRACE_S
    assert show(known, SITE, shown.until).page is Page.IDLE


@pytest.mark.parametrize(
    ("reason", "role", "key"),
    [
        (CallEndReason.REJECT, CallRole.CALLER, "ended_rejected"),
        (CallEndReason.LINE_BUSY, CallRole.CALLER, "ended_busy"),
        (CallEndReason.NO_RESPONSE, CallRole.CALLER, "ended_no_response"),
        (CallEndReason.CANCELED, CallRole.CALLED, "ended_missed"),
        (CallEndReason.OTHER_DEVICE_ACCEPTED, CallRole.CALLED, "ended_elsewhere"),
        (CallEndReason.UNKNOWN, CallRole.CALLER, "ended"),
    ],
)
def test_why_a_call_did_not_come_about(reason: CallEndReason, role: CallRole, key: str) -> None:
    known = after(told(DIALING), not_connected(reason, role), told(IDLE))
    shown = show(known, SITE, NOW)
    assert (shown.page, shown.ended_key) == (Page.ENDED, key)
    assert shown.until == NOW + ENDED_S
    assert show(known, SITE, NOW + ENDED_S).page is Page.IDLE


def test_how_a_call_ended() -> None:
    shown = page(told(CONNECTED), ended(), told(IDLE))
    assert (shown.ended_key, shown.ended_total_s, shown.people[0].name) == ("ended", 61.0, "Front desk")
    assert page(told(CONNECTED), ended(CallEndReason.OFFLINE), told(IDLE)).ended_key == "ended_offline"
    # The next call is not kept waiting by it, and does not end with it.
    assert page(told(CONNECTED), ended(), told(RINGING)).page is Page.INCOMING
    assert page(told(CONNECTED), ended(), told(CONNECTED), told(IDLE)).page is Page.IDLE


def test_callees_that_do_not_come() -> None:
    two = status(CallState.CALLING, call=call_of("reception", "guard", role=CallRole.CALLER))
    shown = page(told(two), event("onUserLineBusy", userId="guard"))
    assert [(each.user_id, each.outcome) for each in shown.people] == [("reception", ""), ("guard", "busy")]
    again = after(told(two), event("onUserReject", userId="guard"), told(IDLE), told(two))
    assert [each.outcome for each in show(again, SITE, NOW).people] == ["", ""]


def test_errors_a_visitor_understands() -> None:
    unplugged = status(slots={"camera": slot("absent"), "speaker": slot("failed")})
    assert keys(page(told(unplugged))) == ["camera_absent", "speaker_failed"]
    assert keys(page(told(status(login=LoginState.RECONNECTING)))) == ["no_network"]
    assert keys(page(told(status(login=LoginState.CONNECTING, uptime_s=2.0)))) == ["connecting"]
    assert keys(page(told(status(login=LoginState.CONNECTING, uptime_s=99.0)))) == ["no_network"]
    assert keys(page(told(status(login=LoginState.LOGGED_OUT)))) == ["logged_out"]
    assert not page(told(status(login=LoginState.RECONNECTING))).reachable, "nobody is invited to call now"
    assert page(told(IDLE)).reachable


def test_privacy_is_one_notice_and_no_three_faults() -> None:
    slots = {"camera": slot("absent"), "microphone": slot("absent")}
    private = status(slots=slots, privacy=api.PrivacyStatus(on=True, sources=["lever"]))
    assert keys(page(told(private))) == ["privacy_on"]
    peer = page(told(CONNECTED), event("onUserPrivacy", userId="reception", isPrivacyOn=True))
    assert [(each.key, each.who) for each in peer.notices] == [("peer_private", "reception")]
    assert peer.tiles[0].private


def test_reconnecting() -> None:
    gone = api.PeerStatus(user_id="reception", reconnecting=True)
    shown = page(told(status(CallState.CONNECTED, call=call_of(gone, began_s=3.0))))
    assert shown.reconnecting
    assert shown.tiles[0].reconnecting


def test_a_command_that_failed_is_told_for_a_while() -> None:
    known = failed(after(told(IDLE)), "call", int(ErrorCode.USER_NEVER_LOGGED_IN), NOW)
    assert keys(show(known, SITE, NOW)) == ["failed_unknown_user"]
    assert keys(show(known, SITE, NOW + FAILURE_S)) == []
    assert keys(show(failed(known, "call", 4711, NOW), SITE, NOW)) == ["failed"]


def test_weak_networks_and_voices() -> None:
    qualities = [{"userId": "lobby", "quality": 2}, {"userId": "reception", "quality": 5}]
    shown = page(told(CONNECTED), event("onUserNetworkQualityChanged", networkQualityList=qualities))
    assert keys(shown) == ["peer_network_weak"]
    known = after(told(CONNECTED), event("onUserVoiceVolumeChanged", volumeMap={"reception": 40, "lobby": 0}))
    assert [tile.speaking for tile in show(known, SITE, NOW).tiles] == [True, False]
    assert [tile.speaking for tile in show(known, SITE, NOW + 10).tiles] == [False, False]


def test_missed_calls_are_told_until_somebody_was_here() -> None:
    known = after(told(status(counters={"missed_calls": 4})))
    assert show(known, SITE, NOW).missed == 0  # those were before this screen
    known = after(told(status(counters={"missed_calls": 6})), known=known)
    assert show(known, SITE, NOW).missed == 2
    assert show(lost(known), SITE, NOW).missed == 0
    assert show(after(told(status(counters={"missed_calls": 6})), known=lost(known)), SITE, NOW).missed == 2
    assert show(seen(known), SITE, NOW).missed == 0
    restarted = after(told(status()), told(status(counters={"missed_calls": 1})), known=seen(known))
    assert show(restarted, SITE, NOW).missed == 1


@pytest.mark.parametrize(
    ("said", "hints", "key", "who"),
    [
        (IDLE, {"b": "call reception,guard"}, "hint_call", ("Front desk", "guard")),
        (RINGING, {"mute": "mute or unmute", "b": "answer"}, "hint_answer", ()),
        (CONNECTED, {"b": "hang up"}, "hint_hang_up", ()),
        (IDLE, {"b": "open the door"}, "", ()),
        (CONNECTED, {}, "", ()),
    ],
)
def test_what_the_button_does(
    said: api.StatusData, hints: dict[str, str], key: str, who: tuple[str, ...]
) -> None:
    shown = page(told(said.model_copy(update={"panel": api.PanelStatus(buttons=hints)})))
    assert (shown.hint, shown.hint_who) == (key, who)


def test_the_call_timer_goes_on_between_two_statuses() -> None:
    known = after(told(CONNECTED))
    assert show(known, SITE, NOW + 9).began_at == NOW - 75.0


# --- any order of anything -----------------------------------------------------------

HINTS = ["answer", "hang up", "call ", "call a,b", "x"]
PER_USER = ["onUserReject", "onUserLineBusy", "onUserNoResponse", "onUserLeave", "onUserPrivacy"]
VOICES, QUALITY = "onUserVoiceVolumeChanged", "onUserNetworkQualityChanged"
ANY = ["status", "onCallReceived", "onCallEnd", "onUserJoin", "slotsChanged", "new", VOICES, QUALITY]
users = st.sampled_from(["reception", "guard", "lobby", "x"])
peers = st.lists(
    st.builds(
        api.PeerStatus,
        user_id=users,
        audio_available=st.booleans(),
        video_available=st.booleans(),
        reconnecting=st.booleans(),
    ),
    max_size=4,
)
calls = st.builds(
    lambda members, media, began: call_of(*members, media_type=media, began_s=began),
    peers,
    st.sampled_from([MediaType.AUDIO, MediaType.VIDEO]),
    st.none() | st.floats(0, 1e6),
)
slots = st.dictionaries(
    st.sampled_from(["camera", "microphone", "speaker"]),
    st.builds(slot, st.sampled_from(list(api.SlotState)).map(str), muted=st.booleans()),
)
statuses = st.builds(
    status,
    st.sampled_from(list(CallState)),
    login=st.sampled_from(list(LoginState)),
    call=st.none() | calls,
    slots=slots,
    counters=st.fixed_dictionaries({"missed_calls": st.integers(0, 9)}),
    privacy=st.builds(api.PrivacyStatus, on=st.booleans()),
    panel=st.builds(
        api.PanelStatus,
        buttons=st.dictionaries(
            st.just("b"), st.sampled_from(["answer", "hang up", "call ", "call a,b", "x"])
        ),
    ),
)
reasons = st.sampled_from(list(CallEndReason))
messages = st.one_of(
    statuses.map(told),
    st.builds(received, users, st.text(max_size=9), st.floats(0, 60)),
    st.builds(ended, reasons, st.floats(0, 1e6)),
    st.builds(not_connected, reasons, st.sampled_from(list(CallRole)), users),
    st.builds(
        event,
        st.sampled_from(
            ["onUserReject", "onUserLineBusy", "onUserNoResponse", "onUserLeave", "slotsChanged"]
        ),
        userId=users,
    ),
    st.builds(
        event, st.just("onUserVoiceVolumeChanged"), volumeMap=st.dictionaries(users, st.integers(0, 100))
    ),
    # Whatever else a newer agent, or a broken one, may say.
    st.builds(
        lambda name, data: api.EventMessage(event=name, time=0, data=data),
        st.sampled_from(ANY),
        st.dictionaries(st.sampled_from(["callId", "volumeMap", "networkQualityList"]), st.text()),
    ),
)
moves = st.lists(st.tuples(st.one_of(messages, st.none(), st.just("failed")), st.floats(0, 20)), max_size=25)


def play(steps: Iterable[tuple[Any, float]]) -> tuple[Known, float]:
    known, now = Known(), NOW
    for step, pause in steps:
        now += pause
        if step is None:
            known = lost(known)
        elif step == "failed":
            known = failed(known, "answer", -1203, now)
        else:
            known = follow(known, step, now)
    return known, now


@example(59.08678905272513)  # and 5 s later, rounded, are less than 5 s apart
@given(st.floats(0, 1e7))
def test_the_end_of_a_call_is_told_up_to_its_time_whatever_the_clock_says(at: float) -> None:
    ended = Ended(at, CallEndReason.HANGUP, CallRole.CALLED, "anna", 1.0)
    known = Known(status=status(), ended=ended)
    until = show(known, SITE, at).until
    assert until is not None
    assert show(known, SITE, until).page is Page.IDLE


@given(moves)
def test_there_is_always_something_shown_with_a_way_out(steps: list[tuple[Any, float]]) -> None:
    known, now = play(steps)
    shown = show(known, SITE, now)
    pressed = set(controls(shown))
    match shown.page:
        case Page.STARTING | Page.IDLE:
            pass  # where everything ends
        case Page.INCOMING:
            assert {"answer", "reject"} <= pressed
        case Page.DIALING | Page.CONNECTED:
            assert "hang_up" in pressed
        case Page.ENDED:
            assert shown.until is not None
            assert show(known, SITE, shown.until).page is Page.IDLE
    assert len(set(shown.notices)) == len(shown.notices)
    assert (shown.page is Page.STARTING) == (known.status is None)


@given(moves, statuses)
def test_the_next_status_alone_decides_the_page(steps: list[tuple[Any, float]], last: api.StatusData) -> None:
    known, now = play(steps)
    late = now + 1000.0  # whatever was told for a while is over
    shown = show(follow(known, told(last), late), SITE, late)
    expected = {
        CallState.IDLE: {Page.IDLE},
        CallState.CALLING: {Page.DIALING},
        CallState.CONNECTED: {Page.CONNECTED},
        # A ring whose time was over long ago.
        CallState.RINGING: {Page.INCOMING, Page.IDLE},
    }
    assert shown.page in expected[last.state]
