# SPDX-License-Identifier: Apache-2.0
"""What the call engine needs of WebRTC: one peer connection, seen from outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from callagent.ports.encoded import Codec, EncodedStream, Layer
from callagent.ports.received import PacketSink, PictureSink, ReceiverControl


class TrackSource(StrEnum):
    """What a track shows; several of one owner may run side by side."""

    CAMERA = "camera"
    MICROPHONE = "microphone"
    SCREEN = "screen"
    SCREEN_AUDIO = "screen_audio"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class TrackInfo:
    """One track of one member, as announced beside the SDP that carries it."""

    id: str
    owner: str
    """User id of the member the track belongs to."""
    source: TrackSource
    layer: Layer
    mid: str
    """The SDP media id (RFC 5888) of the m-line that carries it."""


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """An SDP body, its role (RFC 8829) and the tracks its sender sends."""

    type: Literal["offer", "answer"]
    sdp: str
    tracks: tuple[TrackInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server (W3C RTCIceServer)."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One trickled ICE candidate (RFC 8838); `candidate` empty means end of candidates."""

    candidate: str
    sdp_mid: str | None = None
    sdp_m_line_index: int | None = None


@dataclass(frozen=True, slots=True)
class PeerKey:
    """Which connection of which call this is: a new epoch is a new peer connection."""

    call_id: str
    session_id: str
    """The other side's signalling session."""
    user_id: str
    """The other side's user."""
    epoch: int


class MediaSessionState(StrEnum):
    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    FAILED = "failed"
    CLOSED = "closed"


class MediaSessionListener(Protocol):
    """Told on the event loop what happens to a session."""

    def on_media_state(self, peer: PeerKey, state: MediaSessionState) -> None: ...

    def on_first_frame(self, peer: PeerKey, kind: Literal["audio", "video"]) -> None:
        """The first decoded frame of that kind arrived."""
        ...


class MediaSession(Protocol):
    """One peer connection of one epoch. Used on the event loop only.

    Audio and video are always negotiated in both directions; whether anything
    flows follows the slots (muted, camera off), so nothing is renegotiated for that.
    Errors of the description are raised as ValueError.
    """

    @property
    def peer(self) -> PeerKey: ...

    @property
    def state(self) -> MediaSessionState: ...

    @property
    def local_address(self) -> str | None:
        """The address of this machine its media leaves from; None while that is not known."""
        ...

    async def create_offer(self) -> SessionDescription:
        """The offer, host candidates included; returns without waiting for STUN."""
        ...

    async def create_answer(self, offer: SessionDescription) -> SessionDescription: ...

    async def set_answer(self, answer: SessionDescription) -> None: ...

    async def add_candidate(self, candidate: Candidate) -> None: ...

    async def statistics(self) -> dict[str, float | int | str]:
        """Flat figures: codec, packets and bytes each way, round trip in seconds, loss."""
        ...

    async def close(self) -> None:
        """Release the connection, its subscriptions and the sinks of its media. Idempotent."""
        ...


class MediaSessionFactory(Protocol):
    """Makes sessions; the agent plugs in the one that speaks WebRTC."""

    def create(
        self,
        peer: PeerKey,
        own_user_id: str,
        ice_servers: Sequence[IceServer],
        listener: MediaSessionListener,
    ) -> MediaSession: ...


class LocalMedia(Protocol):
    """What this machine sends; the same streams for every peer. Used on the event loop."""

    def video(self, codec: Codec, layer: Layer | None) -> EncodedStream:
        """The camera's stream in that codec and layer; encoded only while somebody subscribes.

        None: each peer gets the layer that its own way carries, and goes over to the other at a key frame.
        """
        ...

    def audio(self) -> EncodedStream:
        """The microphone's Opus stream."""
        ...


class RemoteMedia(Protocol):
    """Where a peer's media goes, encoded as it came. Called on the event loop."""

    def video_sink(self, peer: PeerKey, track: TrackInfo, control: ReceiverControl) -> PictureSink: ...

    def audio_sink(self, peer: PeerKey, track: TrackInfo, control: ReceiverControl) -> PacketSink: ...

    def release(self, peer: PeerKey) -> None:
        """The peer connection is gone: drop the sinks made for it. Idempotent."""
        ...
