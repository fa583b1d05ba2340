# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the media messages on the wire and the ports' words for the same things."""

from typing import Any, Literal

from callagent.ports import (
    Candidate,
    IceServer,
    Layer,
    PeerKey,
    SessionDescription,
    TrackInfo,
    TrackSource,
)
from callagent.protocol.media import MediaMessage, Track


def ice_server(entry: dict[str, Any]) -> IceServer | None:
    """A W3C RTCIceServer object; None when it names no server."""
    urls = entry.get("urls")
    if isinstance(urls, str):
        urls = [urls]
    if not isinstance(urls, list) or not urls or not all(isinstance(url, str) for url in urls):
        return None
    username, credential = entry.get("username"), entry.get("credential")
    return IceServer(
        tuple(urls),
        username if isinstance(username, str) else None,
        credential if isinstance(credential, str) else None,
    )


def to_message(key: PeerKey, description: SessionDescription) -> MediaMessage:
    return MediaMessage(
        call_id=key.call_id,
        epoch=key.epoch,
        kind=description.type,
        sdp=description.sdp,
        tracks=[
            Track(
                id=track.id,
                owner=track.owner,
                source=track.source.value,
                layer=track.layer.value,
                mid=track.mid,
            )
            for track in description.tracks
        ],
    )


def to_description(message: MediaMessage) -> SessionDescription:
    """Raises ValueError when the message has no SDP."""
    if message.sdp is None or message.kind == "candidate":
        raise ValueError(f"the {message.kind} has no SDP")
    kind: Literal["offer", "answer"] = message.kind
    tracks = tuple(
        TrackInfo(track.id, track.owner, TrackSource(track.source), Layer(track.layer), track.mid)
        for track in message.tracks
    )
    return SessionDescription(kind, message.sdp, tracks)


def to_candidate(message: MediaMessage) -> Candidate:
    """Raises ValueError when there is none in it."""
    if message.candidate is None:
        raise ValueError("the candidate is missing")
    given = message.candidate
    return Candidate(given.candidate, given.sdp_mid, given.sdp_m_line_index)
