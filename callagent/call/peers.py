# SPDX-License-Identifier: GPL-3.0-or-later
"""The media of a call: one `MediaSession` per (peer session, epoch), negotiated and replaced.

A new epoch is made before the old one is closed. Everything is used on the event loop.
"""

import asyncio
import logging
from collections import deque
from typing import Literal, Protocol

from callagent.call.backoff import RetryBudget
from callagent.call.media_wire import ice_server
from callagent.call.peer_link import PeerLink
from callagent.ports import Clock, MediaSessionFactory, MediaSessionState, MonotonicClock, PeerKey
from callagent.protocol.events import OnMediaPlan, Signal
from callagent.protocol.media import MediaMessage

log = logging.getLogger(__name__)

HANDOVER_S = 10.0
"""The old epoch is closed after this even if the new one never connects."""
ASK_AGAIN_S = 8.0
"""A new epoch that was asked for and did not come is asked for again."""
MAX_EARLY = 64
"""Messages kept that came before their media plan."""


class PeersListener(Protocol):
    """Told on the loop."""

    def on_media_connected(self, peer: PeerKey) -> None: ...

    def on_media_first_frame(self, peer: PeerKey, kind: Literal["audio", "video"]) -> None: ...

    def on_media_dead(self, peer: PeerKey, reason: str) -> None:
        """Ask the service for a new epoch. Rationed: five times a minute, with back-off."""
        ...

    def send_media(self, session_id: str, message: MediaMessage) -> None: ...


class MediaPeers:
    """The peers of at most one call at a time."""

    def __init__(
        self,
        factory: MediaSessionFactory,
        own_user_id: str,
        listener: PeersListener,
        clock: Clock | None = None,
    ) -> None:
        self._factory = factory
        self._own_user_id = own_user_id
        self._listener = listener
        self._clock = clock or MonotonicClock()
        self._call_id = ""
        self._epoch = 0
        self._links: dict[str, PeerLink] = {}
        self._old_links: dict[str, PeerLink] = {}
        self._handover: asyncio.TimerHandle | None = None
        self._ask: asyncio.TimerHandle | None = None
        self._online = True
        self._unasked: tuple[PeerLink, str] | None = None
        """Who failed, and why, while nobody could be asked for a new epoch."""
        self._budget = RetryBudget()
        self._early: deque[Signal] = deque(maxlen=MAX_EARLY)
        self._closing: set[asyncio.Task[None]] = set()

    def start(self, plan: OnMediaPlan, own_session_id: str) -> None:
        """Make this plan's connections; the present ones stay until the new ones carry."""
        if plan.call_id != self._call_id:
            self._drop_call()
            self._call_id = plan.call_id
            self._budget = RetryBudget()
        elif plan.epoch <= self._epoch:
            return
        self._epoch = plan.epoch
        self._stop_asking()
        self._keep_carrying({peer.session_id for peer in plan.peers})
        servers = tuple(server for entry in plan.ice_servers if (server := ice_server(entry)) is not None)
        for peer in plan.peers:
            key = PeerKey(plan.call_id, peer.session_id, peer.user_id, plan.epoch)
            offers = own_session_id < peer.session_id
            self._links[peer.session_id] = PeerLink(
                key, self._factory, self._own_user_id, servers, offers=offers, owner=self
            )
        early, self._early = self._early, deque(maxlen=MAX_EARLY)
        for signal in early:
            self.relay(signal)

    def relay(self, signal: Signal) -> None:
        """A media message came in. Of an older epoch it is dropped, of a coming one kept."""
        media = signal.media
        if media.call_id == self._call_id and media.epoch < self._epoch:
            return
        if media.call_id != self._call_id or media.epoch > self._epoch:
            self._early.append(signal)
            return
        link = self._links.get(signal.sender)
        if link is not None:
            link.put(media)

    def close(self, call_id: str) -> None:
        """The call is over: nothing of it is heard or shown from now on. Returns at once."""
        self._early.clear()
        if call_id == self._call_id:
            self._drop_call()

    def _drop_call(self) -> None:
        self._stop_asking()
        self._retire_old()
        for link in self._links.values():
            self._dispose(link)
        self._links = {}
        self._call_id, self._epoch = "", 0

    def set_online(self, online: bool) -> None:
        """Whether the service can be asked. What failed while it could not is asked for at once.

        So is what was being negotiated: words of either side are lost then, and each would wait for the
        other's until its deadline.
        """
        came_back, self._online = online and not self._online, online
        if not came_back:
            return
        unasked, self._unasked = self._unasked, None
        if unasked is not None and self._is_current(unasked[0]):
            link, reason = unasked
        else:
            unconnected = next((link for link in self._links.values() if not link.connected), None)
            if unconnected is None:
                return
            link, reason = unconnected, "the service was away while it was negotiated"
        self._stop_asking()
        self._ask_for_epoch(link, reason, 0.0)

    def addresses_lost(self, lost: frozenset[str]) -> None:
        """The machine no longer has these: what was sent from one is dead, nobody need wait for that."""
        for link in tuple(self._links.values()):
            if link.session is None or not link.connected:
                continue
            # Of a relayed connection the address is not known: it may be a lost one.
            address = link.session.local_address
            if lost and (address is None or address in lost):
                self.link_dead(link, "its network address is gone")

    async def aclose(self) -> None:
        """Close and wait until every connection is released."""
        self.close(self._call_id)
        while self._closing:
            await asyncio.gather(*self._closing, return_exceptions=True)

    async def statistics(self) -> dict[str, dict[str, float | int | str]]:
        return {
            link.key.user_id: await link.session.statistics()
            for link in tuple(self._links.values())
            if link.session is not None
        }

    # --- what the links tell --------------------------------------------

    def send(self, link: PeerLink, message: MediaMessage) -> None:
        self._listener.send_media(link.key.session_id, message)

    def link_state(self, link: PeerLink, state: MediaSessionState) -> None:
        if not self._is_current(link):
            return
        if state is MediaSessionState.CONNECTED:
            old = self._old_links.pop(link.key.session_id, None)
            if old is not None:
                self._dispose(old)
            if all(other.connected for other in self._links.values()):
                self._stop_asking()
            self._listener.on_media_connected(link.key)

    def link_first_frame(self, link: PeerLink, kind: Literal["audio", "video"]) -> None:
        if self._is_current(link):
            self._listener.on_media_first_frame(link.key, kind)

    def link_dead(self, link: PeerLink, reason: str, grace_s: float = 0.0) -> None:
        if self._is_current(link) and self._ask is None and self._unasked is None:
            self._ask_for_epoch(link, reason, max(grace_s, self._budget.delay_s(self._clock.now())))

    def _is_current(self, link: PeerLink) -> bool:
        return self._links.get(link.key.session_id) is link

    def _ask_for_epoch(self, link: PeerLink, reason: str, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._ask = loop.call_later(delay_s, self._ask_due, link, reason)

    def _ask_due(self, link: PeerLink, reason: str) -> None:
        if not self._online:
            self._ask, self._unasked = None, (link, reason)
            return
        now = self._clock.now()
        log.warning("The media with %s (epoch %d) failed: %s", link.key.user_id, link.key.epoch, reason)
        self._budget.spend(now)
        # Armed before the listener is told: its answer may be the new plan, which disarms it.
        self._ask_for_epoch(link, reason, max(ASK_AGAIN_S, self._budget.delay_s(now)))
        self._listener.on_media_dead(link.key, reason)

    def _stop_asking(self) -> None:
        self._unasked = None
        if self._ask is not None:
            self._ask.cancel()
            self._ask = None

    # --- the old epoch --------------------------------------------------

    def _keep_carrying(self, session_ids: set[str]) -> None:
        """Of each peer that stays, the one connection that carries media lives until the handover."""
        links = [*self._old_links.values(), *self._links.values()]
        carrying = {
            link.key.session_id: link
            for link in links
            if link.connected and link.key.session_id in session_ids
        }
        for link in links:
            if carrying.get(link.key.session_id) is not link:
                self._dispose(link)
        self._links, self._old_links = {}, carrying
        if self._handover is not None:
            self._handover.cancel()
        self._handover = asyncio.get_running_loop().call_later(HANDOVER_S, self._retire_old)

    def _retire_old(self) -> None:
        if self._handover is not None:
            self._handover.cancel()
            self._handover = None
        for link in self._old_links.values():
            self._dispose(link)
        self._old_links = {}

    def _dispose(self, link: PeerLink) -> None:
        link.stop()
        task = asyncio.create_task(link.release(), name=f"closing media {link.key.user_id}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
