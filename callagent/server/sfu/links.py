# SPDX-License-Identifier: GPL-3.0-or-later
"""The links of one room: what is stored of them, and what is still to be done for a call. Pure.

A link is one peer connection between a session and the media server, as `onMediaPlan` names it: one by
which a member sends, and one for each other member whose media it receives.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from callagent.protocol.enums import MediaFlow
from callagent.protocol.events import MediaPeer
from callagent.protocol.media import Track
from callagent.server.calls.group_media import Layer
from callagent.server.calls.model import Call, MemberStatus
from callagent.server.sfu.backend import RoomIds

Views = Mapping[tuple[str, str], Layer]
"""What a session (first) wants of a user (second); absent: h."""


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True)


class Publication(_Stored):
    """What a member offered to send: m-line ids, None where it has none."""

    audio: str | None = None
    h: str | None = None
    l: str | None = None  # noqa: E741 (the layer's name)
    tracks: tuple[Track, ...] = ()

    @property
    def mids(self) -> list[str]:
        return [mid for mid in (self.audio, self.h, self.l) if mid is not None]

    def video(self, layer: Layer) -> str | None:
        """Where the layer is, or the other one in its place."""
        return (self.l or self.h) if layer == "l" else (self.h or self.l)


class Link(_Stored):
    link_id: str
    session_id: str
    """Whose peer connection it is."""
    user_id: str
    """Whose media it is."""
    flow: MediaFlow
    feed: int = 0
    """Sending: the number it publishes under. Receiving: of whom."""
    attempt: str = ""
    handle: int | None = None
    """Its seat; None: not negotiated yet."""
    up: bool = False
    publication: Publication = Publication()
    """Sending: what is sent. Receiving: what it was made from."""
    audio_mid: str | None = None
    video_mid: str | None = None
    """Receiving: its own m-line ids."""
    layer: Layer = "h"
    """Receiving: what it is given."""

    @property
    def sends(self) -> bool:
        return self.flow is MediaFlow.SEND


class RoomState(_Stored):
    """Stored, so that another node of the service can go on."""

    ids: RoomIds
    links: dict[str, Link] = {}

    def with_link(self, link: Link) -> "RoomState":
        return self.model_copy(update={"links": self.links | {link.link_id: link}})

    def without(self, link_id: str) -> "RoomState":
        return self.model_copy(update={"links": {k: v for k, v in self.links.items() if k != link_id}})

    def by_handle(self, handle: int) -> Link | None:
        return next((link for link in self.links.values() if link.handle == handle), None)

    def peers(self, session_id: str) -> list[MediaPeer]:
        """The links of a session as its media plan lists them."""
        return [
            MediaPeer(user_id=link.user_id, session_id=link.link_id, flow=link.flow)
            for link in self.links.values()
            if link.session_id == session_id
        ]


@dataclass(frozen=True, slots=True)
class Due:
    """What a room is to do for its call."""

    drop: tuple[Link, ...]
    """Links that have no use any more."""
    make: tuple[Link, ...]
    """New ones; those that receive are to be subscribed."""
    layers: tuple[tuple[Link, Layer], ...]
    """Receiving links that are to get something else."""


def due(call: Call, state: RoomState, views: Views) -> Due:
    """One send link for each connected session, a receive link for each other member that is up."""
    sessions = {
        member.session_id: member.user_id
        for member in call.with_status(MemberStatus.CONNECTED)
        if member.session_id is not None
    }
    senders = [link for link in state.links.values() if link.sends and link.session_id in sessions]
    up = [link for link in senders if link.up and link.publication.mids]
    wanted = {
        (session_id, link.feed): link
        for session_id, user_id in sessions.items()
        for link in up
        if link.user_id != user_id
    }
    receiving = [link for link in state.links.values() if not link.sends]
    kept = [link for link in receiving if (link.session_id, link.feed) in wanted]
    drop = [link for link in state.links.values() if link not in senders and link not in kept]
    sending = {link.session_id for link in senders}
    there = {(link.session_id, link.feed) for link in kept}
    make = [_send(session, user) for session, user in sessions.items() if session not in sending]
    make += [
        _receive(session_id, sender, views.get((session_id, sender.user_id), "h"))
        for (session_id, feed), sender in wanted.items()
        if (session_id, feed) not in there
    ]
    layers = [
        (link, layer)
        for link in kept
        if link.handle is not None
        and link.video_mid is not None
        and (layer := views.get((link.session_id, link.user_id), "h")) != link.layer
    ]
    return Due(tuple(drop), tuple(make), tuple(layers))


def new_feed() -> int:
    return secrets.randbelow(2**52) + 1


def publication_of(tracks: Sequence[Track]) -> Publication:
    """By what the client says of its m-lines."""
    audio = next((track.mid for track in tracks if track.source == "microphone"), None)
    pictures = {track.layer: track.mid for track in reversed(tracks) if track.source == "camera"}
    return Publication(audio=audio, h=pictures.get("h"), l=pictures.get("l"), tracks=tuple(tracks))


def subscribed_tracks(link: Link) -> list[Track]:
    """What the m-lines of a receiving link carry: the tracks of the sender, by this link's m-line ids."""
    sent = link.publication
    pairs = ((sent.audio, link.audio_mid), (sent.video(link.layer), link.video_mid))
    return [
        track.model_copy(update={"mid": own})
        for mid, own in pairs
        for track in sent.tracks
        if mid is not None and own is not None and track.mid == mid
    ]


def _link_id() -> str:
    """As a session's id looks."""
    return secrets.token_hex(8)


def _send(session_id: str, user_id: str) -> Link:
    return Link(link_id=_link_id(), session_id=session_id, user_id=user_id, flow=MediaFlow.SEND)


def _receive(session_id: str, sender: Link, layer: Layer) -> Link:
    return Link(
        link_id=_link_id(),
        session_id=session_id,
        user_id=sender.user_id,
        flow=MediaFlow.RECEIVE,
        feed=sender.feed,
        publication=sender.publication,
        layer=layer,
    )
