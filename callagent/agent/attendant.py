# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens at the kiosk when somebody calls: sounds, automatic answers, devices opened and closed.

Listens to the call engine, on the loop; every step that takes time is a task
owned here. Nothing of a call outlives it: its settings are set anew at the next.
"""

import asyncio
import logging
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, Protocol

from callagent.agent.studio import Studio
from callagent.call.engine import CallEngine
from callagent.call.notifications import EngineEvent
from callagent.config.answer import AnswerConfig
from callagent.protocol.enums import CallRole, CallState, MediaType
from callagent.protocol.errors import CallAgentError
from callagent.protocol.events import OnCallBegin, OnCallEnd, OnCallNotConnected, OnCallReceived

logger = logging.getLogger(__name__)


class LocalTime(Protocol):
    """The wall clock of the place, for hours of the day."""

    def __call__(self) -> datetime: ...


def local_time() -> datetime:
    return datetime.now().astimezone()


class Attendant:
    """Applies the site's policy to the engine's events."""

    def __init__(
        self,
        engine: CallEngine,
        studio: Studio,
        answer: AnswerConfig,
        *,
        mute_ring: bool = False,
        now: LocalTime = local_time,
    ) -> None:
        self._engine = engine
        self._studio = studio
        self._answer = answer
        self._mute_ring = mute_ring
        self._now = now
        self._tasks: set[asyncio.Task[None]] = set()
        self._dialing = False
        self.missed = 0
        """Calls that rang here, or were ignored, and were never answered."""
        self.unseen = 0
        """Of these, how many since somebody was here last."""

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def somebody_is_here(self) -> None:
        """A call was answered or placed here, or the list of calls was looked at."""
        self.unseen = 0

    def on_event(self, event: EngineEvent) -> None:
        """The engine's observer."""
        match event.payload:
            case OnCallReceived() as received:
                self._received(received)
            case OnCallBegin() as begin:
                self._began(begin)
            case OnCallEnd():
                self._ended(heard=True)
            case OnCallNotConnected() as ended:
                if ended.info.role is CallRole.CALLED:
                    self.missed += 1
                    self.unseen += 1
                self._ended(heard=ended.info.role is CallRole.CALLER)
            case _:
                self._follow_dialing()

    def _follow_dialing(self) -> None:
        """The engine tells of an outgoing call only by its state."""
        calling = self._engine.state.call_state is CallState.CALLING
        if calling and not self._dialing:
            self._studio.play_dialing()
        elif self._engine.state.accepting:
            self._studio.stop_sounds()
        self._dialing = calling

    def _received(self, received: OnCallReceived) -> None:
        mode, delay_s = self._answer.decide(received.caller_id, self._now().time())
        logger.info("call %s from %s: %s", received.call_id, received.caller_id, mode)
        match mode:
            case "auto":
                # The chime before any capture: nobody is looked at unannounced.
                self._studio.play_chime()
                self._spawn(self._answer_after(received.call_id, delay_s))
            case "reject":
                self._spawn(self._engine.reject())
            case "ring":
                if not self._mute_ring:
                    self._studio.play_ringing()
                # Only where somebody has to answer: an automatic answer captures nothing before its chime.
                if received.media_type is MediaType.VIDEO and self._answer.camera:
                    self._studio.warm_up()

    async def _answer_after(self, call_id: str, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        state = self._engine.state
        if state.call_state is CallState.RINGING and state.call_id == call_id:
            await self._engine.accept()

    def _began(self, begin: OnCallBegin) -> None:
        self._dialing = False
        self._studio.stop_sounds()
        camera = begin.media_type is MediaType.VIDEO
        if camera and begin.info.role is CallRole.CALLED and not self._answer.camera:
            camera = False
            self._spawn(self._engine.set_camera(False))
        self._studio.begin_call(camera=camera)

    def _ended(self, *, heard: bool) -> None:
        """`heard`: somebody here was in the call or waiting for it, and hears that it is over."""
        self._dialing = False
        self._studio.end_call(sound=heard)

    def _spawn(self, step: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(_logged(step))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _logged(step: Coroutine[Any, Any, None]) -> None:
    try:
        await step
    except CallAgentError as error:
        # The call went another way meanwhile: cancelled, answered elsewhere, service gone.
        logger.info("not done: %s", error)
