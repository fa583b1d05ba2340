# SPDX-License-Identifier: Apache-2.0
"""Media negotiation between two sessions of a call, relayed by the service."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from callagent.protocol.base import CallId, ShortText, Wire

Sdp = Annotated[str, StringConstraints(max_length=49152)]


class Track(Wire):
    """One track as `ports.TrackInfo`, on the wire."""

    id: ShortText
    owner: ShortText
    source: Literal["camera", "microphone", "screen", "screen_audio", "file"]
    layer: Literal["h", "l"] = "h"
    mid: ShortText


class IceCandidate(Wire):
    """As `RTCIceCandidate.toJSON()`; an empty candidate ends the list."""

    candidate: ShortText
    sdp_mid: ShortText | None = None
    sdp_m_line_index: Annotated[int, Field(ge=0)] | None = None


class LinkMessage(Wire):
    """One step of one epoch. A message of an older epoch than the call's is dropped by whoever reads it."""

    call_id: CallId
    epoch: Annotated[int, Field(ge=1)]
    kind: Literal["offer", "answer", "candidate", "restart"]
    """`restart`: to the media server, on a link it sends by: offer anew, with this message's attempt."""
    attempt: Annotated[str, StringConstraints(max_length=16)] = ""
    """Of a link to the media server that begins anew within the epoch: chosen at random by the client.
    A message of another attempt than the present one is dropped."""
    sdp: Sdp | None = None
    tracks: list[Track] = []
    candidate: IceCandidate | None = None


class MediaMessage(LinkMessage):
    """What sessions, and the media server, say to a session."""

    kind: Literal["offer", "answer", "candidate"]
