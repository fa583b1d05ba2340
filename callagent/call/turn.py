# SPDX-License-Identifier: GPL-3.0-or-later
"""The moves of the call state machine: what every input handler is put together from."""

from dataclasses import replace
from typing import Any, Literal

from callagent.call.model import (
    Call,
    CloseMedia,
    Complete,
    Dial,
    Effect,
    EngineState,
    Fail,
    Farewell,
    Notify,
    NotifyEnd,
    Send,
    StartTimer,
    StopTimer,
    Timer,
    TimerKind,
)
from callagent.protocol.enums import CallEndReason, CallRole, CallState, LoginState
from callagent.protocol.errors import ErrorCode
from callagent.protocol.events import CallInfo, OnCallBegin, OnCallEnd, OnCallNotConnected, OnCallReceived
from callagent.protocol.requests import Accept, Hangup, Reject, SetTracks

DIAL_S = 10.0
"""Without a reply to `calls` for this long the API call fails; so much again and the dial is forgotten."""
ANSWER_GRACE_S = 10.0
RING_GRACE_S = 3.0
ACCEPT_S = 5.0
OVER_S = 2.0
"""How long the event that says why a call is over may lag behind the news that it is."""
PLAN_S = 10.0
FAREWELL_REPLY_S = 5.0
RETRY_S = 2.0
TRACKS_RETRY_S = 0.5
MAX_FINISHED = 128
MAX_FAREWELLS = 16

_CALL_TIMERS = (
    TimerKind.ANSWER,
    TimerKind.RING,
    TimerKind.ACCEPT,
    TimerKind.OVER,
    TimerKind.PLAN,
    TimerKind.TRACKS,
)


class Turn:
    """One input being applied: the state so far and the effects so far."""

    def __init__(self, state: EngineState) -> None:
        self.state = state
        self.effects: list[Effect] = []

    def change(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)

    def change_call(self, call: Call, **changes: Any) -> Call:
        changed = replace(call, **changes)
        self.change(call=changed)
        return changed

    def emit(self, *effects: Effect) -> None:
        self.effects.extend(effects)

    @property
    def online(self) -> bool:
        return self.state.login is LoginState.ONLINE

    def current(self, call_id: str) -> Call | None:
        call = self.state.call
        return call if call is not None and call.call_id == call_id else None

    def start_timer(self, kind: TimerKind, key: str, delay_s: float) -> None:
        self.emit(StartTimer(Timer(kind, key), delay_s))

    def stop_timer(self, kind: TimerKind, key: str) -> None:
        self.emit(StopTimer(Timer(kind, key)))

    def watch_service(self) -> None:
        """A call without the service has a way out too."""
        if not self.online:
            self.start_timer(TimerKind.AWAY, "", self.state.session_silence_s)

    # --- calls come -----------------------------------------------------

    def ring(self, invite: OnCallReceived) -> None:
        state = self.state
        call = Call(
            call_id=invite.call_id,
            state=CallState.RINGING,
            role=CallRole.CALLED,
            media_type=invite.media_type,
            info=invite.info,
            caller_id=invite.caller_id,
            callee_ids=tuple(invite.callee_id_list),
            audio=state.microphone_default,
            video=state.camera_default and invite.media_type == 2,
        )
        self.change(call=call)
        self.start_timer(TimerKind.RING, call.call_id, max(0.0, invite.remaining) + RING_GRACE_S)
        self.watch_service()
        self.emit(Notify(invite))

    def hold(self, invite: OnCallReceived) -> None:
        """Keep an invitation until it is clear whether this side is free; the newest one counts."""
        if self.state.held is not None:
            self.drop_held()
        self.change(held=invite)
        self.start_timer(TimerKind.RING, invite.call_id, max(0.0, invite.remaining) + RING_GRACE_S)

    def drop_held(self) -> None:
        held = self.state.held
        if held is not None:
            self.change(held=None)
            self.stop_timer(TimerKind.RING, held.call_id)
            self.remember(held.call_id)

    def ring_held(self) -> None:
        held = self.state.held
        if held is not None and self.state.call_state is CallState.IDLE:
            self.change(held=None)
            self.ring(held)

    def adopt(self, dial: Dial, call_id: str, room_id: int | str, timeout: int) -> None:
        """The service named the call this dial asked for."""
        self.change(dial=None)
        self.stop_timer(TimerKind.DIAL, str(dial.number))
        if dial.cancelled:
            self.bid_farewell(call_id, "hangup")
            return
        self.drop_held()  # the service let us call, so nobody is calling us
        params = dial.params
        self.change(
            call=Call(
                call_id=call_id,
                state=CallState.CALLING,
                role=CallRole.CALLER,
                media_type=dial.media_type,
                info=CallInfo(
                    room_id=room_id,
                    role=CallRole.CALLER,
                    user_data=params.user_data,
                    chat_group_id=params.chat_group_id,
                ),
                caller_id=self.state.own_user_id,
                callee_ids=dial.callee_ids,
                audio=dial.audio,
                video=dial.video,
            )
        )
        self.start_timer(TimerKind.ANSWER, call_id, timeout + ANSWER_GRACE_S)
        self.watch_service()
        self.emit(Complete(dial.api, call_id))

    def connect(self, call: Call, begin: OnCallBegin) -> None:
        accepting = call.accepting
        call = self.change_call(
            call,
            state=CallState.CONNECTED,
            media_type=begin.media_type,
            info=begin.info,
            accepting=None,
            over=False,
        )
        for kind in (TimerKind.ANSWER, TimerKind.RING, TimerKind.ACCEPT, TimerKind.OVER):
            self.stop_timer(kind, call.call_id)
        self.start_timer(TimerKind.PLAN, call.call_id, PLAN_S)
        if accepting is not None and accepting.api is not None:
            self.emit(Complete(accepting.api))
        self.emit(Notify(begin))
        self.send_tracks(call)

    # --- calls go -------------------------------------------------------

    def end(self, call: Call, notification: OnCallEnd | OnCallNotConnected | NotifyEnd) -> None:
        """The one way a call leaves: media first, then its one end notification."""
        self.change(call=None)
        self.remember(call.call_id)
        self.emit(CloseMedia(call.call_id))
        for kind in _CALL_TIMERS:
            self.stop_timer(kind, call.call_id)
        self.stop_timer(TimerKind.AWAY, "")
        if call.accepting is not None and call.accepting.api is not None:
            self.emit(Fail(call.accepting.api, ErrorCode.INVITE_HANDLED, "The call is over"))
        self.emit(notification if isinstance(notification, NotifyEnd) else Notify(notification))
        self.ring_held()

    def end_here(
        self, call: Call, reason: CallEndReason, user_id: str | None = None, *, tell: bool = True
    ) -> None:
        """End without waiting for the service; `user_id` (default: this user) caused it."""
        self.end(call, NotifyEnd(call, reason, self.state.own_user_id if user_id is None else user_id))
        if tell:
            self.bid_farewell(call.call_id, _way_out(call))

    def give_up_dial(self, dial: Dial, code: ErrorCode, message: str) -> None:
        """Fail the `calls`; should a call come of it after all, it is hung up."""
        self.change(dial=replace(dial, cancelled=True))
        self.start_timer(TimerKind.DIAL, str(dial.number), DIAL_S)
        self.emit(Fail(dial.api, code, message))
        self.ring_held()

    def forget_dial(self, dial: Dial) -> None:
        self.change(dial=None)
        self.stop_timer(TimerKind.DIAL, str(dial.number))
        self.ring_held()

    def remember(self, call_id: str) -> None:
        """This call is over here for good."""
        known = tuple(known for known in self.state.finished if known != call_id)
        self.change(finished=(*known, call_id)[-MAX_FINISHED:])

    def bid_farewell(self, call_id: str, kind: Literal["reject", "hangup"]) -> None:
        """Tell the service, now or as soon as it is back, that this side is out of that call."""
        self.remember(call_id)
        if self.state.login not in (LoginState.ONLINE, LoginState.RECONNECTING):
            return  # the session the call belonged to is gone, and the call with it
        others = tuple(known for known in self.state.farewells if known.call_id != call_id)
        if len(others) >= MAX_FAREWELLS:
            self.stop_timer(TimerKind.FAREWELL, others[0].call_id)
            others = others[1:]
        farewell = Farewell(call_id, kind)
        self.change(farewells=(*others, farewell))
        self.send_farewell(farewell)

    def drop_farewell(self, farewell: Farewell) -> None:
        self.change(farewells=tuple(known for known in self.state.farewells if known != farewell))
        self.stop_timer(TimerKind.FAREWELL, farewell.call_id)

    # --- requests -------------------------------------------------------

    def send_farewell(self, farewell: Farewell) -> None:
        if not self.online:
            return
        kind = Reject if farewell.kind == "reject" else Hangup
        self.emit(Send("farewell", farewell.call_id, kind(id=1, call_id=farewell.call_id)))
        self.start_timer(TimerKind.FAREWELL, farewell.call_id, FAREWELL_REPLY_S)

    def send_accept(self, call: Call) -> None:
        self.emit(Send("accept", call.call_id, Accept(id=1, call_id=call.call_id)))

    def send_tracks(self, call: Call) -> None:
        """Also after every resume, so one lost on the way does no harm."""
        if self.online:
            state = self.state
            message = SetTracks(
                id=1,
                call_id=call.call_id,
                audio=call.audio and not state.privacy,
                video=call.video and not state.privacy,
                privacy=state.privacy,
                commands=list(state.commands),
            )
            self.emit(Send("tracks", call.call_id, message))


def _way_out(call: Call) -> Literal["reject", "hangup"]:
    """How this side leaves.

    A hang-up would end the call of another device of this user that answered meanwhile, a
    rejection does not. Should our own `accept` have won unheard, `onCallBegin` tells.
    """
    accepted = call.accepting is not None and call.accepting.api is None
    return "reject" if call.state is CallState.RINGING and not accepted else "hangup"
