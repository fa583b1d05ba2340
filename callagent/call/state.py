# SPDX-License-Identifier: GPL-3.0-or-later
"""The call state machine of one engine: `(state, input) -> (state, effects)`, pure.

`idle -> calling | ringing -> connected -> idle`, with the login state beside it.
The service is the authority; this copy follows its events, except that `hangup`
and `reject` take effect here at once and are told to the service until it knows.
"""

from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from callagent.call.checks import checked_calls, known_code
from callagent.call.model import (
    AcceptAsked,
    Accepting,
    CallsAsked,
    Complete,
    ConnectionLost,
    Dial,
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
    Member,
    Notify,
    RejectAsked,
    RelayMedia,
    RenegotiateAsked,
    Replied,
    Send,
    ServiceEvent,
    SessionOpened,
    SideChanged,
    TimedOut,
    TimerKind,
    TracksAsked,
)
from callagent.call.notifications import OnError, OnFirstFrame, OnUserReconnected, OnUserReconnecting
from callagent.call.service_events import log_out, on_connection_lost, on_service_event, on_session_opened
from callagent.call.turn import ACCEPT_S, DIAL_S, OVER_S, PLAN_S, RETRY_S, TRACKS_RETRY_S, Turn
from callagent.protocol.enums import CallEndReason, CallState, LoginState, MediaType
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.replies import CallsData
from callagent.protocol.requests import Renegotiate

_TRY_AGAIN = (ErrorCode.SIGNALING_SEND_FAIL, ErrorCode.SERVER_INTERNAL, ErrorCode.REQUEST_REPEATED)
_OVER_CODES = (ErrorCode.INVITE_HANDLED, ErrorCode.REQUEST_REFUSED, ErrorCode.CALL_NOT_EXIST)


def step(state: EngineState, what: Input) -> tuple[EngineState, tuple[Effect, ...]]:
    """Apply one input. Never raises; what does not fit the state changes nothing."""
    turn = Turn(state)
    match what:
        case CallsAsked():
            _calls(turn, what)
        case AcceptAsked(api):
            _accept(turn, api)
        case RejectAsked(api):
            _reject(turn, api)
        case HangupAsked(api):
            _hangup(turn, api)
        case TracksAsked():
            _set_tracks(turn, what)
        case SideChanged():
            _change_side(turn, what)
        case RenegotiateAsked(api, reason):
            _renegotiate(turn, api, reason)
        case Replied():
            _REPLIES[what.kind](turn, what)
        case ServiceEvent(data):
            on_service_event(turn, data)
        case TimedOut(timer):
            _timed_out(turn, timer.kind, timer.key)
        case LoginStarted():
            if state.login is LoginState.LOGGED_OUT:
                turn.change(login=LoginState.CONNECTING)
        case SessionOpened():
            on_session_opened(turn, what)
        case ConnectionLost():
            on_connection_lost(turn)
        case LoggedOut():
            log_out(turn)
        case MediaReceived() | MediaConnected() | MediaFirstFrame() | MediaDead():
            _media(turn, what)
    return turn.state, tuple(turn.effects)


# --- the application asks ---------------------------------------------------


def _not_logged_in(turn: Turn, api: int) -> bool:
    if turn.state.login in (LoginState.ONLINE, LoginState.RECONNECTING):
        return False
    turn.emit(Fail(api, ErrorCode.INIT_FAIL, "Not logged in to the call service yet"))
    return True


def _refuse(turn: Turn, api: int, message: str) -> None:
    turn.emit(Fail(api, ErrorCode.REQUEST_REFUSED, message))


def _calls(turn: Turn, asked: CallsAsked) -> None:
    state = turn.state
    if _not_logged_in(turn, asked.api):
        return
    if state.dial is not None:
        turn.emit(Fail(asked.api, ErrorCode.REQUEST_REPEATED, "The last call is still being set up"))
        return
    if state.call is not None:
        _refuse(turn, asked.api, "There is a call already")
        return
    try:
        message = checked_calls(asked, state.own_user_id)
    except CallAgentError as error:
        turn.emit(Fail(asked.api, error.code, error.message, error.field))
        return
    if not turn.online:
        turn.emit(
            Fail(asked.api, ErrorCode.SIGNALING_SEND_FAIL, "The call service is out of reach at the moment")
        )
        return
    number = state.dials + 1
    dial = Dial(
        number=number,
        api=asked.api,
        callee_ids=tuple(message.user_id_list),
        media_type=message.media_type,
        params=replace(asked.params, timeout=message.timeout),
        audio=state.microphone_default,
        video=state.camera_default and message.media_type is MediaType.VIDEO,
    )
    turn.change(dial=dial, dials=number)
    turn.emit(Send("calls", str(number), message))
    turn.start_timer(TimerKind.DIAL, str(number), DIAL_S)


def _accept(turn: Turn, api: int) -> None:
    if _not_logged_in(turn, api):
        return
    call = turn.state.call
    if call is None or call.state is not CallState.RINGING:
        _refuse(turn, api, "Nobody is calling")
    elif call.accepting is not None:
        turn.emit(Fail(api, ErrorCode.REQUEST_REPEATED, "The call is being accepted already"))
    elif call.over:
        turn.emit(Fail(api, ErrorCode.INVITE_HANDLED, "The call is over or answered elsewhere"))
    else:
        call = turn.change_call(call, accepting=Accepting(api, sent=turn.online))
        turn.start_timer(TimerKind.ACCEPT, call.call_id, ACCEPT_S)
        if turn.online:
            turn.send_accept(call)


def _reject(turn: Turn, api: int) -> None:
    if _not_logged_in(turn, api):
        return
    call = turn.state.call
    if call is None or call.state is not CallState.RINGING:
        _refuse(turn, api, "Nobody is calling")
        return
    turn.emit(Complete(api))
    turn.end_here(call, CallEndReason.REJECT)


_HANGUP_REASONS = {
    CallState.CALLING: CallEndReason.CANCELED,
    CallState.RINGING: CallEndReason.REJECT,
    CallState.CONNECTED: CallEndReason.HANGUP,
}


def _hangup(turn: Turn, api: int) -> None:
    state = turn.state
    if state.dial is not None and not state.dial.cancelled:
        turn.emit(Complete(api))
        turn.give_up_dial(state.dial, ErrorCode.REQUEST_REFUSED, "Hung up before the service answered")
    elif state.call is not None:
        turn.emit(Complete(api))
        turn.end_here(state.call, _HANGUP_REASONS[state.call.state])
    elif not _not_logged_in(turn, api):
        _refuse(turn, api, "There is no call to hang up")


def _set_tracks(turn: Turn, asked: TracksAsked) -> None:
    if _not_logged_in(turn, asked.api):
        return
    changes: dict[str, Any] = {
        name: value for name, value in (("audio", asked.audio), ("video", asked.video)) if value is not None
    }
    state = turn.state
    if state.dial is not None and not state.dial.cancelled:
        turn.change(dial=replace(state.dial, **changes))
    elif state.call is not None:
        call = turn.change_call(state.call, **changes)
        if call.state is CallState.CONNECTED:
            turn.send_tracks(call)
    else:
        _refuse(turn, asked.api, "There is no call")
        return
    turn.emit(Complete(asked.api))


def _change_side(turn: Turn, changed: SideChanged) -> None:
    state = turn.state
    if changed.privacy is not None:
        turn.change(privacy=changed.privacy)
    if changed.commands is not None:
        turn.change(commands=changed.commands)
    call = turn.state.call
    if turn.state != state and call is not None and call.state is CallState.CONNECTED:
        turn.send_tracks(call)


def _renegotiate(turn: Turn, api: int, reason: str) -> None:
    if _not_logged_in(turn, api):
        return
    call = turn.state.call
    if call is None or call.epoch == 0:
        _refuse(turn, api, "There is no call with media")
        return
    turn.emit(Complete(api))
    _ask_for_epoch(turn, call.call_id, call.epoch, reason)


def _ask_for_epoch(turn: Turn, call_id: str, epoch: int, reason: str) -> None:
    if turn.online:
        message = Renegotiate(id=1, call_id=call_id, epoch=epoch, reason=reason[:500])
        turn.emit(Send("renegotiate", call_id, message))


# --- the service replies ----------------------------------------------------


def _calls_replied(turn: Turn, reply: Replied) -> None:
    dial = turn.state.dial
    code, message, field = reply.code, reply.message, reply.field
    data = None
    if code == ErrorCode.OK:
        try:
            data = CallsData.model_validate(reply.data)
        except ValidationError:
            code, message, field = ErrorCode.SERVER_INTERNAL, "The service's reply is malformed", None
    if dial is None or str(dial.number) != reply.key:
        # An event told us of the call before, or we stopped waiting: then nobody wants it.
        if data is not None and not turn.current(data.call_id) and data.call_id not in turn.state.finished:
            turn.bid_farewell(data.call_id, "hangup")
    elif data is not None:
        if data.call_id in turn.state.finished:
            if not dial.cancelled:
                turn.emit(Fail(dial.api, ErrorCode.INVITE_HANDLED, "The call is over already"))
            turn.forget_dial(dial)
        else:
            turn.adopt(dial, data.call_id, data.room_id, data.timeout)
    elif code != ErrorCode.SIGNALING_SEND_FAIL:
        if not dial.cancelled:
            turn.emit(Fail(dial.api, known_code(code), message, field))
        turn.forget_dial(dial)
    # Out of reach: the session's resume will tell whether the call came about.


def _accept_replied(turn: Turn, reply: Replied) -> None:
    call = turn.current(reply.key)
    if call is None or call.accepting is None:
        return
    accepting = call.accepting
    if reply.code == ErrorCode.SIGNALING_SEND_FAIL:
        turn.change_call(call, accepting=replace(accepting, sent=False))
    elif reply.code == ErrorCode.OK:
        turn.change_call(call, accepting=replace(accepting, api=None))
        if accepting.api is not None:
            turn.emit(Complete(accepting.api))
    else:
        over = reply.code in _OVER_CODES
        turn.change_call(call, accepting=None, over=over)
        turn.stop_timer(TimerKind.ACCEPT, call.call_id)
        if accepting.api is not None:
            turn.emit(Fail(accepting.api, known_code(reply.code), reply.message, reply.field))
        if over:
            turn.start_timer(TimerKind.OVER, call.call_id, OVER_S)


def _farewell_replied(turn: Turn, reply: Replied) -> None:
    farewell = next((known for known in turn.state.farewells if known.call_id == reply.key), None)
    if farewell is None:
        return
    if reply.code == ErrorCode.SIGNALING_SEND_FAIL or reply.code == ErrorCode.SERVER_INTERNAL:
        turn.start_timer(TimerKind.FAREWELL, farewell.call_id, RETRY_S)
    elif reply.code == ErrorCode.REQUEST_REFUSED and farewell.kind == "reject":
        turn.bid_farewell(farewell.call_id, "hangup")
    else:
        turn.drop_farewell(farewell)


def _tracks_replied(turn: Turn, reply: Replied) -> None:
    call = turn.current(reply.key)
    if call is not None and call.state is CallState.CONNECTED and reply.code in _TRY_AGAIN:
        turn.start_timer(TimerKind.TRACKS, call.call_id, TRACKS_RETRY_S)


def _renegotiate_replied(turn: Turn, reply: Replied) -> None:
    """Nothing to do: a new media plan comes, or the media peers ask again."""


_REPLIES = {
    "calls": _calls_replied,
    "accept": _accept_replied,
    "farewell": _farewell_replied,
    "tracks": _tracks_replied,
    "renegotiate": _renegotiate_replied,
}

# --- time passes ------------------------------------------------------------


def _timed_out(turn: Turn, kind: TimerKind, key: str) -> None:
    state = turn.state
    call = state.call
    if kind is TimerKind.DIAL:
        if state.dial is not None and str(state.dial.number) == key:
            if state.dial.cancelled:
                turn.forget_dial(state.dial)
            else:
                turn.give_up_dial(
                    state.dial, ErrorCode.SIGNALING_SEND_FAIL, "The call service does not answer"
                )
    elif kind is TimerKind.FAREWELL:
        for farewell in state.farewells:
            if farewell.call_id == key:
                turn.send_farewell(farewell)
    elif kind is TimerKind.RING and state.held is not None and state.held.call_id == key:
        turn.drop_held()
    elif kind is TimerKind.AWAY:
        if call is not None and not turn.online:
            turn.end_here(call, CallEndReason.OFFLINE)
    elif call is not None and call.call_id == key:
        _call_timed_out(turn, kind)


def _call_timed_out(turn: Turn, kind: TimerKind) -> None:
    call = turn.state.call
    assert call is not None
    ringing = call.state is CallState.RINGING
    if kind is TimerKind.ANSWER and call.state is CallState.CALLING:
        turn.end_here(call, CallEndReason.NO_RESPONSE, user_id=call.callee_ids[0])
    elif kind is TimerKind.RING and ringing and call.accepting is None:
        turn.end_here(call, CallEndReason.NO_RESPONSE)
    elif kind is TimerKind.ACCEPT and ringing and call.accepting is not None:
        if call.accepting.api is not None:
            turn.emit(
                Fail(call.accepting.api, ErrorCode.SIGNALING_SEND_FAIL, "The call service does not answer")
            )
            # The API call is answered; whether the service heard of it is not known.
            call = turn.change_call(call, accepting=None)
        turn.end_here(call, CallEndReason.OFFLINE)
    elif kind is TimerKind.OVER and call.over:
        turn.end_here(call, CallEndReason.OFFLINE, tell=False)
    elif kind is TimerKind.TRACKS and call.state is CallState.CONNECTED:
        turn.send_tracks(call)
    elif kind is TimerKind.PLAN and call.state is CallState.CONNECTED and call.epoch == 0:
        if not turn.online:
            turn.start_timer(TimerKind.PLAN, call.call_id, PLAN_S)
            return
        message = "The call service did not say how the media runs"
        turn.emit(Notify(OnError(code=ErrorCode.MEDIA_FAILED, message=message)))
        turn.end_here(call, CallEndReason.HANGUP)


# --- media ------------------------------------------------------------------


def _media(turn: Turn, what: MediaReceived | MediaConnected | MediaFirstFrame | MediaDead) -> None:
    if isinstance(what, MediaReceived):
        call = turn.current(what.signal.media.call_id)
        # The peer may hear of the call's begin before this side does.
        if call is not None and (call.state is not CallState.RINGING or call.accepting is not None):
            turn.emit(RelayMedia(what.signal))
        return
    peer = what.peer
    call = turn.current(peer.call_id)
    if call is None or call.state is not CallState.CONNECTED or call.epoch != peer.epoch:
        return
    member = call.member(peer.user_id)
    ids = {"call_id": call.call_id, "user_id": peer.user_id}
    match what:
        case MediaFirstFrame(_, kind):
            turn.emit(Notify(OnFirstFrame(**ids, kind=kind)))
        case MediaConnected():
            if member is not None and member.reconnecting:
                _mark_reconnecting(turn, member, False)
                turn.emit(Notify(OnUserReconnected(**ids)))
        case MediaDead(_, reason):
            if member is not None and not member.reconnecting:
                _mark_reconnecting(turn, member, True)
                turn.emit(Notify(OnUserReconnecting(**ids)))
            _ask_for_epoch(turn, call.call_id, call.epoch, reason)


def _mark_reconnecting(turn: Turn, member: Member, reconnecting: bool) -> None:
    call = turn.state.call
    assert call is not None
    changed = replace(member, reconnecting=reconnecting)
    members = tuple(changed if known == member else known for known in call.members)
    turn.change_call(call, members=members)
