# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of several: who is told what, where media runs, and what holds in every order of commands."""

from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from callagent.protocol.enums import CallResult, CallRole, MediaType, Placement
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.events import (
    OnCallBegin,
    OnCallEnd,
    OnCallNotConnected,
    OnCallReceived,
    OnMediaPlan,
    OnUserJoin,
    OnUserLeave,
)
from callagent.server.calls.commands import (
    Accept,
    Command,
    Hangup,
    InviteMore,
    Join,
    Reject,
    Renegotiate,
    RingTimeout,
    SessionLost,
    SessionOpened,
    SetTracks,
    SwitchMediaType,
)
from callagent.server.calls.model import ALIVE, MemberStatus
from tests.unit.server.call_world import RING_S, World

USERS = "ABCDE"


def people(media_server: bool = False) -> World:
    return World({user: [f"{user}1"] for user in USERS}, media_server=media_server)


def connected(*callees: str, sfu: bool = False, media_server: bool = False) -> World:
    """A and all of them in one call; what was told is forgotten."""
    world = people(media_server).start(callees=callees, sfu=sfu)
    for user in callees:
        world.do(Accept(user, f"{user}1", sfu))
    world.told.clear()
    return world


def invite_more(*callees: str, by: str = "A", busy: tuple[str, ...] = ()) -> InviteMore:
    return InviteMore(by, f"{by}1", callees, frozenset(busy), RING_S, by.lower())


def plans(world: World, session: str) -> list[OnMediaPlan]:
    return [data for data in world.told.get(session, []) if isinstance(data, OnMediaPlan)]


def named(plan: OnMediaPlan) -> set[str]:
    return {peer.user_id for peer in plan.peers}


def test_a_third_member_is_introduced_to_both() -> None:
    world = people().start(callees=("B", "C"))
    world.do(Accept("B", "B1"))
    world.told.clear()
    world.do(Accept("C", "C1"))
    joins = {
        session: {data.user_id for data in told if isinstance(data, OnUserJoin)}
        for session, told in world.told.items()
    }
    assert joins == {"A1": {"C"}, "B1": {"C"}, "C1": {"A", "B"}}
    for session, others in (("A1", "BC"), ("B1", "AC"), ("C1", "AB")):
        (plan,) = plans(world, session)
        assert (plan.placement, plan.epoch, named(plan)) == (Placement.MESH, 2, set(others))


def test_the_caller_leaves_and_the_call_goes_on() -> None:
    world = connected("B", "C")
    world.do(Hangup("A", "A1"))
    assert world.heard("A1") == ["onCallEnd(1,A)"]
    assert world.heard("B1") == ["onUserLeave(1,A)", "onMediaPlan()"]
    assert not world.the_call.over
    world.do(Hangup("B", "B1"))
    assert world.heard("C1")[-1] == "onCallEnd(1,B)"
    (record,) = world.records
    assert (record.caller_id, record.ended_by, record.result) == ("A", "B", CallResult.NORMAL_END)


def test_somebody_is_invited_into_a_call_of_two() -> None:
    world = connected("B")
    world.do(invite_more("C", "B", by="B"))
    (received,) = world.told["C1"]
    assert isinstance(received, OnCallReceived)
    assert (received.caller_id, received.caller_name) == ("B", "b")
    assert (received.info.role, received.callee_id_list) == (CallRole.CALLED, ["B", "C"])
    assert world.heard("A1") == world.heard("B1") == ["onUserInviting(C)"]
    assert world.the_call.ring_deadlines() == {"C": world.now + RING_S}
    world.do(Reject("C", "C1"))
    assert world.heard("A1") == ["onUserReject(C)"]
    assert not world.the_call.over


def test_who_is_invited_may_be_busy() -> None:
    world = connected("B")
    world.do(invite_more("C", busy=("C",)))
    assert world.heard("B1") == ["onUserInviting(C)", "onUserLineBusy(C)"]
    assert world.heard("C1") == ["onMissedCall(5)"]
    assert world.the_call.busy_users() == {"A", "B"}


def test_only_who_is_there_may_invite() -> None:
    world = people().start(callees=("B",))
    assert world.refusal(invite_more("C", by="B")) is ErrorCode.REQUEST_REFUSED
    world.do(invite_more("C", by="A"))
    assert world.heard("C1") == ["onCallReceived()"]


def test_the_caller_who_left_is_rung_again_as_anybody() -> None:
    world = connected("B", "C")
    world.now += 10
    world.do(Hangup("A", "A1"))
    world.told.clear()
    world.now += 5
    world.do(invite_more("A", by="B"))
    (received,) = world.told["A1"]
    assert isinstance(received, OnCallReceived)
    assert (received.caller_id, received.info.role) == ("B", CallRole.CALLED)
    world.do(Accept("A", "A1"))
    world.now += 20
    for user in "ABC":
        if not world.the_call.over:
            world.do(Hangup(user, f"{user}1"))
    (record,) = world.records
    of = {member.user_id: member for member in record.members}
    assert of["A"].total_s == 30
    assert of["A"].accepted_at == 1000.0
    assert of["C"].total_s == 35


def test_somebody_joins_with_the_camera_off() -> None:
    world = connected("B")
    world.do(SetTracks("B", "B1", audio=False, privacy=True))
    world.told.clear()
    world.do(Join("C", "C1"))
    joins = [data for data in world.told["C1"] if isinstance(data, OnUserJoin)]
    assert {(join.user_id, join.audio_available, join.privacy) for join in joins} == {
        ("A", True, False),
        ("B", False, True),
    }
    (join,) = (data for data in world.told["A1"] if isinstance(data, OnUserJoin))
    assert (join.user_id, join.audio_available, join.video_available) == ("C", True, False)
    assert world.refusal(Join("C", "C1")) is ErrorCode.REQUEST_REFUSED


def test_a_ringing_user_who_joins_answers() -> None:
    world = people()
    world.sessions["B"].append("B2")
    world.start()
    world.do(Join("B", "B2"))
    assert world.heard("B1")[-1] == "onCallNotConnected(7,B)"
    assert world.the_call.members["B"].session_id == "B2"


def test_a_video_call_of_two_becomes_one_of_audio() -> None:
    world = connected("B")
    world.do(SwitchMediaType("B", "B1", MediaType.AUDIO))
    for session, other in (("A1", "B"), ("B1", "A")):
        assert world.heard(session) == ["onCallMediaTypeChanged(B)", f"onUserVideoAvailable({other})"]
    assert world.the_call.media_type is MediaType.AUDIO
    world.do(SwitchMediaType("A", "A1", MediaType.AUDIO))
    assert not world.told
    assert world.refusal(SwitchMediaType("A", "A1", MediaType.VIDEO)) is ErrorCode.SCENE_NOT_SUPPORTED


def test_a_call_of_three_keeps_its_kind() -> None:
    refused = connected("B", "C").refusal(SwitchMediaType("A", "A1", MediaType.AUDIO))
    assert refused is ErrorCode.SCENE_NOT_SUPPORTED


def test_the_last_who_is_rung_ends_it_when_one_is_left() -> None:
    world = connected("B")
    world.do(invite_more("C"))
    world.do(Hangup("B", "B1"))
    world.told.clear()
    world.do(Reject("C", "C1"))
    assert world.heard("A1") == ["onUserReject(C)", "onCallEnd(2,C)"]


def test_a_media_server_takes_three_and_keeps_its_epoch() -> None:
    world = connected("B", sfu=True, media_server=True)
    assert world.the_call.placement is Placement.P2P
    world.do(Join("C", "C1", sfu=True))
    for session in ("A1", "B1", "C1"):
        (plan,) = plans(world, session)
        assert (plan.placement, plan.epoch, plan.peers) == (Placement.SFU, 2, [])
    world.told.clear()
    world.media_server = False
    world.do(Join("D", "D1", sfu=True))
    assert not plans(world, "A1")
    (plan,) = plans(world, "D1")
    assert (plan.placement, plan.epoch) == (Placement.SFU, 2)
    world.do(Hangup("D", "D1"))
    assert not plans(world, "A1")
    world.do(Hangup("C", "C1"))
    (plan,) = plans(world, "A1")
    assert (plan.placement, plan.epoch, named(plan)) == (Placement.P2P, 3, {"B"})


def test_one_member_that_cannot_makes_it_a_mesh() -> None:
    world = connected("B", "C", sfu=True, media_server=True)
    assert world.the_call.placement is Placement.SFU
    world.do(Join("D", "D1", sfu=False))
    (plan,) = plans(world, "A1")
    assert (plan.placement, named(plan)) == (Placement.MESH, {"B", "C", "D"})
    world.do(Hangup("D", "D1"))
    assert world.the_call.placement is Placement.SFU


def test_a_new_epoch_without_a_media_server_is_a_mesh() -> None:
    world = connected("B", "C", sfu=True, media_server=True)
    world.media_server = False
    world.do(Renegotiate("A", "A1", world.the_call.epoch))
    assert world.the_call.placement is Placement.MESH


class Party(RuleBasedStateMachine):
    """Five people, two devices each, who call, invite, join, answer and leave in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World({user: [f"{user}1", f"{user}2"] for user in USERS})
        self.seen: dict[str, int] = defaultdict(int)
        self.inside: dict[str, str] = {}
        """What each session is in by what it was told: `ringing` or `begun`."""
        self.epoch: dict[str, int] = {}

    users = st.sampled_from(USERS)
    devices = st.sampled_from("12")

    @initialize(callees=st.integers(1, 3), busy=st.sets(st.sampled_from("BCD")), server=st.booleans())
    def begin(self, callees: int, busy: set[str], server: bool) -> None:
        names = tuple("BCDE"[:callees])
        self.world.media_server = server
        self.world.start(callees=names, busy=tuple(busy & set(names)), sfu=server)
        self.look()

    @rule(user=users, device=devices, sfu=st.booleans())
    def accept(self, user: str, device: str, sfu: bool) -> None:
        self.attempt(Accept(user, user + device, sfu))

    @rule(user=users, device=devices, others=st.sets(users, min_size=1), busy=st.sets(users))
    def invite(self, user: str, device: str, others: set[str], busy: set[str]) -> None:
        there = self.world.the_call.busy_users()
        command = InviteMore(
            user, user + device, tuple(sorted(others)), frozenset(busy - there), RING_S, user.lower()
        )
        self.attempt(command)

    @rule(user=users, device=devices, sfu=st.booleans())
    def join(self, user: str, device: str, sfu: bool) -> None:
        self.attempt(Join(user, user + device, sfu))

    @rule(user=users, device=devices)
    def reject(self, user: str, device: str) -> None:
        self.attempt(Reject(user, user + device))

    @rule(user=users)
    def hang_up(self, user: str) -> None:
        member = self.world.the_call.members.get(user)
        session = member.session_id if member is not None else None
        self.attempt(Hangup(user, session or f"{user}1"))

    @rule(user=users, device=devices)
    def session_lost(self, user: str, device: str) -> None:
        self.attempt(SessionLost(user, user + device))

    @rule(user=users)
    def session_opened(self, user: str) -> None:
        session = f"{user}{len(self.world.sessions[user]) + 10}"
        self.world.sessions[user].append(session)
        self.attempt(SessionOpened(user, session))

    @rule(user=users)
    def ring_timeout(self, user: str) -> None:
        self.world.now += RING_S
        self.attempt(RingTimeout(user))

    @rule(user=users, device=devices)
    def renegotiate(self, user: str, device: str) -> None:
        self.attempt(Renegotiate(user, user + device, self.world.the_call.epoch))

    @rule(user=users, device=devices)
    def switch(self, user: str, device: str) -> None:
        self.attempt(SwitchMediaType(user, user + device, MediaType.AUDIO))

    @rule(available=st.booleans())
    def media_server(self, available: bool) -> None:
        self.world.media_server = available

    def attempt(self, command: Command) -> None:
        try:
            self.world.do(command)
        except CallAgentError:
            return
        self.look()

    def look(self) -> None:
        """Take in what was told since; each session's story must make sense by itself."""
        for session, told in self.world.told.items():
            for data in told[self.seen[session] :]:
                self.tell(session, data)
            self.seen[session] = len(told)

    def tell(self, session: str, data: object) -> None:
        now = self.inside.get(session, "caller" if session == "A1" and session not in self.inside else "")
        match data:
            case OnCallReceived():
                assert now == "", (session, now, data)
                self.inside[session] = "ringing"
            case OnCallBegin():
                assert now != "begun", (session, data)
                self.inside[session] = "begun"
            case OnCallEnd():
                assert now == "begun", (session, data)
                self.inside[session] = ""
            case OnCallNotConnected():
                assert now in ("ringing", "caller"), (session, now, data)
                self.inside[session] = ""
            case OnMediaPlan():
                assert now == "begun"
                assert data.epoch >= self.epoch.get(session, 0)
                self.epoch[session] = data.epoch
                if data.placement is not Placement.SFU:
                    # Of this moment: nothing else was told of the members meanwhile.
                    assert data.epoch == self.world.the_call.epoch
                    there = self.world.the_call.with_status(MemberStatus.CONNECTED)
                    assert named(data) | {session[0]} == {member.user_id for member in there}
            case OnUserJoin() | OnUserLeave():
                assert now == "begun" or session == "A1"
                assert data.user_id != session[0]
            case _:
                pass

    @invariant()
    def who_is_in_it_is_told_so(self) -> None:
        call = self.world.call
        if call is None:
            return
        begun = {session for session, what in self.inside.items() if what == "begun"}
        there = {member.session_id for member in call.with_status(MemberStatus.CONNECTED)}
        assert begun == there
        rung = {session[0] for session, what in self.inside.items() if what == "ringing"}
        assert rung == {member.user_id for member in call.with_status(MemberStatus.RINGING)}
        if len(there) > 1:
            assert all(self.epoch[session] == call.epoch for session in begun)
            alone = call.placement is Placement.P2P
            assert alone == (len(there) == 2)

    @invariant()
    def it_ends_when_it_should(self) -> None:
        call = self.world.call
        if call is None:
            return
        present = call.with_status(MemberStatus.CONNECTED, MemberStatus.CALLING)
        ringing = call.with_status(MemberStatus.RINGING)
        waits = len(call.with_status(MemberStatus.CONNECTED)) > 1 or bool(present and ringing)
        assert call.over is not waits
        assert len(self.world.records) == int(call.over)
        if call.over:
            assert not call.with_status(*ALIVE)
            assert not any(self.inside.values())
            (record,) = self.world.records
            for member in record.members:
                assert 0 <= member.total_s <= record.total_s + 1e-6
                assert (member.accepted_at is None) == (
                    member.total_s == 0 and not self._was_in(member.user_id)
                )

    def _was_in(self, user: str) -> bool:
        return any(
            isinstance(data, OnCallBegin)
            for session, told in self.world.told.items()
            if session[0] == user
            for data in told
        )


TestParty = Party.TestCase
TestParty.settings = settings(max_examples=150, stateful_step_count=30)
