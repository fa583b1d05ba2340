# SPDX-License-Identifier: GPL-3.0-or-later
"""The signalling client: one session with the service, over as many connections as it takes.

One task owns the connection: it logs in, resumes, reconnects with back-off and jitter for
ever, and obeys when kicked. Everything is used on the event loop.
"""

import asyncio
import logging

import aiohttp
from pydantic import ValidationError

from callagent.call.backoff import Backoff
from callagent.call.checks import known_code
from callagent.call.connection import Connection, ConnectionLost, Ending, OnReply, unreachable
from callagent.call.own_time import own_sleep
from callagent.call.signalling_types import SignallingListener, SignallingSettings
from callagent.ports import Clock, MonotonicClock
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.events import (
    EVENT_TYPES,
    Event,
    Moment,
    OnKickedOffline,
)
from callagent.protocol.replies import HelloData
from callagent.protocol.requests import PROTOCOL_VERSION, AnyRequest, Hello, Logout, Reply, Resume

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 15.0
LONGEST_KICKED_PAUSE_S = 900.0
STABLE_S = 5.0
"""A connection that lived this long starts the back-off anew."""
CONNECT_S = 10.0
CALL_PAUSE_S, CALL_CONNECT_S = 1.0, 3.0
"""The longest of both while a call waits: a request that the network swallowed is repeated by TCP only
after one, three and seven seconds.
"""
POKE_GAP_S = 1.0
"""A poke does not break off an attempt younger than this; it comes into force then."""


class LoginRefused(CallAgentError):
    """The service answered hello with an error."""


class SignallingClient:
    """`start` it, `send` requests, `close` it. `poke` when the network changed."""

    def __init__(
        self,
        settings: SignallingSettings,
        listener: SignallingListener,
        clock: Clock | None = None,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        """`session`: somebody else's to use; without it the client makes and closes its own."""
        self._settings = settings
        self._listener = listener
        self._clock = clock or MonotonicClock()
        self._shared_session = session
        self._task: asyncio.Task[None] | None = None
        self._connection: Connection | None = None
        self._poked = asyncio.Event()
        self._poke_later: asyncio.TimerHandle | None = None
        self._attempt_began = 0.0
        self._pausing = False
        self._backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        self._kicked_pause_s = settings.first_kicked_pause_s
        self._kicked = False
        self._rejected = False
        self._resume: Resume | None = None
        self._last_seq = 0
        self._opening: HelloData | None = None
        self._broken_resumes = 0
        self._in_call = False
        self.last_error = ""
        """Why there is no connection, for a person; empty when there is one."""

    def start(self) -> None:
        """Begin to connect. Raises RuntimeError when started already."""
        if self._task is not None:
            raise RuntimeError("the signalling client is started already")
        self._task = asyncio.create_task(self._run(), name="signalling")

    async def close(self, logout_timeout_s: float = 1.0) -> None:
        """Log out if that is possible in time, then drop the connection. Idempotent."""
        task, self._task = self._task, None
        if task is None:
            return
        try:
            if self._connection is not None:
                await self.request(Logout(id=1), logout_timeout_s)
        except CallAgentError as error:
            log.debug("The service was not told of the logout: %s", error)
        finally:
            if self._poke_later is not None:
                self._poke_later.cancel()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def poke(self) -> None:
        """Connect now: skip the back-off, and replace a connection that may be dead."""
        wait_s = self._attempt_began + POKE_GAP_S - self._clock.now()
        if self._pausing or wait_s <= 0:
            self._poked.set()
        elif self._poke_later is None:
            self._poke_later = asyncio.get_running_loop().call_later(wait_s, self._poke_due)

    def _poke_due(self) -> None:
        self._poke_later = None
        self._poked.set()

    @property
    def in_call(self) -> bool:
        """Whether the heartbeat is the faster one."""
        return self._in_call

    @in_call.setter
    def in_call(self, in_call: bool) -> None:
        self._in_call = in_call
        if self._connection is not None:
            self._connection.set_in_call(in_call)

    def send(self, message: AnyRequest, on_reply: OnReply) -> None:
        """Send a request after all earlier ones; the id is given here.

        `on_reply` is called exactly once: with the service's reply, or with SIGNALING_SEND_FAIL when
        the connection is down or breaks first (the service may have acted on it).
        """
        if self._connection is None:
            on_reply(unreachable("The call service is out of reach at the moment"))
        else:
            self._connection.send(message, on_reply)

    async def request(self, message: AnyRequest, timeout_s: float) -> Reply:
        """Send and wait. Raises CallAgentError: what the service answered, or SIGNALING_SEND_FAIL."""
        answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def answer(reply: Reply) -> None:
            if not answered.done():
                answered.set_result(reply)

        self.send(message, answer)
        try:
            async with asyncio.timeout(timeout_s):
                reply = await answered
        except TimeoutError:
            raise CallAgentError(ErrorCode.SIGNALING_SEND_FAIL, "The call service does not answer") from None
        if reply.code != ErrorCode.OK:
            raise CallAgentError(known_code(reply.code), reply.message, reply.field)
        return reply

    # --- the owner of the connection ------------------------------------

    async def _run(self) -> None:
        session = self._shared_session or aiohttp.ClientSession()
        try:
            while True:
                if self._resume is None:
                    self._listener.on_login_started()
                self._poked.clear()
                self._attempt_began = self._clock.now()
                await self._until_poked(session)
                if self._kicked:
                    if not await self._serve_kick():
                        return
                elif not self._poked.is_set():
                    if self._clock.now() - self._attempt_began >= STABLE_S:
                        self._backoff.reset()
                    pause_s = self._backoff.next()
                    await self._pause(min(pause_s, CALL_PAUSE_S) if self._in_call else pause_s)
        finally:
            if self._shared_session is None:
                await session.close()

    async def _until_poked(self, session: aiohttp.ClientSession) -> None:
        """One connection, from the first packet to its end; a poke breaks it off."""
        attempt = asyncio.create_task(self._connect(session), name="signalling connection")
        poked = asyncio.create_task(self._poked.wait(), name="signalling poke")
        try:
            await asyncio.wait({attempt, poked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            poked.cancel()
            attempt.cancel()
            results = await asyncio.gather(attempt, poked, return_exceptions=True)
        if isinstance(results[0], Exception):
            log.error("The signalling connection failed unexpectedly", exc_info=results[0])

    async def _pause(self, seconds: float) -> None:
        self._pausing = True
        try:
            async with asyncio.timeout(seconds):
                await self._poked.wait()
        except TimeoutError:
            pass
        finally:
            self._pausing = False

    async def _serve_kick(self) -> bool:
        """Out, as the service wants it. False: for good."""
        self._kicked = False
        self._resume = None
        self._listener.on_logged_out()
        if self._settings.on_kicked == "stay_down":
            log.warning("Another login took over; this one stays down")
            return False
        if self._clock.now() - self._attempt_began > self._kicked_pause_s:
            self._kicked_pause_s = self._settings.first_kicked_pause_s
        pause_s = self._kicked_pause_s
        self._kicked_pause_s = min(LONGEST_KICKED_PAUSE_S, pause_s * 2)
        log.warning("Another login took over; next attempt in %.0f s", pause_s)
        await asyncio.sleep(pause_s)  # not `_pause`: never faster, whatever the network does
        return True

    async def _connect(self, session: aiohttp.ClientSession) -> None:
        try:
            usersig = await self._settings.credentials.usersig(rejected=self._rejected)
            self._rejected = False
            async with asyncio.timeout(CALL_CONNECT_S if self._in_call else CONNECT_S):
                ws = await session.ws_connect(
                    _signal_url(self._settings.url),
                    ssl=self._settings.ssl_context or True,
                    proxy=self._settings.proxy,
                )
        except CallAgentError as error:
            self._fail_login(error)
            return
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            reason = str(error) or "no answer"
            self._fail_login(CallAgentError(ErrorCode.SIGNALING_SEND_FAIL, f"Call service: {reason}"))
            return
        connection = Connection(ws, self)
        try:
            hello = await self._log_in(connection, usersig)
            ending = await self._serve(connection, hello)
        except LoginRefused as error:
            self._fail_login(error)
        except ConnectionLost as error:
            self._fail_login(CallAgentError(ErrorCode.SIGNALING_SEND_FAIL, f"Call service: {error}"))
        else:
            self.last_error = f"Call service: {ending.reason}"
            log.info("The connection to the call service ended: %s", ending.reason)
            if ending.bye is not None and ending.bye.code == ErrorCode.KICKED_OFFLINE:
                self._kicked = True
        finally:
            was_online, self._connection = self._connection is connection, None
            if was_online:
                self._listener.on_connection_lost()
            await connection.close()

    async def _log_in(self, connection: Connection, usersig: str) -> HelloData:
        settings = self._settings
        resume = self._resume
        if resume is not None:
            resume = resume.model_copy(update={"last_seq": self._last_seq})
        reply = await connection.login(
            Hello(
                id=1,
                protocol=PROTOCOL_VERSION,
                sdk_app_id=settings.app_id,
                user_id=settings.user_id,
                user_sig=usersig,
                device_id=settings.device_id,
                platform=settings.platform,
                version=settings.version,
                model=settings.model,
                capabilities=list(settings.capabilities),
                resume=resume,
            )
        )
        if reply.code != ErrorCode.OK:
            self._rejected = reply.code in (ErrorCode.USERSIG_EXPIRED, ErrorCode.USERSIG_INVALID)
            raise LoginRefused(known_code(reply.code), reply.message, reply.field)
        try:
            hello = HelloData.model_validate(reply.data)
        except ValidationError as error:
            raise ConnectionLost("the service's login reply is malformed") from error
        self._resume = Resume(session_id=hello.session_id, resume_token=hello.resume_token, last_seq=0)
        if not hello.resumed:
            self._last_seq = hello.seq
        return hello

    async def _serve(self, connection: Connection, hello: HelloData) -> Ending:
        connection.set_in_call(self._in_call)
        self._connection = connection
        self._opening = hello
        self.last_error = ""
        self._open_when_replayed()
        replay = asyncio.create_task(self._expect_replay(connection, hello.ping_reply), name="replay")
        try:
            return await connection.run(hello)
        finally:
            replay.cancel()
            await asyncio.gather(replay, return_exceptions=True)

    def _open_when_replayed(self) -> None:
        hello = self._opening
        if hello is not None and self._last_seq >= hello.seq:
            self._opening = None
            self._broken_resumes = 0
            self._listener.on_session(hello)

    async def _expect_replay(self, connection: Connection, seconds: float) -> None:
        await own_sleep(seconds)
        if self._opening is not None and self._connection is connection:
            self._break_resume(connection, "the service did not replay the missed events")

    def _break_resume(self, connection: Connection, reason: str) -> None:
        """Ask for the missed events once more; after that, a new session."""
        if connection.failing:
            return
        self._broken_resumes += 1
        if self._broken_resumes > 1:
            self._resume = None
        connection.fail(reason)

    def _fail_login(self, error: CallAgentError) -> None:
        if error.message != self.last_error:
            log.warning("No connection to the call service: %s", error)
        self.last_error = error.message
        self._listener.on_login_failed(error)

    # --- what the connection reads --------------------------------------

    def handled_seq(self) -> int:
        return self._last_seq

    def handle_event(self, event: Event) -> None:
        if event.seq <= self._last_seq:
            return
        if event.seq > self._last_seq + 1:
            if self._connection is not None:
                self._break_resume(self._connection, "the service left events out")
            return
        self._last_seq = event.seq
        model = EVENT_TYPES.get(event.event)
        if model is None:
            log.debug("The service told of an unknown event %r", event.event)
        else:
            try:
                data = model.model_validate(event.data)
            except ValidationError as error:
                log.warning("The service sent a malformed %s: %s", event.event, error)
            else:
                if isinstance(data, OnKickedOffline):
                    self._kicked = True
                self._listener.on_event(data)
        self._open_when_replayed()

    def handle_moment(self, message: Moment) -> None:
        self._listener.on_moment(message)


def _signal_url(url: str) -> str:
    return url.rstrip("/") + "/v1/signal"
