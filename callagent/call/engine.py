# SPDX-License-Identifier: GPL-3.0-or-later
"""The call engine: the state machine with a connection, media peers and clocks around it.

One dispatcher, on the event loop, applies inputs strictly in the order they came
and runs each one's effects before the next. Everything here is used on the loop.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

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
    RequestKind,
    Send,
    ServiceEvent,
    SessionOpened,
    SideChanged,
    StartMedia,
    StartTimer,
    StopTimer,
    TimedOut,
    Timer,
    TracksAsked,
)
from callagent.call.network_quality import QualityWatch
from callagent.call.notifications import (
    EngineEvent,
    OnCommand,
    OnError,
    OnPresence,
    OnUserNetworkQualityChanged,
    Payload,
    UserQuality,
    engine_event,
)
from callagent.call.peers import MediaPeers
from callagent.call.remote_commands import RemoteCommands
from callagent.call.signalling import SignallingClient
from callagent.call.signalling_types import SignallingSettings
from callagent.call.state import step
from callagent.call.status import EngineStatus, status_of
from callagent.ports import Clock, MediaSessionFactory, MonotonicClock, PeerKey
from callagent.protocol.enums import CallState, LoginState, MediaType, NetworkQuality
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.events import (
    AnyEventData,
    CommandAnswerSignal,
    CommandSignal,
    Moment,
    OnCallBegin,
    OnCallEnd,
    OnCallNotConnected,
    PresenceChange,
    Signal,
)
from callagent.protocol.media import MediaMessage
from callagent.protocol.replies import HelloData, HistoryData, HistoryEntry, UserInfo, UsersData
from callagent.protocol.requests import GetHistory, GetUsers, Reply, SendMedia

log = logging.getLogger(__name__)

FAREWELL_WAIT_S = 1.5
"""How long `close` waits until the service knows that the call is over."""
CLOSE_WAIT_S = 1.2
"""How long `close` waits for the logout, and for the media to be released."""
QUERY_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings(SignallingSettings):
    """Who this engine is, how it reaches the service, and how every call starts."""

    microphone: bool = True
    """The microphone is on at the start of every call."""
    camera: bool = True
    """The camera is on at the start of every video call."""


class CallEngine:
    """Places, receives and ends calls. See `start` and `close` for its life."""

    def __init__(
        self, settings: EngineSettings, media: MediaSessionFactory, clock: Clock | None = None
    ) -> None:
        self._clock = clock or MonotonicClock()
        self._state = EngineState(
            own_user_id=settings.user_id,
            microphone_default=settings.microphone,
            camera_default=settings.camera,
        )
        self._client = SignallingClient(settings, self, self._clock)
        self._commands = RemoteCommands(self._client)
        self._peers = MediaPeers(media, settings.user_id, self, self._clock)
        self._quality = QualityWatch(settings.user_id, self._peers.statistics, self._tell_quality)
        self._observers: list[Callable[[EngineEvent], None]] = []
        self._inputs: deque[Input] = deque()
        self._dispatching = False
        self._timers: dict[Timer, asyncio.TimerHandle] = {}
        self._api_calls: dict[int, asyncio.Future[str]] = {}
        self._next_api = 0
        self._began: float | None = None
        self._status = status_of(self._state, None, "")
        self._presence_wanted = False
        self._last_told = ""
        self._moved = asyncio.Event()
        self._closed = False

    # --- life -----------------------------------------------------------

    async def start(self) -> None:
        """Begin to log in and return at once; the connection is kept for ever after.

        Raises RuntimeError when started twice or after `close`.
        """
        if self._closed:
            raise RuntimeError("the call engine was closed")
        self._client.start()
        self._quality.start()

    async def close(self) -> None:
        """Hang up (with its end event), tell the service, log out, release the media. Idempotent.

        Takes 3 s at most.
        """
        if self._closed:
            return
        self._closed = True
        await self._quality.close()
        if self._state.call_state is not CallState.IDLE:
            await self.hangup()
        try:
            await self._wait_for(lambda: not self._state.farewells, FAREWELL_WAIT_S)
        except TimeoutError:
            log.warning("The service could not be told that the call is over; it finds out by itself")
        try:
            async with asyncio.timeout(CLOSE_WAIT_S):
                await asyncio.gather(self._client.close(CLOSE_WAIT_S / 2), self._peers.aclose())
        except TimeoutError:
            log.warning("Some media or the connection did not close in time")
        finally:
            self._post(LoggedOut())
            for handle in self._timers.values():
                handle.cancel()
            self._timers.clear()

    async def wait_online(self, timeout_s: float) -> None:
        """Wait until logged in. Raises TimeoutError."""
        await self._wait_for(lambda: self._state.login is LoginState.ONLINE, timeout_s)

    def poke(self) -> None:
        """Open a new connection to the service now."""
        self._client.poke()

    def network_changed(self, lost: frozenset[str], *, there: bool = True) -> None:
        """The machine has other addresses or ways out, and no longer these: make anew what stood on them.

        `there`: it has any network at all now.
        """
        self._peers.addresses_lost(lost)
        if there:
            self.poke()

    # --- what is --------------------------------------------------------

    @property
    def state(self) -> EngineStatus:
        return self._status

    def add_observer(self, callback: Callable[[EngineEvent], None]) -> Callable[[], None]:
        """Be told everything, on the loop and in order; returns the way to leave.

        The callback must not block; it may call the engine (tasks it makes run after the dispatch).
        """
        self._observers.append(callback)

        def leave() -> None:
            if callback in self._observers:
                self._observers.remove(callback)

        return leave

    # --- calls ----------------------------------------------------------
    # Each raises CallAgentError: INIT_FAIL before login, REQUEST_REFUSED in the wrong state,
    # REQUEST_REPEATED while the same request runs, PARAM_INVALID naming the field,
    # SIGNALING_SEND_FAIL when the service is out of reach, or what the service answered.

    async def calls(
        self, user_ids: Sequence[str], media_type: MediaType, params: CallParams | None = None
    ) -> str:
        """Call somebody; returns the call id once the service rings them."""
        params = params or CallParams()
        return await self._ask(lambda api: CallsAsked(api, tuple(user_ids), media_type, params))

    async def accept(self) -> None:
        """Answer the ringing call; returns when this session is the one that got it."""
        await self._ask(AcceptAsked)

    async def reject(self) -> None:
        """Turn the ringing call away. It is over here at once; the service is told until it knows."""
        await self._ask(RejectAsked)

    async def hangup(self) -> None:
        """Ringing: reject; calling: cancel; connected: leave. Over here at once, as `reject`."""
        await self._ask(HangupAsked)

    async def set_microphone(self, on: bool) -> None:
        """Announce whether this side's sound is sent, for this call only."""
        await self._ask(lambda api: TracksAsked(api, audio=on))

    async def set_camera(self, on: bool) -> None:
        """Announce whether this side's picture is sent, for this call only."""
        await self._ask(lambda api: TracksAsked(api, video=on))

    def set_privacy(self, on: bool) -> None:
        """This side's privacy switch, over calls: the others hear of it, and of no microphone and camera."""
        self._post(SideChanged(privacy=on))

    def offer_commands(self, commands: Sequence[str]) -> None:
        """What the other side of a call may ask this device to do, over calls; asked as `OnCommand`."""
        self._post(SideChanged(commands=tuple(commands)))

    async def command(self, user_id: str, command: str) -> None:
        """Have a member's device do something it offers. Raises as `RemoteCommands.ask`."""
        member = next((each for each in self._status.members if each.user_id == user_id), None)
        if member is None:
            raise CallAgentError(ErrorCode.REQUEST_REFUSED, f"{user_id} is not connected in this call")
        await self._commands.ask(self._status.call_id, member.session_id, command)

    def answer_command(self, asked: CommandSignal, error: CallAgentError | None = None) -> None:
        """What came of a member's command; without error it was done."""
        self._commands.answer(asked, error)

    async def renegotiate(self, reason: str = "") -> None:
        """Ask for a new epoch: the media is connected but dead."""
        await self._ask(lambda api: RenegotiateAsked(api, reason))

    # --- questions ------------------------------------------------------

    async def get_users(
        self, user_ids: Sequence[str] | None = None, subscribe: bool = False
    ) -> list[UserInfo]:
        """Who is there. With `subscribe` every change is told as `onPresence` from now on."""
        self._require_login()
        self._presence_wanted = self._presence_wanted or subscribe
        ids = None if user_ids is None else list(user_ids)
        message = GetUsers(id=1, user_ids=ids, subscribe=subscribe)
        reply = await self._client.request(message, QUERY_TIMEOUT_S)
        return UsersData.model_validate(reply.data).users

    async def history(self, limit: int = 50, before: float | None = None) -> list[HistoryEntry]:
        """This user's calls, newest first, begun before `before` (Unix seconds)."""
        self._require_login()
        reply = await self._client.request(
            GetHistory(id=1, limit=min(max(limit, 1), 100), before=before), QUERY_TIMEOUT_S
        )
        return HistoryData.model_validate(reply.data).calls

    async def media_statistics(self) -> dict[str, dict[str, float | int | str]]:
        """Figures of every present peer connection, by the other side's user id."""
        return await self._peers.statistics()

    def _require_login(self) -> None:
        if self._state.login in (LoginState.LOGGED_OUT, LoginState.CONNECTING):
            raise CallAgentError(ErrorCode.INIT_FAIL, "Not logged in to the call service yet")

    # --- the dispatcher -------------------------------------------------

    async def _ask(self, make: Callable[[int], Input]) -> str:
        self._next_api += 1
        api = self._next_api
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._api_calls[api] = future
        self._post(make(api))
        return await future

    def _post(self, what: Input) -> None:
        self._inputs.append(what)
        if self._dispatching:
            return
        self._dispatching = True
        try:
            while self._inputs:
                self._apply(self._inputs.popleft())
        finally:
            self._dispatching = False

    def _apply(self, what: Input) -> None:
        before = self._status
        self._state, effects = step(self._state, what)
        self._refresh()
        for effect in effects:
            self._run(effect)
        if self._state.call_state is not CallState.CONNECTED:
            self._began = None
        self._refresh()
        self._moved.set()
        if before.changed() != self._status.changed() or before.accepting != self._status.accepting:
            self._notify(self._status.changed())

    def _refresh(self) -> None:
        connected = self._state.call_state is CallState.CONNECTED
        self._client.in_call = self._state.call_state is not CallState.IDLE
        self._status = status_of(self._state, self._began if connected else None, self._client.last_error)

    def _run(self, effect: Effect) -> None:
        match effect:
            case Send(kind, key, message):
                self._client.send(message, lambda reply: self._post(_replied(kind, key, reply)))
            case Notify(payload):
                self._notify(payload)
            case NotifyEnd():
                self._notify(self._local_end(effect))
            case StartTimer(timer, delay_s):
                self._stop_timer(timer)
                loop = asyncio.get_running_loop()
                self._timers[timer] = loop.call_later(delay_s, self._timed_out, timer)
            case StopTimer(timer):
                self._stop_timer(timer)
            case StartMedia(plan, own_session_id):
                self._peers.start(plan, own_session_id)
            case RelayMedia(signal):
                self._peers.relay(signal)
            case CloseMedia(call_id):
                self._peers.close(call_id)
            case Complete(api, call_id):
                future = self._api_calls.pop(api, None)
                if future is not None and not future.done():
                    future.set_result(call_id)
            case Fail(api, code, text, field):
                future = self._api_calls.pop(api, None)
                if future is not None and not future.done():
                    future.set_exception(CallAgentError(code, text, field))

    def _notify(self, payload: Payload) -> None:
        if isinstance(payload, OnCallBegin):
            self._began = self._clock.now()
            self._refresh()
        event = engine_event(payload)
        for observer in tuple(self._observers):
            try:
                observer(event)
            except Exception:
                log.exception("An observer of the call engine failed on %s", event.name)

    def _local_end(self, end: NotifyEnd) -> OnCallEnd | OnCallNotConnected:
        call = end.call
        if call.state is CallState.CONNECTED:
            began = self._began
            return OnCallEnd(
                call_id=call.call_id,
                media_type=call.media_type,
                reason=end.reason,
                user_id=end.user_id,
                total_time=0.0 if began is None else self._clock.now() - began,
                info=call.info,
            )
        return OnCallNotConnected(
            call_id=call.call_id,
            media_type=call.media_type,
            reason=end.reason,
            user_id=end.user_id,
            info=call.info,
        )

    def _stop_timer(self, timer: Timer) -> None:
        handle = self._timers.pop(timer, None)
        if handle is not None:
            handle.cancel()

    def _tell_quality(self, grades: dict[str, NetworkQuality]) -> None:
        if self._state.call_state is CallState.CONNECTED:
            users = [UserQuality(user_id=user, quality=quality) for user, quality in grades.items()]
            call_id = self._status.call_id
            self._notify(OnUserNetworkQualityChanged(call_id=call_id, network_quality_list=users))

    def _timed_out(self, timer: Timer) -> None:
        self._timers.pop(timer, None)
        self._post(TimedOut(timer))

    async def _wait_for(self, condition: Callable[[], bool], timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._moved.clear()
                await self._moved.wait()

    # --- what the signalling client tells (SignallingListener) ----------

    def on_login_started(self) -> None:
        self._post(LoginStarted())

    def on_session(self, hello: HelloData) -> None:
        self._last_told = ""
        self._peers.set_online(True)
        self._post(SessionOpened(hello.session_id, hello.resumed, hello.call, hello.session_silence))
        if self._presence_wanted:
            self._client.send(GetUsers(id=1, subscribe=True), self._tell_presence)

    def on_connection_lost(self) -> None:
        self._peers.set_online(False)
        self._post(ConnectionLost())

    def on_login_failed(self, error: CallAgentError) -> None:
        self._refresh()
        if error.message != self._last_told:
            self._last_told = error.message
            self._notify(OnError(code=error.code, message=error.message))

    def on_logged_out(self) -> None:
        self._post(LoggedOut())

    def on_event(self, data: AnyEventData) -> None:
        self._post(ServiceEvent(data))

    def on_moment(self, message: Moment) -> None:
        match message:
            case Signal():
                self._post(MediaReceived(message))
            case CommandSignal():
                self._notify(OnCommand(**message.model_dump()))
            case CommandAnswerSignal():
                self._commands.on_answer(message)
            case PresenceChange():
                self._notify(OnPresence(**message.model_dump(exclude={"type"})))

    def _tell_presence(self, reply: Reply) -> None:
        """Changes were missed while away: tell where everybody stands."""
        if reply.code != ErrorCode.OK:
            return
        for user in UsersData.model_validate(reply.data).users:
            self._notify(
                OnPresence(
                    user_id=user.user_id, nickname=user.nickname, status=user.status, in_call=user.in_call
                )
            )

    # --- what the media peers tell (PeersListener) ----------------------

    def on_media_connected(self, peer: PeerKey) -> None:
        self._post(MediaConnected(peer))

    def on_media_first_frame(self, peer: PeerKey, kind: Literal["audio", "video"]) -> None:
        self._post(MediaFirstFrame(peer, kind))

    def on_media_dead(self, peer: PeerKey, reason: str) -> None:
        self._post(MediaDead(peer, reason))

    def send_media(self, session_id: str, message: MediaMessage) -> None:
        self._client.send(SendMedia(id=1, to=session_id, media=message), _media_sent)


def _media_sent(reply: Reply) -> None:
    """A message lost on the way is made good by the negotiation's deadline and a new epoch."""
    if reply.code != ErrorCode.OK:
        log.info("A media message did not reach the other side: %s [%d]", reply.message, reply.code)


def _replied(kind: RequestKind, key: str, reply: Reply) -> Replied:
    return Replied(kind, key, reply.code, reply.message, reply.field, reply.data)
