# SPDX-License-Identifier: GPL-3.0-or-later
"""The state machine, row by row of docs/protocol.md and of behaviour's table."""

from typing import Any

import pytest

from callagent.call.model import (
    AcceptAsked,
    CallParams,
    CallsAsked,
    CloseMedia,
    Complete,
    ConnectionLost,
    Effect,
    EngineState,
    Fail,
    HangupAsked,
    Input,
    LoginStarted,
    MediaConnected,
    MediaDead,
    Notify,
    NotifyEnd,
    RejectAsked,
    Replied,
    Send,
    ServiceEvent,
    SessionOpened,
    StartMedia,
    StartTimer,
    TimedOut,
    Timer,
    TimerKind,
    TracksAsked,
)
from callagent.call.state import step
from callagent.ports import PeerKey
from callagent.protocol.enums import CallEndReason, CallRole, CallState, LoginState, MediaType, Placement
from callagent.protocol.errors import ErrorCode
from callagent.protocol.events import (
    AnyEventData,
    CallInfo,
    MediaPeer,
    OnCallBegin,
    OnCallEnd,
    OnCallNotConnected,
    OnCallReceived,
    OnKickedOffline,
    OnMediaPlan,
    OnUserJoin,
    OnUserLineBusy,
)
from callagent.protocol.replies import CallSnapshot, MemberSnapshot
from callagent.protocol.requests import Accept, Hangup, Reject, SetTracks
from tests.covers import covers

OWN, ANNA = "kiosk", "anna"
OWN_SESSION, ANNA_SESSION = "b" * 16, "a" * 16
CALL, OTHER_CALL = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


class Driver:
    """Feeds inputs and keeps the effects of the last one."""

    def __init__(self, online: bool = True, **state: Any) -> None:
        self.state = EngineState(own_user_id=OWN, **state)
        self.effects: tuple[Effect, ...] = ()
        self.apis = 0
        if online:
            self.do(LoginStarted())
            self.do(SessionOpened(OWN_SESSION, False, None))

    def do(self, what: Input) -> tuple[Effect, ...]:
        self.state, self.effects = step(self.state, what)
        return self.effects

    def hear(self, data: AnyEventData) -> tuple[Effect, ...]:
        return self.do(ServiceEvent(data))

    def ask(self, kind: Any, *args: Any) -> int:
        self.apis += 1
        self.do(kind(self.apis, *args))
        return self.apis

    # what is read out of the effects

    @property
    def told(self) -> list[str]:
        return [type(effect.payload).__name__ for effect in self.effects if isinstance(effect, Notify)]

    @property
    def sent(self) -> list[Any]:
        return [effect.message for effect in self.effects if isinstance(effect, Send)]

    @property
    def local_end(self) -> tuple[CallEndReason, str]:
        (end,) = [effect for effect in self.effects if isinstance(effect, NotifyEnd)]
        return end.reason, end.user_id

    def failure(self, api: int) -> Fail:
        (failed,) = [effect for effect in self.effects if isinstance(effect, Fail) and effect.api == api]
        return failed

    def timer(self, kind: TimerKind) -> float:
        (delay,) = [
            effect.delay_s
            for effect in self.effects
            if isinstance(effect, StartTimer) and effect.timer.kind is kind
        ]
        return delay

    # the way into the states

    def calling(self) -> "Driver":
        self.ask(CallsAsked, [ANNA], MediaType.VIDEO)
        self.do(Replied("calls", "1", data={"callId": CALL, "roomId": 7, "timeout": 30}))
        return self

    def ringing(self, call_id: str = CALL, media_type: MediaType = MediaType.VIDEO) -> "Driver":
        self.hear(invite(call_id, media_type))
        return self

    def connected(self, media_type: MediaType = MediaType.VIDEO) -> "Driver":
        self.ringing(media_type=media_type)
        self.ask(AcceptAsked)
        self.do(Replied("accept", CALL))
        self.hear(begin(CallRole.CALLED, media_type))
        self.hear(joined())
        self.hear(plan(1))
        return self


def info(role: CallRole) -> CallInfo:
    return CallInfo(room_id=7, role=role)


def invite(call_id: str = CALL, media_type: MediaType = MediaType.VIDEO) -> OnCallReceived:
    return OnCallReceived(
        call_id=call_id,
        caller_id=ANNA,
        caller_name="Anna",
        callee_id_list=[OWN],
        media_type=media_type,
        info=info(CallRole.CALLED),
        remaining=30.0,
    )


def begin(role: CallRole, media_type: MediaType = MediaType.VIDEO) -> OnCallBegin:
    return OnCallBegin(call_id=CALL, media_type=media_type, info=info(role))


def joined() -> OnUserJoin:
    return OnUserJoin(
        call_id=CALL, user_id=ANNA, session_id=ANNA_SESSION, audio_available=True, video_available=True
    )


def plan(epoch: int) -> OnMediaPlan:
    peer = MediaPeer(user_id=ANNA, session_id=ANNA_SESSION)
    return OnMediaPlan(call_id=CALL, epoch=epoch, placement=Placement.P2P, peers=[peer])


def not_connected(reason: CallEndReason, call_id: str = CALL, user_id: str = ANNA) -> OnCallNotConnected:
    return OnCallNotConnected(
        call_id=call_id,
        media_type=MediaType.VIDEO,
        reason=reason,
        user_id=user_id,
        info=info(CallRole.CALLER),
    )


def ended() -> OnCallEnd:
    return OnCallEnd(
        call_id=CALL,
        media_type=MediaType.VIDEO,
        reason=CallEndReason.HANGUP,
        user_id=ANNA,
        total_time=3.0,
        info=info(CallRole.CALLED),
    )


def snapshot(status: str, call_id: str = CALL, caller: str = ANNA) -> CallSnapshot:
    me = MemberSnapshot(
        user_id=OWN, session_id=OWN_SESSION, status=status, audio_available=True, video_available=True
    )
    return CallSnapshot(
        call_id=call_id,
        media_type=MediaType.VIDEO,
        caller_id=caller,
        room_id=7,
        user_data="",
        chat_group_id="",
        members=[me],
        epoch=1,
        began_seconds_ago=1.0 if status == "connected" else None,
    )


def resumed(call: CallSnapshot | None) -> SessionOpened:
    return SessionOpened(OWN_SESSION, True, call)


# --- guards -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "args"),
    [
        (CallsAsked, ([ANNA], MediaType.VIDEO)),
        (AcceptAsked, ()),
        (RejectAsked, ()),
        (HangupAsked, ()),
        (TracksAsked, (True, None)),
    ],
)
def test_before_login_every_request_is_refused_as_such(kind: Any, args: tuple[Any, ...]) -> None:
    driver = Driver(online=False)
    assert driver.failure(driver.ask(kind, *args)).code is ErrorCode.INIT_FAIL


@pytest.mark.parametrize("kind", [AcceptAsked, RejectAsked, HangupAsked, TracksAsked])
def test_while_idle_there_is_nothing_to_do(kind: Any) -> None:
    driver = Driver()
    assert driver.failure(driver.ask(kind)).code is ErrorCode.REQUEST_REFUSED


def test_a_second_calls_is_a_repetition_then_a_wrong_state() -> None:
    driver = Driver()
    first = driver.ask(CallsAsked, [ANNA], MediaType.VIDEO)
    second = driver.ask(CallsAsked, [ANNA], MediaType.VIDEO)
    assert driver.failure(second).code is ErrorCode.REQUEST_REPEATED
    driver.do(Replied("calls", "1", data={"callId": CALL, "roomId": 7, "timeout": 30}))
    assert Complete(first, CALL) in driver.effects
    third = driver.ask(CallsAsked, [ANNA], MediaType.VIDEO)
    assert driver.failure(third).code is ErrorCode.REQUEST_REFUSED
    assert driver.state.call_state is CallState.CALLING


def test_a_second_accept_is_a_repetition() -> None:
    driver = Driver().ringing()
    driver.ask(AcceptAsked)
    assert driver.failure(driver.ask(AcceptAsked)).code is ErrorCode.REQUEST_REPEATED


@pytest.mark.parametrize(
    ("user_ids", "media_type", "params", "code", "field"),
    [
        ([], MediaType.VIDEO, CallParams(), ErrorCode.PARAM_INVALID, "userIdList"),
        ([ANNA, "a b"], MediaType.VIDEO, CallParams(), ErrorCode.PARAM_INVALID, "userIdList.1"),
        (["x" * 33], MediaType.VIDEO, CallParams(), ErrorCode.PARAM_INVALID, "userIdList.0"),
        ([OWN], MediaType.VIDEO, CallParams(), ErrorCode.PARAM_INVALID, "userIdList.0"),
        ([ANNA], MediaType.UNKNOWN, CallParams(), ErrorCode.PARAM_INVALID, "mediaType"),
        ([ANNA], MediaType.VIDEO, CallParams(timeout=9), ErrorCode.PARAM_INVALID, "timeout"),
        ([ANNA], MediaType.VIDEO, CallParams(timeout=601), ErrorCode.PARAM_INVALID, "timeout"),
        ([ANNA], MediaType.VIDEO, CallParams(room_id=0), ErrorCode.PARAM_INVALID, "roomId"),
        ([ANNA], MediaType.VIDEO, CallParams(user_data="x" * 4097), ErrorCode.PARAM_INVALID, "userData"),
        ([ANNA, "bob"], MediaType.VIDEO, CallParams(), ErrorCode.SCENE_NOT_SUPPORTED, None),
    ],
)
def test_bad_arguments_are_named(
    user_ids: list[str], media_type: MediaType, params: CallParams, code: ErrorCode, field: str | None
) -> None:
    driver = Driver()
    failed = driver.failure(driver.ask(CallsAsked, user_ids, media_type, params))
    assert (failed.code, failed.field) == (code, field)
    assert driver.sent == []


def test_duplicates_are_merged_and_timeout_zero_is_thirty() -> None:
    driver = Driver()
    driver.ask(CallsAsked, [ANNA, ANNA], MediaType.AUDIO, CallParams(timeout=0))
    (message,) = driver.sent
    assert (message.user_id_list, message.timeout) == ([ANNA], 30)


def test_out_of_reach_is_its_own_error() -> None:
    driver = Driver()
    driver.do(ConnectionLost())
    failed = driver.failure(driver.ask(CallsAsked, [ANNA], MediaType.VIDEO))
    assert failed.code is ErrorCode.SIGNALING_SEND_FAIL


# --- outgoing -----------------------------------------------------------------


def test_an_answered_call_begins_with_its_media_and_tracks() -> None:
    driver = Driver().calling()
    driver.hear(begin(CallRole.CALLER))
    assert driver.told == ["OnCallBegin"]
    assert driver.sent == [SetTracks(id=1, call_id=CALL, audio=True, video=True, privacy=False, commands=[])]
    driver.hear(joined())
    driver.hear(plan(1))
    assert StartMedia(plan(1), OWN_SESSION) in driver.effects
    assert driver.state.call_state is CallState.CONNECTED


def test_a_busy_callee_is_told_even_when_the_events_overtake_the_reply() -> None:
    driver = Driver()
    api = driver.ask(CallsAsked, [ANNA], MediaType.VIDEO)
    driver.hear(OnUserLineBusy(call_id=CALL, user_id=ANNA))
    assert Complete(api, CALL) in driver.effects
    assert driver.told == ["OnUserLineBusy"]
    driver.hear(not_connected(CallEndReason.LINE_BUSY))
    assert driver.told == ["OnCallNotConnected"]
    driver.do(Replied("calls", "1", data={"callId": CALL, "roomId": 7, "timeout": 30}))
    assert driver.effects == ()
    assert driver.state.call_state is CallState.IDLE


def test_a_hangup_before_the_reply_hangs_up_the_call_that_comes_of_it() -> None:
    driver = Driver()
    calls = driver.ask(CallsAsked, [ANNA], MediaType.VIDEO)
    hangup = driver.ask(HangupAsked)
    assert driver.failure(calls).code is ErrorCode.REQUEST_REFUSED
    assert Complete(hangup) in driver.effects
    assert driver.state.call_state is CallState.IDLE
    driver.do(Replied("calls", "1", data={"callId": CALL, "roomId": 7, "timeout": 30}))
    assert driver.sent == [Hangup(id=1, call_id=CALL)]
    assert driver.told == []


def test_a_service_that_never_answers_ends_the_calling() -> None:
    driver = Driver()
    api = driver.ask(CallsAsked, [ANNA], MediaType.VIDEO)
    driver.do(TimedOut(Timer(TimerKind.DIAL, "1")))
    assert driver.failure(api).code is ErrorCode.SIGNALING_SEND_FAIL
    driver = Driver().calling()
    assert driver.timer(TimerKind.ANSWER) == 40.0
    driver.do(TimedOut(Timer(TimerKind.ANSWER, CALL)))
    assert driver.local_end == (CallEndReason.NO_RESPONSE, ANNA)
    assert driver.sent == [Hangup(id=1, call_id=CALL)]


def test_glare_the_refused_caller_rings() -> None:
    driver = Driver()
    api = driver.ask(CallsAsked, [ANNA], MediaType.VIDEO)
    driver.hear(invite(OTHER_CALL))
    assert driver.told == []
    driver.do(Replied("calls", "1", ErrorCode.REQUEST_REFUSED, "in a call"))
    assert driver.failure(api).code is ErrorCode.REQUEST_REFUSED
    assert driver.told == ["OnCallReceived"]
    assert driver.state.call_state is CallState.RINGING


# --- incoming -----------------------------------------------------------------


def test_accept_connects_once_the_service_says_so() -> None:
    driver = Driver().ringing()
    api = driver.ask(AcceptAsked)
    assert driver.sent == [Accept(id=1, call_id=CALL)]
    driver.do(Replied("accept", CALL))
    assert Complete(api) in driver.effects
    assert driver.told == []
    driver.hear(begin(CallRole.CALLED))
    assert driver.state.call_state is CallState.CONNECTED


def test_a_lost_race_fails_the_accept_and_the_event_says_why() -> None:
    driver = Driver().ringing()
    api = driver.ask(AcceptAsked)
    driver.do(Replied("accept", CALL, ErrorCode.INVITE_HANDLED))
    assert driver.failure(api).code is ErrorCode.INVITE_HANDLED
    assert driver.timer(TimerKind.OVER) <= 2.0
    driver.hear(not_connected(CallEndReason.OTHER_DEVICE_ACCEPTED, user_id=OWN))
    assert driver.told == ["OnCallNotConnected"]


def test_an_accept_that_crosses_the_cancel_fails_with_it() -> None:
    driver = Driver().ringing()
    api = driver.ask(AcceptAsked)
    driver.hear(not_connected(CallEndReason.CANCELED))
    assert driver.failure(api).code is ErrorCode.INVITE_HANDLED
    driver.do(Replied("accept", CALL, ErrorCode.INVITE_HANDLED))
    assert driver.effects == ()


def test_accept_without_an_answer_is_out_after_five_seconds() -> None:
    driver = Driver().ringing()
    api = driver.ask(AcceptAsked)
    assert driver.timer(TimerKind.ACCEPT) == 5.0
    driver.do(TimedOut(Timer(TimerKind.ACCEPT, CALL)))
    assert driver.failure(api).code is ErrorCode.SIGNALING_SEND_FAIL
    assert driver.local_end == (CallEndReason.OFFLINE, OWN)
    assert driver.sent == [Reject(id=1, call_id=CALL)], "another device of this user may have answered"
    driver.hear(begin(CallRole.CALLED))
    assert driver.state.call_state is CallState.IDLE
    assert driver.sent == [Hangup(id=1, call_id=CALL)], "it was this one that answered"


def test_nobody_connects_a_kiosk_that_did_not_accept() -> None:
    driver = Driver().ringing()
    driver.hear(begin(CallRole.CALLED))
    assert driver.state.call_state is CallState.IDLE
    assert driver.sent == [Hangup(id=1, call_id=CALL)]


def test_a_rejected_or_cancelled_invitation_never_rings_again() -> None:
    driver = Driver().ringing()
    driver.ask(RejectAsked)
    assert driver.local_end == (CallEndReason.REJECT, OWN)
    assert driver.sent == [Reject(id=1, call_id=CALL)]
    driver.hear(not_connected(CallEndReason.REJECT, user_id=OWN))
    assert driver.told == []
    driver.hear(invite())
    assert driver.told == []
    driver.hear(not_connected(CallEndReason.CANCELED, OTHER_CALL))
    driver.hear(invite(OTHER_CALL))
    assert driver.told == []


def test_a_rejection_outlives_a_lost_connection() -> None:
    driver = Driver().ringing()
    driver.do(ConnectionLost())
    driver.ask(RejectAsked)
    assert driver.state.call_state is CallState.IDLE
    assert driver.sent == []
    driver.do(resumed(snapshot("ringing")))
    assert driver.sent == [Reject(id=1, call_id=CALL)]
    driver.do(Replied("farewell", CALL))
    assert driver.state.farewells == ()


# --- in a call ----------------------------------------------------------------


def test_hangup_is_immediate_and_retried_until_the_service_knows() -> None:
    driver = Driver().connected()
    driver.ask(HangupAsked)
    kinds = [type(effect) for effect in driver.effects]
    assert kinds.index(CloseMedia) < kinds.index(NotifyEnd)
    assert driver.local_end == (CallEndReason.HANGUP, OWN)
    assert driver.sent == [Hangup(id=1, call_id=CALL)]
    driver.do(Replied("farewell", CALL, ErrorCode.SERVER_INTERNAL))
    driver.do(TimedOut(Timer(TimerKind.FAREWELL, CALL)))
    assert driver.sent == [Hangup(id=1, call_id=CALL)]
    driver.do(Replied("farewell", CALL, ErrorCode.SIGNALING_SEND_FAIL))
    driver.do(ConnectionLost())
    driver.do(resumed(snapshot("connected")))
    assert driver.sent == [Hangup(id=1, call_id=CALL)]
    driver.hear(ended())
    assert driver.told == []
    driver.do(Replied("farewell", CALL, ErrorCode.INVITE_HANDLED))
    assert driver.state.farewells == ()


def test_a_call_survives_a_lost_connection() -> None:
    driver = Driver().connected()
    driver.do(ConnectionLost())
    assert driver.timer(TimerKind.AWAY) == 30.0
    assert driver.state.call_state is CallState.CONNECTED
    driver.ask(TracksAsked, False, None)
    assert driver.sent == []
    driver.do(resumed(snapshot("connected")))
    assert driver.sent == [SetTracks(id=1, call_id=CALL, audio=False, video=True, privacy=False, commands=[])]
    assert driver.state.call_state is CallState.CONNECTED


def test_a_call_of_a_lost_session_ends_here() -> None:
    driver = Driver().connected()
    driver.do(ConnectionLost())
    driver.do(SessionOpened("c" * 16, False, None))
    assert driver.local_end == (CallEndReason.OFFLINE, OWN)
    assert CloseMedia(CALL) in driver.effects
    driver.hear(ended())
    assert driver.told == []


@pytest.mark.parametrize("call", [None, snapshot("connected", OTHER_CALL)])
def test_a_call_that_ended_meanwhile_waits_for_its_reason(call: CallSnapshot | None) -> None:
    driver = Driver().connected()
    driver.do(ConnectionLost())
    driver.do(resumed(call))
    assert driver.timer(TimerKind.OVER) <= 2.0
    driver.hear(ended())
    assert driver.told == ["OnCallEnd"]
    assert driver.state.call_state is CallState.IDLE


def test_a_call_that_ended_meanwhile_without_a_reason_ends_here() -> None:
    driver = Driver().connected()
    driver.do(ConnectionLost())
    driver.do(resumed(None))
    driver.do(TimedOut(Timer(TimerKind.OVER, CALL)))
    assert driver.local_end == (CallEndReason.OFFLINE, OWN)
    assert CloseMedia(CALL) in driver.effects
    driver.hear(ended())
    assert driver.told == []


def test_a_service_that_stays_away_ends_the_call() -> None:
    driver = Driver().connected()
    driver.do(ConnectionLost())
    driver.do(TimedOut(Timer(TimerKind.AWAY)))
    assert driver.local_end == (CallEndReason.OFFLINE, OWN)
    assert driver.state.login is LoginState.RECONNECTING


def test_without_a_media_plan_the_call_ends() -> None:
    driver = Driver().calling()
    driver.hear(begin(CallRole.CALLER))
    assert driver.timer(TimerKind.PLAN) == 10.0
    driver.do(TimedOut(Timer(TimerKind.PLAN, CALL)))
    assert driver.told == ["OnError"]
    assert driver.local_end == (CallEndReason.HANGUP, OWN)


@covers("event:onUserReconnecting")
def test_dead_media_asks_for_a_new_epoch_and_says_so_once() -> None:
    driver = Driver().connected()
    old, new = (PeerKey(CALL, ANNA_SESSION, ANNA, epoch) for epoch in (1, 2))
    driver.do(MediaDead(old, "no packets"))
    assert driver.told == ["OnUserReconnecting"]
    assert [message.epoch for message in driver.sent] == [1]
    driver.do(MediaDead(old, "no packets"))
    assert driver.told == []
    driver.hear(plan(2))
    driver.do(MediaConnected(old))
    assert driver.told == []
    driver.do(MediaConnected(new))
    assert driver.told == ["OnUserReconnected"]


def test_settings_of_a_call_end_with_it() -> None:
    driver = Driver().connected()
    driver.ask(TracksAsked, False, False)
    driver.hear(ended())
    driver.ringing(OTHER_CALL)
    assert driver.state.call is not None
    assert (driver.state.call.audio, driver.state.call.video) == (True, True)


def test_an_audio_call_starts_without_the_camera_and_may_switch_it_on() -> None:
    driver = Driver().connected(MediaType.AUDIO)
    assert driver.state.call is not None
    assert not driver.state.call.video
    driver.ask(TracksAsked, None, True)
    assert driver.sent == [SetTracks(id=1, call_id=CALL, audio=True, video=True, privacy=False, commands=[])]


# --- sessions -----------------------------------------------------------------


def test_an_accept_lost_with_the_connection_is_sent_again() -> None:
    driver = Driver().ringing()
    driver.ask(AcceptAsked)
    driver.do(ConnectionLost())
    driver.do(Replied("accept", CALL, ErrorCode.SIGNALING_SEND_FAIL))
    driver.do(resumed(snapshot("ringing")))
    assert driver.sent == [Accept(id=1, call_id=CALL)]


def test_a_dial_whose_reply_was_lost_is_found_again() -> None:
    driver = Driver()
    api = driver.ask(CallsAsked, [ANNA], MediaType.VIDEO)
    driver.do(ConnectionLost())
    driver.do(Replied("calls", "1", ErrorCode.SIGNALING_SEND_FAIL))
    driver.do(resumed(snapshot("connected", caller=OWN)))
    assert Complete(api, CALL) in driver.effects
    assert driver.state.call_state is CallState.CALLING


def test_a_dial_that_never_arrived_fails() -> None:
    driver = Driver()
    api = driver.ask(CallsAsked, [ANNA], MediaType.VIDEO)
    driver.do(ConnectionLost())
    driver.do(resumed(None))
    assert driver.failure(api).code is ErrorCode.SIGNALING_SEND_FAIL
    assert driver.state.call_state is CallState.IDLE


def test_ringing_goes_on_in_a_new_session_that_still_rings() -> None:
    driver = Driver().ringing()
    driver.do(ConnectionLost())
    driver.do(SessionOpened("c" * 16, False, snapshot("ringing")))
    assert driver.told == []
    driver.hear(invite())
    assert driver.told == []
    assert driver.state.call_state is CallState.RINGING


def test_the_service_is_told_to_forget_a_call_nobody_knows_here() -> None:
    driver = Driver()
    driver.do(ConnectionLost())
    driver.do(resumed(snapshot("connected")))
    assert driver.sent == [Hangup(id=1, call_id=CALL)]


def test_kicked_ends_everything() -> None:
    driver = Driver().connected()
    driver.hear(OnKickedOffline(message="another login"))
    assert driver.told == ["OnKickedOffline"]
    assert driver.local_end == (CallEndReason.OFFLINE, OWN)
    assert driver.state.login is LoginState.LOGGED_OUT
    driver.ringing(OTHER_CALL)
    assert driver.told == []
