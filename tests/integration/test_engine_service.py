# SPDX-License-Identifier: GPL-3.0-or-later
"""Call engines against the real call service: every row of docs/protocol.md's table, and what may break.

The media is of paper (it negotiates through the service, but carries nothing).
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callagent.call import peer_link
from callagent.call.model import CallParams
from callagent.call.notifications import EngineEvent, OnCommand
from callagent.ports import MediaSessionState
from callagent.protocol.enums import (
    CallEndReason,
    CallResult,
    CallRole,
    CallState,
    LoginState,
    MediaType,
    RecentCallResult,
)
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.server.accounts import DEFAULT_APP_ID
from callagent.server.calls.commands import EndByService
from tests.covers import covers
from tests.deadline import DEADLINE_S
from tests.unit.call.real_service import Device, Exchange, exchange

VIDEO = MediaType.VIDEO
CONNECTED = MediaSessionState.CONNECTED
(
    HANGUP,
    REJECT,
    NO_RESPONSE,
    OFFLINE,
    LINE_BUSY,
    CANCELED,
    ACCEPTED_ELSEWHERE,
    REJECTED_ELSEWHERE,
    BY_SERVER,
) = (
    int(CallEndReason[name])
    for name in (
        *("HANGUP", "REJECT", "NO_RESPONSE", "OFFLINE", "LINE_BUSY", "CANCELED"),
        *("OTHER_DEVICE_ACCEPTED", "OTHER_DEVICE_REJECT", "END_BY_SERVER"),
    )
)


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with exchange(tmp_path / "service.sqlite") as running:
        yield running


async def ring(caller: Device, *callees: Device, media_type: MediaType = VIDEO, timeout_s: int = 30) -> str:
    """`caller` calls the user of `callees`; every device of that user rings."""
    call_id = await caller.engine.calls([callees[0].user_id], media_type, CallParams(timeout_s))
    for callee in callees:
        await callee.until(lambda callee=callee: callee.engine.state.call_id == call_id)  # type: ignore[misc]
        assert callee.engine.state.call_state is CallState.RINGING
    return call_id


async def connect(caller: Device, callee: Device, media_type: MediaType = VIDEO) -> str:
    call_id = await ring(caller, callee, media_type=media_type)
    await callee.engine.accept()
    for side in (caller, callee):
        await side.wait("onMediaPlan")
        await side.media.wait_open(1, CONNECTED)
    return call_id


async def everybody_idle(*devices: Device) -> None:
    for device in devices:
        await device.wait_state(CallState.IDLE)
        await device.media.wait_open(0)


# --- the table ------------------------------------------------------------------


async def test_a_call_connects_and_the_other_device_stops_ringing(hall: Exchange) -> None:
    a, b, b2 = await hall.device("anna"), await hall.device("ben"), await hall.device("ben", "ben-2")
    call_id = await ring(a, b, b2)
    await b.engine.accept()
    await b2.wait("onCallNotConnected")
    for side, other in ((a, "ben"), (b, "anna")):
        await side.wait("onMediaPlan")
        await side.media.wait_open(1, CONNECTED)
        state = side.engine.state
        assert (state.call_state, state.call_id, state.peer_ids) == (CallState.CONNECTED, call_id, (other,))
        assert state.remote_audio_available
        assert state.remote_video_available
    assert a.names == ["onCallBegin", "onUserJoin", "onMediaPlan"]
    assert b.names == ["onCallReceived", "onCallBegin", "onUserJoin", "onMediaPlan"]
    assert b2.ends == [("onCallNotConnected", ACCEPTED_ELSEWHERE, "ben")]
    assert (a.engine.state.role, b.engine.state.role) == (CallRole.CALLER, CallRole.CALLED)
    roles = {a.media.sessions[0].role, b.media.sessions[0].role}
    assert roles == {"offerer", "answerer"}
    offerer = a if a.media.sessions[0].role == "offerer" else b
    other_session = offerer.media.sessions[0].peer.session_id
    assert offerer.engine.state.session_id < other_session


async def test_accept_on_two_devices_connects_one(hall: Exchange) -> None:
    a, b, b2 = await hall.device("anna"), await hall.device("ben"), await hall.device("ben", "ben-2")
    await ring(a, b, b2)
    outcomes = await asyncio.gather(b.engine.accept(), b2.engine.accept(), return_exceptions=True)
    failures = [outcome for outcome in outcomes if isinstance(outcome, CallAgentError)]
    assert [failure.code for failure in failures] == [ErrorCode.INVITE_HANDLED]
    winner, loser = (b, b2) if outcomes[0] is None else (b2, b)
    await winner.wait_state(CallState.CONNECTED)
    await loser.wait_state(CallState.IDLE)
    assert loser.ends == [("onCallNotConnected", ACCEPTED_ELSEWHERE, "ben")]
    await everybody_idle(loser)


async def test_b_rejects(hall: Exchange) -> None:
    a, b, b2 = await hall.device("anna"), await hall.device("ben"), await hall.device("ben", "ben-2")
    await ring(a, b, b2)
    await b.engine.reject()
    assert b.engine.state.call_state is CallState.IDLE
    await everybody_idle(a, b, b2)
    assert a.names == ["onUserReject", "onCallNotConnected"]
    assert a.ends == [("onCallNotConnected", REJECT, "ben")]
    assert b.ends == [("onCallNotConnected", REJECT, "ben")]
    assert b2.ends == [("onCallNotConnected", REJECTED_ELSEWHERE, "ben")]


async def test_nobody_answers(hall: Exchange) -> None:
    a, b = await hall.device("anna"), await hall.device("ben")
    await ring(a, b)
    hall.jump(30)
    await everybody_idle(a, b)
    assert a.names == ["onUserNoResponse", "onCallNotConnected"]
    assert a.ends == b.ends == [("onCallNotConnected", NO_RESPONSE, "ben")]


async def test_b_is_busy(hall: Exchange) -> None:
    a, b, c = [await hall.device(name) for name in ("anna", "ben", "carl")]
    call_id = await connect(a, b)
    await c.engine.calls(["ben"], VIDEO)
    await c.wait("onCallNotConnected")
    assert c.names == ["onUserLineBusy", "onCallNotConnected"]
    assert c.ends == [("onCallNotConnected", LINE_BUSY, "ben")]
    missed = await b.wait("onMissedCall")
    assert (missed.data["callerId"], missed.data["reason"]) == ("carl", LINE_BUSY)
    assert b.engine.state.call_id == call_id
    assert b.names.count("onCallReceived") == 1


async def test_a_cancels(hall: Exchange) -> None:
    a, b = await hall.device("anna"), await hall.device("ben")
    await ring(a, b)
    await a.engine.hangup()
    assert a.engine.state.call_state is CallState.IDLE
    await everybody_idle(a, b)
    assert a.ends == b.ends == [("onCallNotConnected", CANCELED, "anna")]


async def test_a_is_lost_while_calling(hall: Exchange) -> None:
    a, b = await hall.device("anna"), await hall.device("ben")
    await ring(a, b, timeout_s=60)
    a.wire.cut()
    await hall.until_away()
    hall.jump(30)
    await b.wait_state(CallState.IDLE)
    assert b.ends == [("onCallNotConnected", OFFLINE, "anna")]
    a.wire.join()
    a.engine.poke()
    await a.wait_state(CallState.IDLE)
    assert a.ends == [("onCallNotConnected", OFFLINE, "anna")]


@pytest.mark.parametrize("by_caller", [True, False])
async def test_a_or_b_hangs_up(hall: Exchange, by_caller: bool) -> None:
    a, b = await hall.device("anna"), await hall.device("ben")
    await connect(a, b)
    leaver = a if by_caller else b
    await leaver.engine.hangup()
    await everybody_idle(a, b)
    assert a.ends == b.ends == [("onCallEnd", HANGUP, leaver.user_id)]
    for side, role in ((a, RecentCallResult.OUTGOING), (b, RecentCallResult.INCOMING)):
        (entry,) = await side.engine.history()
        assert (entry.result, entry.call_result) == (role, CallResult.NORMAL_END)


async def test_b_is_lost_in_the_call(hall: Exchange) -> None:
    a, b = await hall.device("anna"), await hall.device("ben")
    await connect(a, b)
    b.wire.cut()
    await hall.until_away()
    hall.jump(30)
    await a.wait_state(CallState.IDLE)
    assert a.names[-2:] == ["onUserLeave", "onCallEnd"]
    assert a.ends == [("onCallEnd", OFFLINE, "ben")]
    assert b.engine.state.call_state is CallState.CONNECTED, "30 s have not passed here"
    b.wire.join()
    b.engine.poke()
    await everybody_idle(a, b)
    assert b.ends == [("onCallEnd", OFFLINE, "ben")]


async def test_a_program_that_starts_anew_leaves_its_old_call(hall: Exchange) -> None:
    a, b = await hall.device("anna"), await hall.device("ben")
    await connect(a, b)
    b.wire.cut()
    again = await hall.device("ben")
    await a.wait_state(CallState.IDLE)
    assert a.ends == [("onCallEnd", OFFLINE, "ben")]
    await again.engine.calls(["anna"], VIDEO)
    await a.until(lambda: a.engine.state.call_state is CallState.RINGING)


@pytest.mark.parametrize("begun", [True, False])
async def test_the_service_ends_it(hall: Exchange, begun: bool) -> None:
    a, b = await hall.device("anna"), await hall.device("ben")
    call_id = await (connect(a, b) if begun else ring(a, b))
    await hall.service.control.apply(DEFAULT_APP_ID, call_id, EndByService())
    await everybody_idle(a, b)
    assert a.ends == b.ends == [("onCallEnd" if begun else "onCallNotConnected", BY_SERVER, "")]


async def test_a_callee_that_comes_online_rings_for_the_remaining_time(hall: Exchange) -> None:
    a = await hall.device("anna")
    b = await hall.device("ben")
    await b.engine.close()
    await a.engine.calls(["ben"], VIDEO, CallParams(timeout=60))
    hall.clock.jump(20)
    late = await hall.device("ben", "ben-late")
    received = await late.wait("onCallReceived")
    assert 0 < received.data["remaining"] <= 40.0
    await late.engine.accept()
    await a.wait_state(CallState.CONNECTED)


async def test_glare_the_first_invitation_stands(hall: Exchange) -> None:
    a, b = await hall.device("anna"), await hall.device("ben")
    for _ in range(5):
        outcomes = await asyncio.gather(
            a.engine.calls(["ben"], VIDEO), b.engine.calls(["anna"], VIDEO), return_exceptions=True
        )
        failures = [outcome for outcome in outcomes if isinstance(outcome, CallAgentError)]
        assert [failure.code for failure in failures] == [ErrorCode.REQUEST_REFUSED]
        first, second = (a, b) if isinstance(outcomes[0], str) else (b, a)
        await second.wait_state(CallState.RINGING)
        await second.engine.accept()
        for side in (a, b):
            await side.wait_state(CallState.CONNECTED)
        await first.engine.hangup()
        await everybody_idle(a, b)
    assert len(a.ends) == len(b.ends) == 5


# --- tracks, epochs, errors -----------------------------------------------------


async def test_mute_and_camera_are_announced_and_forgotten_with_the_call(hall: Exchange) -> None:
    a, b = await hall.device("anna"), await hall.device("ben")
    await connect(a, b, MediaType.AUDIO)
    assert not a.engine.state.remote_video_available
    await b.engine.set_camera(True)
    await a.until(lambda: a.engine.state.remote_video_available)
    for on in (False, True, False):
        await b.engine.set_microphone(on)
    await a.until(
        lambda: not a.engine.state.remote_audio_available and a.names.count("onUserAudioAvailable") > 2
    )
    await a.engine.hangup()
    await everybody_idle(a, b)
    await ring(a, b)
    assert b.engine.state.microphone
    await b.engine.accept()
    await a.wait("onUserJoin", 2)
    assert a.engine.state.remote_audio_available


async def test_what_is_muted_while_ringing_is_muted_in_the_call(hall: Exchange) -> None:
    a, b = await hall.device("anna"), await hall.device("ben")
    await ring(a, b)
    await b.engine.set_camera(False)
    await b.engine.accept()
    await a.until(lambda: bool(a.engine.state.members) and not a.engine.state.remote_video_available)


async def test_dead_media_is_made_anew_on_both_sides_before_the_old_is_closed(hall: Exchange) -> None:
    a, b = await hall.device("anna"), await hall.device("ben")
    await connect(a, b)
    for side in (a, b):
        side.media.sessions[0].become(MediaSessionState.FAILED)
    for side in (a, b):
        await side.until(lambda side=side: side.engine.state.epoch == 2)  # type: ignore[misc]
        (session,) = await side.media.wait_open(1, CONNECTED)
        assert session.peer.epoch == 2
        await side.wait("onUserReconnected")
    await a.engine.renegotiate("silence")
    for side in (a, b):
        await side.wait("onMediaPlan", 3)
        (session,) = await side.media.wait_open(1, CONNECTED)
        assert session.peer.epoch == 3
    assert not a.ends


async def test_errors_of_the_service_reach_the_caller(hall: Exchange) -> None:
    a, b = await hall.device("anna"), await hall.device("ben")
    with pytest.raises(CallAgentError) as unknown:
        await a.engine.calls(["nobody"], VIDEO)
    assert unknown.value.code is ErrorCode.USER_NEVER_LOGGED_IN
    assert a.engine.state.call_state is CallState.IDLE
    users = {user.user_id: user for user in await a.engine.get_users()}
    assert users["ben"].status == "online"
    await connect(a, b)


# --- what breaks ------------------------------------------------------------------


async def test_a_cut_line_in_a_call_is_resumed_with_everything_missed(hall: Exchange) -> None:
    a, b = await hall.device("anna"), await hall.device("ben")
    await connect(a, b)
    b.wire.cut()
    await b.until(lambda: b.engine.state.login_state is LoginState.RECONNECTING)
    assert b.engine.state.call_state is CallState.CONNECTED
    assert b.media.open
    await a.engine.set_camera(False)
    await b.engine.set_microphone(False)
    b.wire.join()
    b.engine.poke()
    await b.wait("onUserVideoAvailable")
    await a.wait("onUserAudioAvailable")
    assert not a.engine.state.remote_audio_available
    b.wire.cut()
    await a.engine.hangup()
    b.wire.join()
    b.engine.poke()
    await everybody_idle(a, b)
    assert b.ends == [("onCallEnd", HANGUP, "anna")]


async def test_media_planned_while_a_side_was_away_is_made_anew_when_it_is_back(
    hall: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The side that stayed never gives up: the one that was away has to know that its plan is of the past.
    monkeypatch.setattr(peer_link, "NEGOTIATION_S", 600.0)
    a, b = await hall.device("anna"), await hall.device("ben")
    await connect(a, b)
    b.wire.cut()
    await b.until(lambda: b.engine.state.login_state is LoginState.RECONNECTING)
    await hall.until_away()
    for side in (a, b):
        side.media.sessions[0].become(MediaSessionState.FAILED)
    await a.until(lambda: a.engine.state.epoch == 2)
    b.wire.join()
    b.engine.poke()
    for side in (a, b):
        await side.until(lambda side=side: side.engine.state.epoch == 3)  # type: ignore[misc]
        (session,) = await side.media.wait_open(1, CONNECTED)
        assert session.peer.epoch == 3


@covers("code:-1401")
async def test_a_call_without_a_line_is_refused_as_such(hall: Exchange) -> None:
    a, _ = await hall.device("anna"), await hall.device("ben")
    a.wire.cut()
    await a.until(lambda: a.engine.state.login_state is LoginState.RECONNECTING)
    with pytest.raises(CallAgentError) as refused:
        await a.engine.calls(["ben"], VIDEO)
    assert refused.value.code is ErrorCode.SIGNALING_SEND_FAIL
    assert a.engine.state.call_state is CallState.IDLE


async def test_a_hangup_without_a_line_is_told_later(hall: Exchange) -> None:
    a, b = await hall.device("anna"), await hall.device("ben")
    await connect(a, b)
    b.wire.cut()
    await b.engine.hangup()
    assert b.ends == [("onCallEnd", HANGUP, "ben")]
    await b.media.wait_open(0)
    assert a.engine.state.call_state is CallState.CONNECTED
    b.wire.join()
    b.engine.poke()
    await everybody_idle(a, b)
    assert a.ends == [("onCallEnd", HANGUP, "ben")]
    await ring(b, a)
    assert len(b.ends) == 1


async def test_an_accept_on_a_broken_line_connects_when_it_is_back(hall: Exchange) -> None:
    a, b = await hall.device("anna"), await hall.device("ben")
    await ring(a, b)
    b.wire.cut()
    accepting = asyncio.create_task(b.engine.accept())
    b.wire.join()
    b.engine.poke()
    await accepting
    for side in (a, b):
        await side.wait_state(CallState.CONNECTED)
        await side.media.wait_open(1, CONNECTED)


async def test_a_restarted_service_keeps_the_call(hall: Exchange) -> None:
    a, b = await hall.device("anna"), await hall.device("ben")
    await connect(a, b)
    await hall.down()
    for side in (a, b):
        await side.until(lambda side=side: side.engine.state.service_away)  # type: ignore[misc]
        assert side.engine.state.call_state is CallState.CONNECTED
        assert side.media.open
    await hall.up()
    for side in (a, b):
        side.engine.poke()
        await side.engine.wait_online(DEADLINE_S)
        assert side.engine.state.call_state is CallState.CONNECTED
    await a.engine.hangup()
    await everybody_idle(a, b)
    assert a.ends == b.ends == [("onCallEnd", HANGUP, "anna")]
    (entry,) = await b.engine.history()
    assert entry.call_result is CallResult.NORMAL_END


async def test_a_restarted_service_ends_the_ringing_on_time(hall: Exchange) -> None:
    a, b = await hall.device("anna"), await hall.device("ben")
    await ring(a, b)
    await hall.down()
    await hall.up()
    for side in (a, b):
        side.engine.poke()
        await side.engine.wait_online(DEADLINE_S)
    assert b.engine.state.call_state is CallState.RINGING
    hall.jump(30)
    await everybody_idle(a, b)
    assert a.ends == b.ends == [("onCallNotConnected", NO_RESPONSE, "ben")]
    assert b.names.count("onCallReceived") == 1


async def test_a_service_that_refuses_the_login_does_not_end_a_call_at_once(hall: Exchange) -> None:
    a, b = await hall.device("anna"), await hall.device("ben")
    await connect(a, b)
    secret_of_old = await hall.service.accounts.secret(DEFAULT_APP_ID)
    await hall.down()
    hall.lose_memory()
    await hall.up()
    assert await hall.service.accounts.secret(DEFAULT_APP_ID) != secret_of_old
    for side in (a, b):
        side.engine.poke()
        await side.until(lambda side=side: "onError" in {event.name for event in side.events})  # type: ignore[misc]
        assert side.engine.state.call_state is CallState.CONNECTED


async def test_close_in_a_call_tells_the_other_side(hall: Exchange) -> None:
    a, b = await hall.device("anna"), await hall.device("ben")
    await connect(a, b)
    began = asyncio.get_running_loop().time()
    await b.engine.close()
    assert asyncio.get_running_loop().time() - began < 4.0
    await everybody_idle(a)
    assert a.ends == b.ends == [("onCallEnd", HANGUP, "ben")]
    (status,) = await a.engine.get_users(["ben"])
    assert status.status == "unlogined"


@covers("code:-1201")
async def test_a_kicked_device_is_told_and_stays_out(hall: Exchange) -> None:
    await hall.service.accounts.set_multi_device(DEFAULT_APP_ID, False)
    a, b = await hall.device("anna"), await hall.device("ben")
    await connect(a, b)
    await hall.device("ben", "ben-2")
    await b.wait("onKickedOffline")
    await everybody_idle(a, b)
    assert len(a.ends) == len(b.ends) == 1
    assert b.engine.state.login_state is LoginState.LOGGED_OUT
    with pytest.raises(CallAgentError) as refused:
        await b.engine.calls(["anna"], VIDEO)
    assert refused.value.code is ErrorCode.INIT_FAIL


# --- privacy and commands -----------------------------------------------------------


def audible_and_visible(device: Device) -> bool:
    state = device.engine.state
    return state.remote_audio_available and state.remote_video_available


async def test_the_privacy_switch_is_told_and_stands_over_calls(hall: Exchange) -> None:
    anna, bert = await hall.device("anna"), await hall.device("bert")
    await connect(anna, bert)
    bert.engine.set_privacy(True)
    await anna.until(lambda: anna.engine.state.members[0].privacy)
    assert not anna.engine.state.remote_audio_available
    assert not anna.engine.state.remote_video_available
    await bert.engine.set_microphone(True)
    await bert.engine.hangup()
    await everybody_idle(anna, bert)

    await connect(anna, bert)
    await anna.until(lambda: anna.engine.state.members[0].privacy)
    assert not anna.engine.state.remote_audio_available
    bert.engine.set_privacy(False)
    await anna.until(lambda: audible_and_visible(anna) and not anna.engine.state.members[0].privacy)


async def test_a_command_is_done_once_by_the_device_that_offers_it(hall: Exchange) -> None:
    anna, bert = await hall.device("anna"), await hall.device("bert")
    asked: list[OnCommand] = []
    refusal: list[CallAgentError] = []

    def obey(event: EngineEvent) -> None:
        if isinstance(event.payload, OnCommand):
            asked.append(event.payload)
            bert.engine.answer_command(event.payload, refusal[0] if refusal else None)

    bert.engine.add_observer(obey)
    call_id = await connect(anna, bert)
    with pytest.raises(CallAgentError) as error:
        await anna.engine.command("bert", "openDoor")
    assert error.value.code is ErrorCode.REQUEST_REFUSED
    assert not asked

    bert.engine.offer_commands(["openDoor"])
    await anna.until(lambda: anna.engine.state.members[0].commands == ("openDoor",))
    await anna.engine.command("bert", "openDoor")
    assert [(each.user_id, each.command.command, each.command.call_id) for each in asked] == [
        ("anna", "openDoor", call_id)
    ]
    refusal.append(CallAgentError(ErrorCode.PERMISSION_DENIED, "not for you"))
    with pytest.raises(CallAgentError, match="not for you") as error:
        await anna.engine.command("bert", "openDoor")
    assert error.value.code is ErrorCode.PERMISSION_DENIED
    with pytest.raises(CallAgentError) as error:
        await anna.engine.command("carl", "openDoor")
    assert error.value.code is ErrorCode.REQUEST_REFUSED


async def test_a_command_to_a_device_that_is_away_is_never_kept_for_later(hall: Exchange) -> None:
    anna, bert = await hall.device("anna"), await hall.device("bert")
    asked: list[OnCommand] = []

    def note(event: EngineEvent) -> None:
        if isinstance(event.payload, OnCommand):
            asked.append(event.payload)

    bert.engine.add_observer(note)
    bert.engine.offer_commands(["openDoor"])
    await connect(anna, bert)
    await anna.until(lambda: anna.engine.state.members[0].commands == ("openDoor",))
    bert.wire.cut()
    await hall.until_away()
    with pytest.raises(CallAgentError) as error:
        await anna.engine.command("bert", "openDoor")
    assert error.value.code is ErrorCode.PEER_UNREACHABLE
    bert.wire.join()
    await bert.until(lambda: bert.engine.state.login_state is LoginState.ONLINE)
    await bert.engine.set_microphone(False)
    await anna.until(lambda: not anna.engine.state.remote_audio_available)
    assert not asked
