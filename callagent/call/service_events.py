# SPDX-License-Identifier: GPL-3.0-or-later
"""How the state machine follows the service: its events, and sessions that come and go."""

from dataclasses import replace

from callagent.call.model import (
    Call,
    Fail,
    Member,
    Notify,
    SessionOpened,
    StartMedia,
    TimerKind,
)
from callagent.call.turn import OVER_S, Turn
from callagent.protocol.enums import CallEndReason, CallRole, CallState, LoginState
from callagent.protocol.errors import ErrorCode
from callagent.protocol.events import (
    AnyEventData,
    OnCallBegin,
    OnCallEnd,
    OnCallNotConnected,
    OnCallReceived,
    OnKickedOffline,
    OnMediaPlan,
    OnMissedCall,
    OnUserAudioAvailable,
    OnUserCommands,
    OnUserJoin,
    OnUserLeave,
    OnUserLineBusy,
    OnUserNoResponse,
    OnUserPrivacy,
    OnUserReject,
    OnUserVideoAvailable,
)
from callagent.protocol.replies import CallSnapshot


def on_service_event(turn: Turn, data: AnyEventData) -> None:
    if turn.state.login not in (LoginState.ONLINE, LoginState.RECONNECTING):
        return
    if isinstance(data, OnKickedOffline):
        turn.emit(Notify(data))
        log_out(turn)
        return
    _adopt_if_ours(turn, data)
    match data:
        case OnCallReceived():
            _received(turn, data)
        case OnCallBegin():
            _begun(turn, data)
        case OnCallEnd() | OnCallNotConnected():
            _ended(turn, data)
        case OnMissedCall():
            turn.remember(data.call_id)
            turn.emit(Notify(data))
        case OnMediaPlan():
            _planned(turn, data)
        case OnUserReject() | OnUserNoResponse() | OnUserLineBusy():
            if turn.current(data.call_id):
                turn.emit(Notify(data))
        case (
            OnUserJoin()
            | OnUserLeave()
            | OnUserAudioAvailable()
            | OnUserVideoAvailable()
            | OnUserPrivacy()
            | OnUserCommands()
        ):
            _member_changed(turn, data)


def _adopt_if_ours(turn: Turn, data: AnyEventData) -> None:
    """An event may tell of the call we asked for before the reply does, or in place of a lost reply."""
    dial = turn.state.dial
    if dial is None or isinstance(data, OnKickedOffline):
        return
    held = turn.state.held
    known = turn.current(data.call_id) or (held is not None and held.call_id == data.call_id)
    if known or data.call_id in turn.state.finished:
        return
    match data:
        case OnCallBegin(info=info) | OnCallEnd(info=info) | OnCallNotConnected(info=info):
            if info.role is CallRole.CALLER:
                turn.adopt(dial, data.call_id, info.room_id, dial.params.timeout)
        case OnUserReject() | OnUserNoResponse() | OnUserLineBusy():
            turn.adopt(dial, data.call_id, dial.params.room_id or "", dial.params.timeout)


def _received(turn: Turn, invite: OnCallReceived) -> None:
    if turn.current(invite.call_id) or invite.call_id in turn.state.finished:
        return
    if turn.state.call_state is CallState.IDLE:
        turn.ring(invite)
    else:
        turn.hold(invite)


def _begun(turn: Turn, begin: OnCallBegin) -> None:
    call = turn.current(begin.call_id)
    if call is not None and (call.state is CallState.CALLING or call.accepting is not None):
        turn.connect(call, begin)
    elif call is None or call.state is CallState.RINGING:
        # Nobody here wants it, or not any more: a camera is never opened on the service's word alone.
        if call is not None:
            turn.end_here(call, CallEndReason.REJECT, tell=False)
        turn.bid_farewell(begin.call_id, "hangup")


def _ended(turn: Turn, data: OnCallEnd | OnCallNotConnected) -> None:
    call = turn.current(data.call_id)
    held = turn.state.held
    if call is not None:
        turn.end(call, data)
    elif held is not None and held.call_id == data.call_id:
        turn.drop_held()
    else:
        turn.remember(data.call_id)


def _planned(turn: Turn, plan: OnMediaPlan) -> None:
    call = turn.current(plan.call_id)
    if call is None or call.state is not CallState.CONNECTED or plan.epoch <= call.epoch:
        return
    turn.change_call(call, epoch=plan.epoch)
    turn.stop_timer(TimerKind.PLAN, plan.call_id)
    turn.emit(StartMedia(plan, turn.state.session_id), Notify(plan))


def _member_changed(
    turn: Turn,
    data: OnUserJoin
    | OnUserLeave
    | OnUserAudioAvailable
    | OnUserVideoAvailable
    | OnUserPrivacy
    | OnUserCommands,
) -> None:
    call = turn.current(data.call_id)
    if call is None or call.state is not CallState.CONNECTED:
        return
    others = tuple(member for member in call.members if member.user_id != data.user_id)
    member = call.member(data.user_id)
    match data:
        case OnUserJoin():
            joined = Member(
                data.user_id,
                data.session_id,
                data.audio_available,
                data.video_available,
                privacy=data.privacy,
                commands=tuple(data.commands),
            )
            turn.change_call(call, members=(*others, joined))
        case OnUserLeave():
            turn.change_call(call, members=others)
        case OnUserAudioAvailable() if member is not None:
            changed = replace(member, audio_available=data.is_audio_available)
            turn.change_call(call, members=(*others, changed))
        case OnUserVideoAvailable() if member is not None:
            changed = replace(member, video_available=data.is_video_available)
            turn.change_call(call, members=(*others, changed))
        case OnUserPrivacy() if member is not None:
            turn.change_call(call, members=(*others, replace(member, privacy=data.is_privacy_on)))
        case OnUserCommands() if member is not None:
            turn.change_call(call, members=(*others, replace(member, commands=tuple(data.commands))))
    turn.emit(Notify(data))


# --- sessions ---------------------------------------------------------------


def on_connection_lost(turn: Turn) -> None:
    if turn.online:
        turn.change(login=LoginState.RECONNECTING)
        if turn.state.call is not None:
            turn.watch_service()


def log_out(turn: Turn) -> None:
    """The session is gone and no other is being made: nothing of it lives on."""
    turn.change(login=LoginState.LOGGED_OUT, session_id="")
    _forget_session(turn)
    dial, call = turn.state.dial, turn.state.call
    if dial is not None:
        if not dial.cancelled:
            turn.emit(Fail(dial.api, ErrorCode.NOT_LOGGED_IN, "Logged out"))
        turn.forget_dial(dial)
    if call is not None:
        turn.end_here(call, CallEndReason.OFFLINE, tell=False)


def _forget_session(turn: Turn) -> None:
    for farewell in turn.state.farewells:
        turn.drop_farewell(farewell)
    held = turn.state.held
    if held is not None:  # not `drop_held`: a new session may ring for it
        turn.change(held=None)
        turn.stop_timer(TimerKind.RING, held.call_id)


def on_session_opened(turn: Turn, opened: SessionOpened) -> None:
    """Compare with the service's truth. All events up to it have been applied before."""
    turn.change(
        login=LoginState.ONLINE,
        session_id=opened.session_id,
        session_silence_s=opened.session_silence_s,
    )
    turn.stop_timer(TimerKind.AWAY, "")
    if not opened.resumed:
        _forget_session(turn)
    _reconcile_call(turn, opened)
    _reconcile_dial(turn, opened.call)
    for farewell in turn.state.farewells:
        turn.send_farewell(farewell)
    if opened.call is not None:
        _leave_if_unwanted(turn, opened.call)
    turn.ring_held()


def _own_status(turn: Turn, snapshot: CallSnapshot | None) -> str:
    if snapshot is None:
        return ""
    own = turn.state.own_user_id
    return next((member.status for member in snapshot.members if member.user_id == own), "connected")


def _reconcile_call(turn: Turn, opened: SessionOpened) -> None:
    call, snapshot = turn.state.call, opened.call
    if call is None:
        return
    known = snapshot is not None and snapshot.call_id == call.call_id
    rings = known and call.state is CallState.RINGING and _own_status(turn, opened.call) == "ringing"
    if not opened.resumed and not rings:
        turn.end_here(call, CallEndReason.OFFLINE, tell=False)
    elif not known:
        _await_end(turn, call)
    else:
        turn.stop_timer(TimerKind.OVER, call.call_id)
        call = turn.change_call(call, over=False)
        if rings and call.accepting is not None and not call.accepting.sent:
            call = turn.change_call(call, accepting=replace(call.accepting, sent=True))
            turn.send_accept(call)
        elif call.state is CallState.CONNECTED:
            turn.send_tracks(call)


def _await_end(turn: Turn, call: Call) -> None:
    """The service has no such call any more; the event that says why may be right behind."""
    if call.accepting is not None:
        turn.stop_timer(TimerKind.ACCEPT, call.call_id)
        if call.accepting.api is not None:
            turn.emit(Fail(call.accepting.api, ErrorCode.INVITE_HANDLED, "The call is over"))
    turn.change_call(call, accepting=None, over=True)
    turn.start_timer(TimerKind.OVER, call.call_id, OVER_S)


def _reconcile_dial(turn: Turn, snapshot: CallSnapshot | None) -> None:
    """The reply to `calls` is lost; did the call come about?"""
    dial = turn.state.dial
    if dial is None:
        return
    if (
        snapshot is not None
        and snapshot.caller_id == turn.state.own_user_id
        and snapshot.call_id not in turn.state.finished
        and turn.state.call is None
    ):
        turn.adopt(dial, snapshot.call_id, snapshot.room_id, dial.params.timeout)
        return
    if not dial.cancelled:
        turn.emit(Fail(dial.api, ErrorCode.SIGNALING_SEND_FAIL, "The connection broke; please call again"))
    turn.forget_dial(dial)


def _leave_if_unwanted(turn: Turn, snapshot: CallSnapshot) -> None:
    """The service has this session in a call that is over (or was never) here."""
    call_id = snapshot.call_id
    if turn.current(call_id) or any(known.call_id == call_id for known in turn.state.farewells):
        return
    if _own_status(turn, snapshot) != "ringing":
        turn.bid_farewell(call_id, "hangup")
    elif call_id in turn.state.finished:
        turn.bid_farewell(call_id, "reject")
