# SPDX-License-Identifier: GPL-3.0-or-later
"""The state machine under every order of inputs, nonsense included."""

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

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
    LoggedOut,
    LoginStarted,
    MediaConnected,
    MediaDead,
    MediaFirstFrame,
    MediaReceived,
    Notify,
    NotifyEnd,
    RejectAsked,
    RelayMedia,
    RenegotiateAsked,
    Replied,
    Send,
    ServiceEvent,
    SessionOpened,
    StartMedia,
    StartTimer,
    StopTimer,
    TimedOut,
    Timer,
    TimerKind,
    TracksAsked,
)
from callagent.call.state import step
from callagent.ports import PeerKey
from callagent.protocol.enums import CallEndReason, CallRole, CallState, LoginState, MediaType, Placement
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
    OnMissedCall,
    OnUserAudioAvailable,
    OnUserJoin,
    OnUserLeave,
    OnUserLineBusy,
    OnUserNoResponse,
    OnUserReject,
    OnUserVideoAvailable,
    Signal,
)
from callagent.protocol.media import MediaMessage
from callagent.protocol.replies import CallSnapshot, MemberSnapshot

OWN = "kiosk"
OTHER = "anna"
OWN_SESSION, OTHER_SESSION = "b" * 16, "a" * 16
CALL_IDS = [f"00000000-0000-4000-8000-00000000000{digit}" for digit in range(5)]

call_ids = st.sampled_from(CALL_IDS)
roles = st.sampled_from([CallRole.CALLER, CallRole.CALLED])
reasons = st.sampled_from(CallEndReason)
codes = st.sampled_from([0, 0, 0, 8010, -1203, -1202, 101001, -1401, 424242])


def info(role: CallRole) -> CallInfo:
    return CallInfo(room_id="r", role=role)


@st.composite
def service_events(draw: st.DrawFn) -> AnyEventData:
    call_id, video = draw(call_ids), MediaType.VIDEO
    members: list[AnyEventData] = [
        OnUserReject(call_id=call_id, user_id=OTHER),
        OnUserNoResponse(call_id=call_id, user_id=OTHER),
        OnUserLineBusy(call_id=call_id, user_id=OTHER),
        OnUserLeave(call_id=call_id, user_id=OTHER, reason=draw(reasons)),
        OnUserAudioAvailable(call_id=call_id, user_id=OTHER, is_audio_available=draw(st.booleans())),
        OnUserVideoAvailable(call_id=call_id, user_id=OTHER, is_video_available=draw(st.booleans())),
        OnMissedCall(call_id=call_id, caller_id=OTHER, media_type=video, reason=CallEndReason.LINE_BUSY),
        OnCallEnd(
            call_id=call_id,
            media_type=video,
            reason=draw(reasons),
            user_id=OTHER,
            total_time=1.0,
            info=info(draw(roles)),
        ),
        OnCallNotConnected(
            call_id=call_id, media_type=video, reason=draw(reasons), user_id=OTHER, info=info(draw(roles))
        ),
    ]
    # The ones that lead further into a call are drawn as often as all the others together.
    onward: list[AnyEventData] = [
        OnCallReceived(
            call_id=call_id,
            caller_id=OTHER,
            caller_name="",
            callee_id_list=[OWN],
            media_type=draw(st.sampled_from([MediaType.AUDIO, MediaType.VIDEO])),
            info=info(CallRole.CALLED),
            remaining=draw(st.sampled_from([0.0, 5.0, 30.0])),
        ),
        OnCallBegin(call_id=call_id, media_type=video, info=info(draw(roles))),
        OnUserJoin(
            call_id=call_id,
            user_id=OTHER,
            session_id=OTHER_SESSION,
            audio_available=True,
            video_available=False,
        ),
        OnMediaPlan(
            call_id=call_id,
            epoch=draw(st.integers(1, 3)),
            placement=Placement.P2P,
            peers=[MediaPeer(user_id=OTHER, session_id=OTHER_SESSION)],
        ),
    ]
    return draw(st.sampled_from(onward) | st.sampled_from(members))


@st.composite
def snapshots(draw: st.DrawFn) -> CallSnapshot:
    caller = draw(st.sampled_from([OWN, OTHER]))
    status = draw(st.sampled_from(["ringing", "connected"]))
    member = MemberSnapshot(
        user_id=OWN, session_id=None, status=status, audio_available=True, video_available=True
    )
    return CallSnapshot(
        call_id=draw(call_ids),
        media_type=MediaType.VIDEO,
        caller_id=caller,
        room_id=1,
        user_data="",
        chat_group_id="",
        members=[member],
        epoch=1,
        began_seconds_ago=None,
    )


class EngineMachine(RuleBasedStateMachine):
    """Keeps its own books from the effects alone and checks the promises against them."""

    def __init__(self) -> None:
        super().__init__()
        self.state = EngineState(own_user_id=OWN)
        self.asked: set[int] = set()
        self.answered: Counter[int] = Counter()
        self.sent: list[Send] = []
        self.unanswered: list[Send] = []
        self.timers: set[Timer] = set()
        self.media: set[str] = set()
        self.received: Counter[str] = Counter()
        self.taken_part: set[str] = set()
        self.ended: Counter[str] = Counter()

    # --- the books --------------------------------------------------------

    def apply(self, what: Input) -> None:
        over_before = set(self.ended)
        self.state, effects = step(self.state, what)
        for effect in effects:
            self.enter(effect, over_before)

    def enter(self, effect: Effect, over_before: set[str]) -> None:
        match effect:
            case Complete(api, call_id):
                self.answered[api] += 1
                if call_id:
                    self.taken_part.add(call_id)
            case Fail(api):
                self.answered[api] += 1
            case Send(kind, key):
                self.sent.append(effect)
                self.unanswered.append(effect)
                assert kind == "farewell" or key not in over_before
            case StartTimer(timer):
                self.timers.add(timer)
                assert timer.kind is TimerKind.FAREWELL or timer.key not in over_before
            case StopTimer(timer):
                self.timers.discard(timer)
            case StartMedia(plan):
                assert plan.call_id not in over_before
                self.media.add(plan.call_id)
            case RelayMedia(signal):
                assert signal.media.call_id not in over_before
            case CloseMedia(call_id):
                self.media.discard(call_id)
            case NotifyEnd(call):
                self.end(call.call_id, over_before)
            case Notify(payload):
                if isinstance(payload, OnCallEnd | OnCallNotConnected):
                    self.end(payload.call_id, over_before)
                elif isinstance(payload, OnCallReceived):
                    self.received[payload.call_id] += 1
                    self.taken_part.add(payload.call_id)
                    assert payload.call_id not in over_before, "rang after its end"
                elif not isinstance(payload, OnMissedCall):
                    assert getattr(payload, "call_id", None) not in over_before

    def end(self, call_id: str, over_before: set[str]) -> None:
        assert call_id not in over_before, "a second end"
        assert call_id in self.taken_part, "the end of a call nobody was told of"
        self.ended[call_id] += 1

    # --- inputs -----------------------------------------------------------

    def ask(self, what: CallsAsked | AcceptAsked | RejectAsked | HangupAsked | TracksAsked) -> None:
        self.asked.add(what.api)
        self.apply(what)

    @property
    def api(self) -> int:
        return len(self.asked) + 1

    @initialize(online=st.integers(0, 9))
    def log_in(self, online: int) -> None:
        if online:
            self.apply(LoginStarted())
            self.apply(SessionOpened(OWN_SESSION, False, None))

    @rule(
        user_ids=st.sampled_from([[OTHER], [OTHER], [OTHER, OTHER], [], [OWN], [OTHER, "x"], ["no good"]]),
        timeout=st.sampled_from([30, 0, 5, 601]),
        media_type=st.sampled_from([MediaType.VIDEO, MediaType.AUDIO, MediaType.UNKNOWN]),
    )
    def call_somebody(self, user_ids: list[str], timeout: int, media_type: MediaType) -> None:
        self.ask(CallsAsked(self.api, user_ids, media_type, CallParams(timeout)))

    @precondition(lambda self: self.state.call_state is CallState.IDLE)
    @rule()
    def call_properly(self) -> None:
        self.ask(CallsAsked(self.api, [OTHER], MediaType.VIDEO))

    @rule()
    def accept(self) -> None:
        self.ask(AcceptAsked(self.api))

    @rule()
    def reject(self) -> None:
        self.ask(RejectAsked(self.api))

    @rule()
    def hang_up(self) -> None:
        before = self.state.call_state
        self.ask(HangupAsked(self.api))
        if before is not CallState.IDLE:
            assert self.state.call_state in (CallState.IDLE, CallState.RINGING)  # a held invitation may ring
            assert not self.media

    @rule(audio=st.none() | st.booleans(), video=st.none() | st.booleans())
    def set_tracks(self, audio: bool | None, video: bool | None) -> None:
        self.ask(TracksAsked(self.api, audio, video))

    @rule()
    def renegotiate(self) -> None:
        self.asked.add(self.api)
        self.apply(RenegotiateAsked(len(self.asked)))

    @rule(data=service_events())
    def hear(self, data: AnyEventData) -> None:
        self.apply(ServiceEvent(data))

    @precondition(lambda self: self.state.call is not None)
    @rule(data=service_events())
    def hear_of_this_call(self, data: AnyEventData) -> None:
        assert self.state.call is not None
        assert not isinstance(data, OnKickedOffline)
        self.apply(ServiceEvent(data.model_copy(update={"call_id": self.state.call.call_id})))

    @precondition(lambda self: self.unanswered)
    @rule(code=codes, call_id=call_ids, data=st.data())
    def reply(self, code: int, call_id: str, data: st.DataObject) -> None:
        sent = data.draw(st.sampled_from(self.unanswered))
        self.unanswered.remove(sent)
        body = {"callId": call_id, "roomId": 7, "timeout": 30} if sent.kind == "calls" else {}
        self.apply(Replied(sent.kind, sent.key, code, "", None, body))

    @precondition(lambda self: self.sent)
    @rule(code=codes, call_id=call_ids, data=st.data())
    def reply_again(self, code: int, call_id: str, data: st.DataObject) -> None:
        sent = data.draw(st.sampled_from(self.sent))
        self.apply(Replied(sent.kind, sent.key, code, data={"callId": call_id, "roomId": 7, "timeout": 30}))

    @precondition(lambda self: self.timers)
    @rule(data=st.data())
    def time_out(self, data: st.DataObject) -> None:
        timer = data.draw(st.sampled_from(sorted(self.timers, key=str)))
        self.timers.discard(timer)
        self.apply(TimedOut(timer))

    @rule(kind=st.sampled_from(TimerKind), key=call_ids | st.sampled_from(["", "1", "2"]))
    def stale_time_out(self, kind: TimerKind, key: str) -> None:
        timer = Timer(kind, key)
        if timer not in self.timers:
            self.apply(TimedOut(timer))

    @rule()
    def lose_connection(self) -> None:
        self.apply(ConnectionLost())

    @precondition(lambda self: self.state.login is not LoginState.ONLINE)
    @rule(resumed=st.booleans(), snapshot=st.none() | snapshots())
    def open_session(self, resumed: bool, snapshot: CallSnapshot | None) -> None:
        self.apply(LoginStarted())
        self.apply(SessionOpened(OWN_SESSION, resumed and bool(self.state.session_id), snapshot))

    @precondition(lambda self: self.state.login is LoginState.RECONNECTING and self.state.call is not None)
    @rule(snapshot=snapshots())
    def resume_in_call(self, snapshot: CallSnapshot) -> None:
        assert self.state.call is not None
        call_id = self.state.call.call_id
        self.apply(SessionOpened(OWN_SESSION, True, snapshot.model_copy(update={"call_id": call_id})))

    @rule(kicked=st.booleans(), really=st.integers(0, 3))
    def log_out(self, kicked: bool, really: int) -> None:
        if not really:
            self.apply(ServiceEvent(OnKickedOffline(message="")) if kicked else LoggedOut())

    @rule(
        call_id=call_ids,
        epoch=st.integers(1, 3),
        what=st.sampled_from(["connected", "dead", "frame", "message"]),
    )
    def media_happens(self, call_id: str, epoch: int, what: str) -> None:
        peer = PeerKey(call_id, OTHER_SESSION, OTHER, epoch)
        message = MediaMessage(call_id=call_id, epoch=epoch, kind="offer", sdp="v=0")
        inputs: dict[str, Input] = {
            "connected": MediaConnected(peer),
            "dead": MediaDead(peer, "no packets"),
            "frame": MediaFirstFrame(peer, "video"),
            "message": MediaReceived(Signal(sender=OTHER_SESSION, media=message)),
        }
        self.apply(inputs[what])

    # --- promises ---------------------------------------------------------

    @invariant()
    def at_most_one_call(self) -> None:
        assert self.state.call is None or self.state.dial is None or self.state.dial.cancelled
        assert len(self.media) <= 1

    @invariant()
    def nothing_runs_while_idle(self) -> None:
        if self.state.call_state is CallState.IDLE:
            assert not self.media
            assert self.timers <= {
                timer for timer in self.timers if timer.kind in (TimerKind.FAREWELL, TimerKind.DIAL)
            }

    @invariant()
    def one_end_per_call(self) -> None:
        running = {self.state.call.call_id} if self.state.call else set()
        assert self.taken_part - running == set(self.ended)
        assert all(count == 1 for count in self.ended.values())
        assert all(count == 1 for count in self.received.values())

    @invariant()
    def api_calls_are_answered_once(self) -> None:
        assert all(count == 1 for count in self.answered.values())
        waiting = self.asked - set(self.answered)
        allowed = set()
        if self.state.dial is not None and not self.state.dial.cancelled:
            allowed.add(self.state.dial.api)
        if self.state.call is not None and self.state.call.accepting is not None:
            allowed.add(self.state.call.accepting.api or 0)
        assert waiting == allowed - {0}

    @invariant()
    def every_state_has_a_way_out(self) -> None:
        kinds, call = {timer.kind for timer in self.timers}, self.state.call
        if self.state.dial is not None:
            assert TimerKind.DIAL in kinds
        if self.state.held is not None:
            assert Timer(TimerKind.RING, self.state.held.call_id) in self.timers
        if self.state.login is LoginState.ONLINE and self.state.farewells:
            waited_for = {timer.key for timer in self.timers if timer.kind is TimerKind.FAREWELL}
            assert {farewell.call_id for farewell in self.state.farewells} == waited_for
        if call is None:
            return
        if self.state.login is not LoginState.ONLINE:
            assert TimerKind.AWAY in kinds
        match call.state:
            case CallState.CALLING:
                assert TimerKind.ANSWER in kinds
            case CallState.RINGING if call.accepting is not None:
                assert TimerKind.ACCEPT in kinds
            case CallState.RINGING:
                assert kinds & {TimerKind.RING, TimerKind.OVER}
            case CallState.CONNECTED:
                assert call.epoch or TimerKind.PLAN in kinds

    @invariant()
    def logged_out_means_nothing_goes_on(self) -> None:
        if self.state.login in (LoginState.LOGGED_OUT, LoginState.CONNECTING):
            assert self.state.call is None
            assert self.state.dial is None
            assert not self.state.farewells

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self.state.finished) <= 128
        assert len(self.state.farewells) <= 16

    def teardown(self) -> None:
        """However it went: time alone brings every call to its end and every request to its answer."""
        for _ in range(30):
            for timer in sorted(self.timers, key=str):
                if timer in self.timers:
                    self.timers.discard(timer)
                    self.apply(TimedOut(timer))
            if self.state.login is LoginState.RECONNECTING and self.state.call is None:
                self.apply(SessionOpened(OWN_SESSION, False, None))
        if self.state.call is not None:
            assert self.state.call.state is CallState.CONNECTED, "only a connected call may go on for ever"
            self.ask(HangupAsked(self.api))
        self.apply(LoggedOut())
        assert self.state.call_state is CallState.IDLE
        assert self.answered == Counter(self.asked)
        assert set(self.ended) == self.taken_part
        assert not self.timers
        assert not self.media


EngineMachine.TestCase.settings = settings(
    max_examples=250, stateful_step_count=40, suppress_health_check=list(HealthCheck)
)
TestEngineMachine = EngineMachine.TestCase
