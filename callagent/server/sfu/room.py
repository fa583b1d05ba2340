# SPDX-License-Identifier: GPL-3.0-or-later
"""One epoch of a call on a media server: what happens to it is done in one task, in order."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, replace

from sqlalchemy.exc import SQLAlchemyError

from callagent.protocol.enums import Placement
from callagent.protocol.errors import CallAgentError
from callagent.protocol.media import LinkMessage
from callagent.server.calls.model import Call
from callagent.server.sfu.backend import RoomGone, ServerAway, SfuBackend, SfuError
from callagent.server.sfu.links import RoomState
from callagent.server.sfu.seating import RoomDesk, Seating, Taken
from callagent.server.storage.engine import Conflict
from callagent.server.storage.seats import RoomKey

LINGER_S = 6.0
"""How long a room outlives its epoch: clients keep the old connections until the new ones deliver, 5 s."""
RETRY_S = 0.5
MAX_TRIES = 3
"""Of one message, when the media server does not answer."""
MAX_WAITING = 512
"""Messages of clients; the oldest go first."""

logger = logging.getLogger(__name__)


def room_name(key: RoomKey) -> str:
    """By which a media server knows it."""
    return f"{key.app_id}/{key.call_id}/{key.epoch}"


@dataclass(frozen=True, slots=True)
class _Said:
    session_id: str
    link_id: str
    media: LinkMessage
    tries: int = 1


class Room:
    """Runs in `run`; every other method returns at once. Used on the event loop."""

    def __init__(self, key: RoomKey, backend: SfuBackend, desk: RoomDesk, state: RoomState | None) -> None:
        """`state`: of a room that is to be claimed; None: it is to be made."""
        self.key = key
        self.backend = backend
        self._desk = desk
        self._seating = Seating(key, backend, desk, state) if state is not None else None
        self.entered = False
        """It was made or claimed, and stored."""
        self._wake = asyncio.Event()
        self._inbox: deque[_Said] = deque(maxlen=MAX_WAITING)
        self._happened: deque[tuple[int, bool]] = deque()
        """Seats that came up or went down."""
        self._missed = False
        """The server was away; what happened meanwhile was not told."""
        self._let_go = False
        self._lost: str | None = None
        self._retire_at: float | None = None

    def seat_up(self, handle: int) -> None:
        self._happened.append((handle, True))
        self._wake.set()

    def seat_down(self, handle: int) -> None:
        self._happened.append((handle, False))
        self._wake.set()

    def back(self) -> None:
        self._missed = True
        self._wake.set()

    def gone(self, reason: str) -> None:
        self._lost = reason
        self._wake.set()

    def changed(self) -> None:
        """The call, or what somebody wants to see, may be another."""
        self._wake.set()

    def let_go(self) -> None:
        """Another node has it."""
        self._let_go = True
        self._wake.set()

    def has(self, session_id: str, link_id: str) -> bool:
        link = self._seating.state.links.get(link_id) if self._seating is not None else None
        return link is not None and link.session_id == session_id

    def put(self, session_id: str, link_id: str, media: LinkMessage) -> None:
        """A message of a client to one of its links."""
        self._inbox.append(_Said(session_id, link_id, media))
        self._wake.set()

    async def run(self) -> None:
        """Until the room is given up, or another node has it. When cancelled, the room stays as it is."""
        try:
            while True:
                self._wake.clear()
                pause = None
                try:
                    if not await self._turn():
                        return
                except RoomGone as error:
                    self.gone(str(error))
                except SfuError as error:
                    logger.warning("call %s: %s", self.key.call_id, error)
                    if not self.entered:
                        self.gone(str(error))
                    pause = RETRY_S
                except (SQLAlchemyError, OSError, Conflict, CallAgentError):
                    logger.exception("call %s: its room waits %.1f s", self.key.call_id, RETRY_S)
                    pause = RETRY_S
                await self._wait(pause)
        except Taken:
            logger.info("call %s: another node has its room", self.key.call_id)
        finally:
            if self._seating is not None:
                self.backend.release(self._seating.state.ids)

    async def _wait(self, pause: float | None) -> None:
        if pause is not None:
            await asyncio.sleep(pause)
            return
        if self._lost is not None:
            return
        soon = self._retire_at is not None or (self._seating is not None and self._seating.waiting)
        try:
            async with asyncio.timeout(RETRY_S if soon else None):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _turn(self) -> bool:
        """All there is to do now. False when the room was given up. Raises Taken."""
        if self._let_go:
            raise Taken
        if self._lost is not None:
            logger.warning("call %s: its room is gone: %s", self.key.call_id, self._lost)
            await self._desk.remove(self.key)
            await self._desk.new_epoch(self.key)
            return False
        seating = self._seating if self._seating is not None and self.entered else await self._enter()
        call, views = await self._desk.facts(self.key)
        if call is None or call.over or self._retired(call):
            await self._end(seating)
            return False
        if self._retire_at is not None:
            return True
        seating.again = False
        seating.resync = seating.resync or self._missed
        self._missed = False
        await seating.catch_up()
        while self._happened:
            seating.seat_changed(*self._happened.popleft())
        while self._inbox:
            await self._take(seating, self._inbox.popleft())
        await seating.follow(call, views)
        return True

    async def _enter(self) -> Seating:
        """Make or claim it."""
        seating = self._seating
        if seating is None:
            state = RoomState(ids=await self.backend.create(room_name(self.key), self))
            seating = self._seating = Seating(self.key, self.backend, self._desk, state)
            logger.info("call %s: epoch %d is at %s", self.key.call_id, self.key.epoch, self.backend.url)
        else:
            await self.backend.claim(seating.state.ids, self)
            seating.forget_unsettled()
            logger.info("call %s: its room at %s goes on here", self.key.call_id, self.backend.url)
        await seating.store()
        self.entered = True
        return seating

    async def _take(self, seating: Seating, said: _Said) -> None:
        """Once more when the media server is back, unless it is this message that it does not answer."""
        try:
            await seating.take(said.session_id, said.link_id, said.media)
        except ServerAway:
            if said.tries < MAX_TRIES:
                self._inbox.appendleft(replace(said, tries=said.tries + 1))
            raise

    def _retired(self, call: Call) -> bool:
        """Whether the epoch has been over for long enough."""
        if call.epoch == self.key.epoch and call.placement is Placement.SFU:
            return False
        now = asyncio.get_running_loop().time()
        if self._retire_at is None:
            self._retire_at = now + LINGER_S
        return now >= self._retire_at

    async def _end(self, seating: Seating) -> None:
        try:
            await self.backend.destroy(seating.state.ids)
        except SfuError as error:
            logger.warning("call %s: its room is left to be swept: %s", self.key.call_id, error)
        await self._desk.remove(self.key)
