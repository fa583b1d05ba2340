# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose pictures there are, in a stable order. Pure."""

from dataclasses import dataclass
from typing import Literal

from callagent.protocol.control import PeerStatus, SlotState
from callagent.protocol.enums import MediaType
from callagent.screen.known import Known
from callagent.screen.settings import Fill, ScreenSettings

OWN_CAMERA = "local/camera"
"""Stream id of the own picture."""


@dataclass(frozen=True, slots=True)
class Tile:
    id: str
    """Also the stream id on the frame channel."""
    user_id: str
    name: str
    kind: Literal["camera", "screen"] = "camera"
    own: bool = False
    has_video: bool = True
    """False: avatar or background in place of a picture."""
    muted: bool = False
    speaking: bool = False
    large: bool = False
    """This one is to be the large one, if only one can be."""
    reconnecting: bool = False
    private: bool = False
    quality: int = 0
    """`NetworkQuality`."""
    picture: str = ""
    """Path of what is shown without video; empty: the initials."""
    fill: Fill = "cover"
    mirror: bool = False


def tiles_of(known: Known, settings: ScreenSettings, now: float) -> tuple[Tile, ...]:
    """The other members in the order the agent has them, then the own picture."""
    status = known.status
    call = status.call if status is not None else None
    if status is None or call is None:
        return ()
    others = [_other(peer, known, settings, now) for peer in call.peers]
    if settings.own_picture == "none" or call.media_type is not MediaType.VIDEO:
        return tuple(others)
    camera = status.slots.get("camera")
    own = Tile(
        OWN_CAMERA,
        status.user_id,
        "",
        own=True,
        has_video=camera is not None and camera.state is not SlotState.OFF and not status.privacy.on,
        muted=_muted(known),
        speaking=known.voices.get(status.user_id, 0.0) > now and not _muted(known),
        large=settings.own_picture == "large",
        private=status.privacy.on,
        picture=settings.picture_of(status.user_id),
        fill=settings.fill,
        mirror=settings.mirror,
    )
    return (*others, own)


def stream_of(user_id: str, source: Literal["camera", "screen"] = "camera") -> str:
    """Stream id of another member's picture."""
    return f"remote/{user_id}/{source}"


def _other(peer: PeerStatus, known: Known, settings: ScreenSettings, now: float) -> Tile:
    user = peer.user_id
    return Tile(
        stream_of(user),
        user,
        settings.name_of(user) or known.names.get(user) or user,
        has_video=peer.video_available,
        muted=not peer.audio_available,
        speaking=known.voices.get(user, 0.0) > now,
        reconnecting=peer.reconnecting,
        private=user in known.private,
        quality=known.quality.get(user, 0),
        picture=settings.picture_of(user),
        fill=(settings.fill_of or {}).get(user, settings.fill),
    )


def _muted(known: Known) -> bool:
    status = known.status
    assert status is not None
    microphone = status.slots.get("microphone")
    return status.privacy.on or bool(microphone is not None and microphone.details.get("muted"))
