# SPDX-License-Identifier: GPL-3.0-or-later
"""The call state machine: every row of the event table, and what holds in every order of commands."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from callagent.protocol.enums import CallEndReason, CallResult, CallRole, MediaType, Placement
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.events import (
    OnCallBegin,
    OnCallEnd,
    OnCallNotConnected,
    OnCallReceived,
    OnMediaPlan,
    OnMissedCall,
    OnUserAudioAvailable,
    OnUserJoin,
    OnUserLeave,
    OnUserVideoAvailable,
)
from callagent.server.calls import state
from callagent.server.calls.commands import (
    Accept,
    Command,
    EndByService,
    Hangup,
    Reject,
    Renegotiate,
    RingTimeout,
    SessionLost,
    SessionOpened,
    SetTracks,
)
from callagent.server.calls.model import Call, MemberStatus
from tests.unit.server.call_world import RING_S, World, invite, two


def test_ring() -> None:
    world = two().start()
    for session in ("B1", "B2"):
        (received,) = world.told[session]
        assert isinstance(received, OnCallReceived)
        assert (received.caller_id, received.caller_name, received.callee_id_list) == ("A", "Anna", ["B"])
        assert (received.remaining, received.media_type) == (RING_S, MediaType.VIDEO)
        assert (received.info.role, received.info.room_id, received.info.user_data) == (
            CallRole.CALLED,
            7,
            "door",
        )
    assert "A1" not in world.told
    assert "A2" not in world.told
    assert world.the_call.ring_deadlines() == {"B": world.now + RING_S}
    assert world.the_call.busy_users() == {"A", "B"}


def test_a_device_that_comes_online_rings_for_the_remaining_time() -> None:
    world = two().start()
    world.now += 12
    world.sessions["B"].append("B3")
    world.do(SessionOpened("B", "B3"))
    (received,) = world.told["B3"]
    assert isinstance(received, OnCallReceived)
    assert received.remaining == RING_S - 12
    world.do(SessionOpened("A", "A3"))
    assert "A3" not in world.told


def test_accept() -> None:
    world = two().start()
    world.told.clear()
    world.do(Accept("B", "B1"))
    plans = [data for data in world.told["A1"] + world.told["B1"] if isinstance(data, OnMediaPlan)]
    assert [(p.epoch, p.placement, p.peers[0].session_id) for p in plans] == [
        (1, Placement.P2P, "B1"),
        (1, Placement.P2P, "A1"),
    ]
    assert world.heard("A1") == ["onCallBegin()", "onUserJoin(B)", "onMediaPlan()"]
    assert world.heard("B1") == ["onCallBegin()", "onUserJoin(A)", "onMediaPlan()"]
    assert world.heard("B2") == ["onCallNotConnected(7,B)"]
    assert world.heard("A2") == []
    assert world.the_call.ring_deadlines() == {}


def test_reject() -> None:
    world = two().start()
    world.told.clear()
    world.do(Reject("B", "B1"))
    assert world.heard("A1") == ["onUserReject(B)", "onCallNotConnected(2,B)"]
    assert world.heard("B1") == ["onCallNotConnected(2,B)"]
    assert world.heard("B2") == ["onCallNotConnected(8,B)"]
    assert world.records[0].result is CallResult.REJECT


def test_no_answer() -> None:
    world = two().start()
    world.told.clear()
    world.now += RING_S - 0.001
    world.do(RingTimeout("B"))
    assert world.told == {}
    world.now += 0.001
    world.do(RingTimeout("B"))
    assert world.heard("A1") == ["onUserNoResponse(B)", "onCallNotConnected(3,B)"]
    assert world.heard("B1") == world.heard("B2") == ["onCallNotConnected(3,B)"]
    assert world.records[0].result is CallResult.NOT_ANSWER


def test_busy() -> None:
    world = two().start(busy=("B",))
    (missed,) = world.told["B1"]
    assert isinstance(missed, OnMissedCall)
    assert (missed.caller_id, missed.reason) == ("A", CallEndReason.LINE_BUSY)
    assert world.heard("A1") == ["onUserLineBusy(B)", "onCallNotConnected(5,B)"]
    assert world.records[0].result is CallResult.CALL_BUSY
    assert world.the_call.over


def test_a_busy_caller_is_refused() -> None:
    with pytest.raises(CallAgentError) as refused:
        state.start(invite(busy=("A",)), 0.0)
    assert refused.value.code is ErrorCode.REQUEST_REFUSED


@pytest.mark.parametrize("session", ["A1", "A2"])
def test_cancel(session: str) -> None:
    world = two().start()
    world.told.clear()
    world.do(Hangup("A", session))
    assert world.heard("A1") == ["onCallNotConnected(6,A)"]
    assert world.heard("B1") == world.heard("B2") == ["onCallNotConnected(6,A)"]
    assert world.records[0].result is CallResult.CANCEL


def test_the_caller_is_lost_while_calling() -> None:
    world = two().start()
    world.told.clear()
    world.do(SessionLost("A", "A2"))
    assert world.told == {}
    world.do(SessionLost("A", "A1"))
    assert world.heard("B1") == world.heard("B2") == ["onCallNotConnected(4,A)"]
    assert world.records[0].result is CallResult.INTERRUPT


def connected() -> World:
    world = two().start().do(Accept("B", "B1"))
    world.told.clear()
    world.now += 61.5
    return world


@pytest.mark.parametrize("who", ["A", "B"])
def test_hang_up(who: str) -> None:
    world = connected().do(Hangup(who, f"{who}1"))
    for session in ("A1", "B1"):
        (end,) = world.told[session]
        assert isinstance(end, OnCallEnd)
        assert (end.reason, end.user_id, end.total_time) == (CallEndReason.HANGUP, who, 61.5)
    (record,) = world.records
    assert (record.result, record.ended_by, record.total_s) == (CallResult.NORMAL_END, who, 61.5)
    assert [(m.user_id, m.total_s) for m in record.members] == [("A", 61.5), ("B", 61.5)]


@pytest.mark.parametrize(("who", "other"), [("A", "B"), ("B", "A")])
def test_a_side_is_lost(who: str, other: str) -> None:
    world = connected().do(SessionLost(who, f"{who}1"))
    assert world.heard(f"{other}1") == [f"onUserLeave(4,{who})", f"onCallEnd(4,{who})"]
    assert world.heard(f"{who}1") == [f"onCallEnd(4,{who})"]
    assert world.records[0].result is CallResult.INTERRUPT


def test_a_ringing_session_that_is_lost_changes_nothing() -> None:
    world = two().start()
    before = world.call
    world.do(SessionLost("B", "B1"))
    assert world.call == before


def test_the_end_by_the_service() -> None:
    ringing = two().start()
    ringing.told.clear()
    ringing.do(EndByService())
    assert ringing.heard("A1") == ringing.heard("B1") == ["onCallNotConnected(9)"]
    in_call = connected().do(EndByService())
    assert in_call.heard("A1") == in_call.heard("B1") == ["onCallEnd(9)"]
    assert in_call.records[0].result is CallResult.NORMAL_END


def test_tracks_are_announced_once_to_the_others() -> None:
    world = connected().do(SetTracks("A", "A1", audio=False, video=False))
    audio, video = world.told.pop("B1")
    assert isinstance(audio, OnUserAudioAvailable)
    assert isinstance(video, OnUserVideoAvailable)
    assert not audio.is_audio_available
    assert not video.is_video_available
    assert world.told == {}
    assert world.do(SetTracks("A", "A1", audio=False)).told == {}


def test_a_new_epoch_for_the_present_one_only() -> None:
    world = connected().do(Renegotiate("A", "A1", 1)).do(Renegotiate("B", "B1", 1))
    assert world.heard("A1") == world.heard("B1") == ["onMediaPlan()"]
    assert world.the_call.epoch == 2


def test_refusals() -> None:
    ringing = two().start()
    assert ringing.refusal(Accept("A", "A1")) is ErrorCode.REQUEST_REFUSED
    assert ringing.refusal(Accept("C", "C1")) is ErrorCode.REQUEST_REFUSED
    assert ringing.refusal(SetTracks("A", "A1", audio=False)) is ErrorCode.REQUEST_REFUSED
    assert ringing.refusal(Hangup("C", "C1")) is ErrorCode.INVITE_HANDLED
    in_call = connected()
    assert in_call.refusal(Accept("B", "B2")) is ErrorCode.INVITE_HANDLED
    assert in_call.refusal(Accept("B", "B1")) is ErrorCode.INVITE_HANDLED
    assert in_call.refusal(Reject("B", "B2")) is ErrorCode.INVITE_HANDLED
    assert in_call.refusal(SetTracks("B", "B2", audio=False)) is ErrorCode.REQUEST_REFUSED
    assert in_call.refusal(Renegotiate("B", "B2", 1)) is ErrorCode.REQUEST_REFUSED
    over = connected().do(Hangup("A", "A1"))
    for command in (Accept("B", "B1"), Reject("B", "B1"), Hangup("A", "A1")):
        assert over.refusal(command) is ErrorCode.INVITE_HANDLED
    assert over.refusal(SetTracks("A", "A1", audio=False)) is ErrorCode.REQUEST_REFUSED


def test_the_stored_form_is_the_call() -> None:
    call = connected().the_call
    assert Call.model_validate(call.model_dump(mode="json")) == call


def test_several_callees_need_no_other_machine() -> None:
    world = World({"A": ["A1"], "B": ["B1"], "C": ["C1"], "D": ["D1"]}).start(callees=("B", "C", "D"))
    world.told.clear()
    world.do(Reject("B", "B1"))
    assert world.heard("A1") == ["onUserReject(B)"]
    world.do(Accept("C", "C1"))
    world.told.clear()
    world.do(Accept("D", "D1"))
    assert world.heard("D1") == ["onCallBegin()", "onUserJoin(A)", "onUserJoin(C)", "onMediaPlan()"]
    assert world.heard("C1") == ["onUserJoin(D)", "onMediaPlan()"]
    world.told.clear()
    world.do(Hangup("A", "A1"))
    assert world.heard("C1") == ["onUserLeave(1,A)", "onMediaPlan()"]
    assert not world.the_call.over
    world.told.clear()
    world.do(Hangup("C", "C1"))
    assert world.heard("D1") == ["onCallEnd(1,C)"]
    assert world.the_call.over


@pytest.mark.parametrize(
    ("answers", "reason", "cause"),
    [
        ((Reject("B", "B1"), RingTimeout("C")), CallEndReason.NO_RESPONSE, "C"),
        ((RingTimeout("C"), Reject("B", "B1")), CallEndReason.NO_RESPONSE, "C"),
        ((Reject("C", "C1"), Reject("B", "B1")), CallEndReason.REJECT, "B"),
    ],
)
def test_mixed_causes(answers: tuple[Command, ...], reason: CallEndReason, cause: str) -> None:
    world = World({"A": ["A1"], "B": ["B1"], "C": ["C1"]}).start(callees=("B", "C"))
    for answer in answers:
        world.now += RING_S
        world.do(answer)
    end = world.told["A1"][-1]
    assert isinstance(end, OnCallNotConnected)
    assert (end.reason, end.user_id) == (reason, cause)


class AnyOrder(RuleBasedStateMachine):
    """Members with several sessions do anything at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World({})
        self.accepted: set[str] = set()
        self.over_told: dict[str, int] = {}

    @initialize(callees=st.integers(1, 3), busy=st.sets(st.sampled_from("BCD")), second=st.booleans())
    def begin(self, callees: int, busy: set[str], second: bool) -> None:
        users = "ABCD"[: callees + 1]
        self.world.sessions = {user: [f"{user}1"] + ([f"{user}2"] if second else []) for user in users}
        self.world.start(callees=tuple(users[1:]), busy=tuple(busy & set(users)))
        self.check()

    users = st.sampled_from("ABCD")
    sessions = st.sampled_from("12")

    @rule(user=users, number=sessions)
    def accept(self, user: str, number: str) -> None:
        ringing = self.status(user) is MemberStatus.RINGING
        went = self.attempt(Accept(user, user + number))
        assert went == ringing
        if went:
            assert user not in self.accepted
            self.accepted.add(user)

    @rule(user=users, number=sessions)
    def reject(self, user: str, number: str) -> None:
        ringing = self.status(user) is MemberStatus.RINGING
        assert self.attempt(Reject(user, user + number)) == ringing

    @rule(user=users, number=sessions)
    def hang_up(self, user: str, number: str) -> None:
        alive = user in self.world.the_call.busy_users()
        assert self.attempt(Hangup(user, user + number)) == alive

    @rule(user=users)
    def ring_timeout(self, user: str) -> None:
        self.attempt(RingTimeout(user))

    @rule(seconds=st.floats(0.0, 40.0))
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds

    @rule(user=users, number=sessions)
    def session_lost(self, user: str, number: str) -> None:
        self.attempt(SessionLost(user, user + number))

    @precondition(lambda self: not self.world.the_call.over)
    @rule(user=users)
    def session_opened(self, user: str) -> None:
        sessions = self.world.sessions.get(user)
        if sessions is None:
            return
        # The other rules speak for sessions 1 and 2, open or not: a new one must be none of them.
        session = f"{user}{len(sessions) + 10}"
        sessions.append(session)
        ringing = self.status(user) is MemberStatus.RINGING
        self.attempt(SessionOpened(user, session))
        assert bool(self.world.told.get(session)) == ringing

    @rule(user=users, number=sessions, audio=st.none() | st.booleans(), video=st.none() | st.booleans())
    def set_tracks(self, user: str, number: str, audio: bool | None, video: bool | None) -> None:
        self.attempt(SetTracks(user, user + number, audio, video))

    @rule(user=users, number=sessions, epoch=st.integers(0, 5))
    def renegotiate(self, user: str, number: str, epoch: int) -> None:
        before = self.world.the_call.epoch
        went = self.attempt(Renegotiate(user, user + number, epoch))
        assert self.world.the_call.epoch == before + int(went and epoch == before)

    @precondition(lambda self: len(self.world.told.get("A1", ())) > 4)
    @rule()
    def end_by_service(self) -> None:
        self.attempt(EndByService())

    def status(self, user: str) -> MemberStatus | None:
        member = self.world.the_call.members.get(user)
        return member.status if member is not None else None

    def attempt(self, command: Command) -> bool:
        over = self.world.the_call.over
        before = {session: len(told) for session, told in self.world.told.items()}
        try:
            self.world.do(command)
        except CallAgentError:
            return False
        if over:
            assert before == {session: len(told) for session, told in self.world.told.items()}
        self.check()
        return True

    def check(self) -> None:
        for session, told in self.world.told.items():
            ends = [i for i, data in enumerate(told) if isinstance(data, OnCallEnd | OnCallNotConnected)]
            assert len(ends) <= 1, (session, told)
            assert not ends or ends[0] == len(told) - 1, (session, told)
            epochs = [data.epoch for data in told if isinstance(data, OnMediaPlan)]
            assert epochs == sorted(set(epochs))
            begins = sum(isinstance(data, OnCallBegin) for data in told)
            assert begins <= 1
            if isinstance(told[-1], OnCallEnd):
                assert begins == 1
            if isinstance(told[-1], OnCallNotConnected):
                assert begins == 0
            rings = [i for i, data in enumerate(told) if isinstance(data, OnCallReceived)]
            assert rings in ([], [0])

    @invariant()
    def it_is_over_when_it_is(self) -> None:
        call = self.world.call
        if call is None:
            return
        connected = call.with_status(MemberStatus.CONNECTED)
        present = call.with_status(MemberStatus.CONNECTED, MemberStatus.CALLING)
        ringing = call.with_status(MemberStatus.RINGING)
        assert call.over == (len(connected) < 2 and not (ringing and present))
        assert len(self.world.records) == int(call.over)
        if call.over:
            assert not call.busy_users()
            self.check_the_end(call)

    def check_the_end(self, call: Call) -> None:
        for session, told in self.world.told.items():
            took_part = session == "A1" or isinstance(told[0], OnCallReceived)
            if took_part:
                assert isinstance(told[-1], OnCallEnd | OnCallNotConnected), (session, told)
        (record,) = self.world.records
        assert record.accepted_at == call.accepted_at
        answered = record.result in (CallResult.NORMAL_END, CallResult.INTERRUPT) and bool(self.accepted)
        assert answered == bool(self.accepted)
        joined = {member.user_id for member in record.members if member.accepted_at is not None}
        assert joined == (self.accepted | {"A"} if self.accepted else set())
        for data in (told[-1] for told in self.world.told.values()):
            if isinstance(data, OnCallEnd):
                assert 0 <= data.total_time <= record.total_s
        assert sum(isinstance(d, OnUserJoin) for d in self.world.told.get("A1", ())) <= len(self.accepted)
        assert sum(isinstance(d, OnUserLeave) for d in self.world.told.get("A1", ())) <= len(self.accepted)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=150, stateful_step_count=30)
