# SPDX-License-Identifier: GPL-3.0-or-later
"""One peer connection of one epoch: its negotiation, its deadlines, its end."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Literal, Protocol

from callagent.call.media_wire import to_candidate, to_description, to_message
from callagent.ports import (
    IceServer,
    MediaSession,
    MediaSessionFactory,
    MediaSessionState,
    PeerKey,
)
from callagent.protocol.media import MediaMessage

log = logging.getLogger(__name__)

NEGOTIATION_S = 8.0
"""Offer and answer are both there by then."""
CONNECT_S = 15.0
"""From then on the media has this long to connect."""
CLOSE_S = 5.0
CLOSED_GRACE_S = 1.5
"""The word that the call is over comes another way than the end of its media, and often later."""
MAX_INBOX = 256
MAX_CANDIDATES = 64


class LinkOwner(Protocol):
    def send(self, link: "PeerLink", message: MediaMessage) -> None: ...

    def link_state(self, link: "PeerLink", state: MediaSessionState) -> None: ...

    def link_first_frame(self, link: "PeerLink", kind: Literal["audio", "video"]) -> None: ...

    def link_dead(self, link: "PeerLink", reason: str, grace_s: float = 0.0) -> None:
        """It failed and will not come back; may be told more than once.

        `grace_s`: the reason may explain itself meanwhile, by the end of the call or by a new plan.
        """
        ...


class PeerLink:
    """Works from the moment it is made; `stop`, then `release` end it. Used on the event loop."""

    def __init__(
        self,
        key: PeerKey,
        factory: MediaSessionFactory,
        own_user_id: str,
        ice_servers: Sequence[IceServer],
        *,
        offers: bool,
        owner: LinkOwner,
    ) -> None:
        self.key = key
        self._factory = factory
        self._own_user_id = own_user_id
        self._ice_servers = ice_servers
        self._offers = offers
        self._owner = owner
        self._inbox: asyncio.Queue[MediaMessage] = asyncio.Queue(MAX_INBOX)
        self.closed = False
        self.session: MediaSession | None = None
        self._task = asyncio.create_task(self._live(), name=f"media {key.user_id} epoch {key.epoch}")

    @property
    def connected(self) -> bool:
        session = self.session
        return not self.closed and session is not None and session.state is MediaSessionState.CONNECTED

    def put(self, message: MediaMessage) -> None:
        """A message of this epoch from this peer."""
        try:
            self._inbox.put_nowait(message)
        except asyncio.QueueFull:
            log.warning("%s floods this side with media messages; one is dropped", self.key.user_id)

    def stop(self) -> None:
        """From now on it tells its owner nothing. Idempotent."""
        self.closed = True
        self._task.cancel()

    async def release(self) -> None:
        """Give the connection back, after `stop`."""
        await asyncio.gather(self._task, return_exceptions=True)
        if self.session is None:
            return
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.session.close()
        except TimeoutError:
            log.warning("The media with %s did not close within %.0f s", self.key.user_id, CLOSE_S)
        except Exception:
            log.exception("The media with %s did not close properly", self.key.user_id)

    # --- MediaSessionListener -------------------------------------------

    def on_media_state(self, peer: PeerKey, state: MediaSessionState) -> None:
        if self.closed or peer != self.key:
            return
        self._owner.link_state(self, state)
        if state is MediaSessionState.FAILED:
            self._owner.link_dead(self, "the connection failed")
        elif state is MediaSessionState.CLOSED:
            self._owner.link_dead(self, "the other side closed the connection", CLOSED_GRACE_S)

    def on_first_frame(self, peer: PeerKey, kind: Literal["audio", "video"]) -> None:
        if not self.closed and peer == self.key:
            self._owner.link_first_frame(self, kind)

    # --- the negotiation ------------------------------------------------

    async def _live(self) -> None:
        try:
            session = self._factory.create(self.key, self._own_user_id, self._ice_servers, self)
            self.session = session
            early = await self._negotiate(session)
            for message in early:
                await self._add_candidate(session, message)
            await self._trickle(session)
        except _TooLate as error:
            self._die(str(error))
        except ValueError as error:
            self._die(f"a description cannot be used: {error}")
        except Exception as error:
            log.exception("The media with %s cannot be set up", self.key.user_id)
            self._die(f"it cannot be set up: {error}")

    def _die(self, reason: str) -> None:
        if not self.closed:
            self._owner.link_dead(self, reason)

    async def _negotiate(self, session: MediaSession) -> list[MediaMessage]:
        """Offer and answer, in either role; returns the candidates that overtook them."""
        early: list[MediaMessage] = []
        try:
            async with asyncio.timeout(NEGOTIATION_S):
                if self._offers:
                    self._owner.send(self, to_message(self.key, await session.create_offer()))
                    await session.set_answer(to_description(await self._description("answer", early)))
                else:
                    offer = to_description(await self._description("offer", early))
                    self._owner.send(self, to_message(self.key, await session.create_answer(offer)))
        except TimeoutError:
            raise _TooLate("the other side did not negotiate in time") from None
        return early

    async def _description(self, kind: Literal["offer", "answer"], early: list[MediaMessage]) -> MediaMessage:
        while True:
            message = await self._inbox.get()
            if message.kind == kind:
                return message
            if message.kind == "candidate" and len(early) < MAX_CANDIDATES:
                early.append(message)

    async def _trickle(self, session: MediaSession) -> None:
        """Candidates as they come, as long as the connection lives (RFC 8838)."""
        deadline = asyncio.get_running_loop().call_later(CONNECT_S, self._connect_overdue)
        try:
            while True:
                message = await self._inbox.get()
                if message.kind == "candidate":
                    await self._add_candidate(session, message)
        finally:
            deadline.cancel()

    def _connect_overdue(self) -> None:
        if not self.connected:
            self._die("it did not connect in time")

    async def _add_candidate(self, session: MediaSession, message: MediaMessage) -> None:
        try:
            await session.add_candidate(to_candidate(message))
        except ValueError as error:
            log.warning("A candidate of %s cannot be used: %s", self.key.user_id, error)


class _TooLate(Exception):
    """A deadline of the negotiation passed."""
