# SPDX-License-Identifier: GPL-3.0-or-later
"""The seats of one room: what clients say on their links is done, and each gets the links that are due.

Everything the media server gave is stored before a client hears of it, so that another node of the
service can go on with the room at any moment.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from callagent.protocol.events import MediaPeer
from callagent.protocol.media import LinkMessage, MediaMessage
from callagent.server.calls.group_media import Layer
from callagent.server.calls.model import Call, MemberStatus
from callagent.server.sfu.backend import FeedGone, Refused, RoomGone, SfuBackend
from callagent.server.sfu.links import (
    Link,
    RoomState,
    Views,
    due,
    new_feed,
    publication_of,
    subscribed_tracks,
)
from callagent.server.storage.seats import RoomKey

UNANSWERED_S = 10.0
"""After that a receive link whose offer nobody answered is replaced."""

logger = logging.getLogger(__name__)


class RoomDesk(Protocol):
    """A room's way to the rest of the service; see `desk.Desk`. Raises what the storage raises."""

    async def facts(self, key: RoomKey) -> tuple[Call | None, Views]: ...

    async def save(self, key: RoomKey, state: RoomState) -> bool: ...

    async def remove(self, key: RoomKey) -> None: ...

    async def announce(self, key: RoomKey, links: Mapping[str, Sequence[MediaPeer]]) -> None: ...

    async def tell(self, key: RoomKey, session_id: str, link_id: str, media: MediaMessage) -> None: ...

    async def new_epoch(self, key: RoomKey) -> None: ...


class Taken(Exception):
    """Another node has the room."""


@dataclass(frozen=True, slots=True)
class _Offer:
    link_id: str
    attempt: str
    sdp: str


class Seating:
    """Used by the room's one task. Raises SfuError, what the desk raises, and Taken."""

    def __init__(self, key: RoomKey, backend: SfuBackend, desk: RoomDesk, state: RoomState) -> None:
        self.state = state
        self.resync = False
        """Seats may have come up or gone down without a word."""
        self.again = False
        """Something is to be looked at again soon."""
        self._key = key
        self._backend = backend
        self._desk = desk
        self._stored: RoomState | None = None
        self._announced: dict[str, list[MediaPeer]] = {}
        """By session."""
        self._offers: list[_Offer] = []
        """Stored, not told yet."""
        self._offered_at: dict[str, float] = {}
        """Of receive links without an answer, loop time."""
        self._kicks: deque[int] = deque()
        """Seats to be ended."""

    @property
    def waiting(self) -> bool:
        """Whether there is something to do without anything happening."""
        return self.again or bool(self._offered_at)

    def forget_unsettled(self) -> None:
        """Who was being answered when a node died may have been told nothing: it begins anew."""
        for link in self.state.links.values():
            if link.handle is None or not (link.sends or link.up):
                self.state = self.state.without(link.link_id)
                self._kick(link)
        self.resync = True

    def seat_changed(self, handle: int, up: bool) -> None:
        link = self.state.by_handle(handle)
        if link is not None and link.sends:
            self._change(link, up=up)

    async def catch_up(self) -> None:
        """What the media server would have told."""
        if self.resync:
            up = await self._backend.feeds(self.state.ids)
            self.resync = False
            for link in self.state.links.values():
                if link.sends and link.handle is not None:
                    self._change(link, up=link.feed in up)

    async def take(self, session_id: str, link_id: str, media: LinkMessage) -> None:
        """A message of a client to one of its links."""
        link = self.state.links.get(link_id)
        if link is None or link.session_id != session_id or media.epoch != self._key.epoch:
            return
        try:
            match media.kind:
                case "offer" if link.sends and media.sdp is not None:
                    await self._publish(link, media, media.sdp)
                case "answer" if not link.sends and media.sdp is not None:
                    await self._answer(link, media, media.sdp)
                case "candidate" if media.candidate is not None:
                    if link.handle is not None and media.attempt == link.attempt:
                        await self._backend.candidate(self.state.ids, link.handle, media.candidate)
                case "restart" if not link.sends and media.attempt != link.attempt:
                    self._kick(link)
                    await self._subscribe(link.model_copy(update={"attempt": media.attempt}))
                case _:
                    logger.info("call %s: %s on link %s is dropped", media.call_id, media.kind, link.link_id)
        except RoomGone:
            raise
        except Refused as error:
            # The client's own deadline has it try again, or ask for a new epoch.
            logger.warning("call %s: %s of %s: %s", media.call_id, media.kind, link.user_id, error)
            self.resync = self.again = True

    async def _publish(self, link: Link, media: LinkMessage, sdp: str) -> None:
        if link.handle is not None and media.attempt == link.attempt:
            return  # once more
        publication = publication_of(media.tracks)
        feed = new_feed()
        descriptions = {track.mid: f"{track.source} {track.layer}" for track in media.tracks}
        seat = await self._backend.publish(self.state.ids, feed, sdp, descriptions)
        self._change(
            link,
            feed=feed,
            attempt=media.attempt,
            handle=seat.handle,
            up=False,
            publication=publication,
        )
        await self.store()
        answer = MediaMessage(
            call_id=media.call_id, epoch=media.epoch, kind="answer", attempt=media.attempt, sdp=seat.sdp
        )
        await self._desk.tell(self._key, link.session_id, link.link_id, answer)
        self._kick(link)

    async def _answer(self, link: Link, media: LinkMessage, sdp: str) -> None:
        if link.handle is None or link.up or media.attempt != link.attempt:
            return
        await self._backend.answer(self.state.ids, link.handle, sdp)
        self._offered_at.pop(link.link_id, None)
        self._change(link, up=True)
        await self.store()

    async def follow(self, call: Call, views: Views) -> None:
        """Give every connected session its links, and tell them."""
        self._replace_unanswered()
        work = due(call, self.state, views)
        for link in work.drop:
            self.state = self.state.without(link.link_id)
            self._offered_at.pop(link.link_id, None)
        for link in work.make:
            if link.sends:
                self.state = self.state.with_link(link)
            else:
                await self._make_receiver(link)
        await self.store()
        await self._tell_plans(call)
        await self._tell_offers()
        for link in work.drop:
            self._kick(link)
        for link, layer in work.layers:
            await self._set_layer(link, layer)
        await self.store()
        while self._kicks:
            await self._backend.kick(self.state.ids, self._kicks[0])
            self._kicks.popleft()

    def _replace_unanswered(self) -> None:
        now = asyncio.get_running_loop().time()
        for link_id, offered_at in list(self._offered_at.items()):
            if now - offered_at >= UNANSWERED_S:
                del self._offered_at[link_id]
                link = self.state.links.get(link_id)
                if link is not None:
                    self.state = self.state.without(link_id)
                    self._kick(link)

    async def _make_receiver(self, link: Link) -> None:
        try:
            await self._subscribe(link)
        except FeedGone:
            # It went down this moment; its seat says so, or `feeds` does.
            self.resync = self.again = True
        except RoomGone:
            raise
        except Refused as error:
            logger.warning("call %s: %s is not received: %s", self._key.call_id, link.user_id, error)

    async def _subscribe(self, link: Link) -> None:
        """Take a seat for a receive link; its offer is told after it was stored."""
        video = link.publication.video(link.layer)
        mids = [mid for mid in (link.publication.audio, video) if mid is not None]
        seat = await self._backend.subscribe(self.state.ids, link.feed, mids)
        made = link.model_copy(
            update={
                "handle": seat.handle,
                "up": False,
                "audio_mid": seat.mids.get(link.publication.audio or ""),
                "video_mid": seat.mids.get(video or ""),
            }
        )
        self.state = self.state.with_link(made)
        self._offers.append(_Offer(link.link_id, link.attempt, seat.sdp))
        if made.layer == "off" and made.video_mid is not None:
            await self._backend.pause(self.state.ids, seat.handle, made.video_mid)

    async def _tell_plans(self, call: Call) -> None:
        there = [m.session_id for m in call.with_status(MemberStatus.CONNECTED) if m.session_id is not None]
        peers = {session_id: self.state.peers(session_id) for session_id in there}
        news = {
            session_id: links
            for session_id, links in peers.items()
            if links != self._announced.get(session_id, [])
        }
        if news:
            await self._desk.announce(self._key, news)
        self._announced = peers

    async def _tell_offers(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._offers:
            offer = self._offers[0]
            link = self.state.links.get(offer.link_id)
            if link is not None and link.attempt == offer.attempt:
                media = MediaMessage(
                    call_id=self._key.call_id,
                    epoch=self._key.epoch,
                    kind="offer",
                    attempt=offer.attempt,
                    sdp=offer.sdp,
                    tracks=subscribed_tracks(link),
                )
                await self._desk.tell(self._key, link.session_id, link.link_id, media)
                self._offered_at[link.link_id] = now
            self._offers.pop(0)

    async def _set_layer(self, link: Link, layer: Layer) -> None:
        mid = link.publication.video(layer)
        if link.handle is None or link.video_mid is None or mid is None:
            return
        ids = self.state.ids
        try:
            if layer == "off":
                await self._backend.pause(ids, link.handle, link.video_mid)
            else:
                await self._backend.switch(ids, link.handle, link.video_mid, link.feed, mid)
        except RoomGone:
            raise
        except Refused as error:
            logger.warning("call %s: %s stays at %s: %s", self._key.call_id, link.user_id, link.layer, error)
            self.resync = self.again = True
        self._change(link, layer=layer)

    def _kick(self, link: Link) -> None:
        """Its seat is of no use any more."""
        if link.handle is not None:
            self._kicks.append(link.handle)

    def _change(self, link: Link, **fields: object) -> None:
        """Of a link that is still there."""
        present = self.state.links.get(link.link_id)
        if present is not None:
            self.state = self.state.with_link(present.model_copy(update=fields))

    async def store(self) -> None:
        """Raises Taken."""
        if self.state != self._stored:
            if not await self._desk.save(self._key, self.state):
                raise Taken
            self._stored = self.state
