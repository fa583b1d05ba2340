# SPDX-License-Identifier: GPL-3.0-or-later
"""The tracks of one session: which stream feeds which line, which line feeds which sink."""

import logging
from collections.abc import Iterable
from functools import partial

from aiortc import RTCPeerConnection, RTCRtpTransceiver

from callagent.ports import (
    UNTRACED,
    Clock,
    Codec,
    EncodedStream,
    Layer,
    LocalMedia,
    MediaSessionListener,
    NetworkReport,
    PeerKey,
    RemoteMedia,
    Tracer,
    TrackInfo,
    TrackSource,
)
from callagent.rtc import aiortc_compat as compat
from callagent.rtc.incoming import IncomingAudio, IncomingTrack, IncomingVideo
from callagent.rtc.outgoing import OutgoingTrack
from callagent.rtc.sdp import Kind
from callagent.rtc.settings import RtcSettings
from callagent.rtc.statistics import (
    Figures,
    FrameRate,
    connection_figures,
    incoming_figures,
    outgoing_figures,
    round_trip_s,
)

logger = logging.getLogger(__name__)

_CODECS = {codec.lower(): codec for codec in Codec}
_DEFAULT_SOURCE = {"audio": TrackSource.MICROPHONE, "video": TrackSource.CAMERA}
_KINDS = {
    TrackSource.CAMERA: ("video",),
    TrackSource.SCREEN: ("video",),
    TrackSource.MICROPHONE: ("audio",),
    TrackSource.SCREEN_AUDIO: ("audio",),
    TrackSource.FILE: ("audio", "video"),
}


def track_of(kind: Kind, mid: str, owner: str) -> TrackInfo:
    """The track of a line nothing else is known of: the owner's camera or microphone."""
    source = _DEFAULT_SOURCE[kind]
    return TrackInfo(f"{owner}/{source}/{Layer.HIGH}", owner, source, Layer.HIGH, mid)


def announced_track(kind: Kind, mid: str, owner: str, announced: Iterable[TrackInfo]) -> TrackInfo:
    """What the sender said of the line with this mid, as far as it fits the line's kind."""
    for track in announced:
        if track.mid == mid and kind in _KINDS[track.source]:
            return track
    return track_of(kind, mid, owner)


class SessionTracks:
    """Owns what moves media of one connection. Used on the loop."""

    def __init__(
        self,
        peer: PeerKey,
        own_user_id: str,
        local: LocalMedia,
        remote: RemoteMedia,
        settings: RtcSettings,
        clock: Clock,
        listener: MediaSessionListener,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self._tracer = tracer
        self._peer = peer
        self._own_user_id = own_user_id
        self._local = local
        self._remote = remote
        self._settings = settings
        self._clock = clock
        self._listener = listener
        self._transceivers: dict[Kind, RTCRtpTransceiver] = {}
        self._outgoing: dict[Kind, OutgoingTrack] = {}
        self._incoming: dict[Kind, IncomingTrack] = {}
        self._rates: dict[str, FrameRate] = {}
        self._began = clock.now()
        self._first_frames_s: dict[str, float] = {}

    def begin(self) -> None:
        """The first description is being made; first frames are timed from here."""
        self._began = self._clock.now()

    def add_transceiver(self, kind: Kind, transceiver: RTCRtpTransceiver) -> None:
        """Before the descriptions are set."""
        self._transceivers[kind] = transceiver

    def announced(self) -> tuple[TrackInfo, ...]:
        """This side's tracks, once the local description is set."""
        return tuple(
            track_of(kind, transceiver.mid, self._own_user_id)
            for kind, transceiver in self._transceivers.items()
            if transceiver.mid is not None
        )

    def start_receiving(self, announced: Iterable[TrackInfo]) -> None:
        """The remote description is set: give what it sends to the sinks the agent gives."""
        for kind, transceiver in self._transceivers.items():
            if transceiver.receiver.track is None or transceiver.mid is None or kind in self._incoming:
                continue
            info = announced_track(kind, transceiver.mid, self._peer.user_id, announced)
            on_first_frame = partial(self._on_first_frame, kind)
            if kind == "video":
                video = IncomingVideo(
                    transceiver.receiver, self._clock, on_first_frame, self._round_trip, self._tracer
                )
                video.start(self._remote.video_sink(self._peer, info, video))
                self._incoming[kind] = video
            else:
                audio = IncomingAudio(transceiver.receiver, self._clock, on_first_frame)
                audio.start(self._remote.audio_sink(self._peer, info, audio))
                self._incoming[kind] = audio

    def start_sending(self, start_bps: int | None) -> None:
        """Both descriptions are set: subscribe to what the other side wants to receive.

        `start_bps`: what the congestion control begins with; None where there is none.
        """
        known = None if start_bps is None else NetworkReport(available_bps=start_bps, loss_counted=True)
        for kind, transceiver in self._transceivers.items():
            codec = _CODECS.get((compat.negotiated_codec(transceiver) or "").lower())
            if codec is None or transceiver.currentDirection not in ("sendrecv", "sendonly"):
                continue
            stream, capacity = self._stream(kind, codec)
            outgoing = OutgoingTrack(stream, self._subscriber, capacity, self._clock, self._tracer, known)
            self._outgoing[kind] = outgoing
            compat.send_from(transceiver.sender, outgoing)
            compat.resend_by(transceiver.sender, outgoing.retransmissions, self._clock)

    def on_available(self, bps: int) -> None:
        """What the way carries besides sound, as the congestion control has it."""
        if "video" in self._outgoing:
            self._outgoing["video"].on_report(NetworkReport(available_bps=bps, loss_counted=True))

    def stop_sending(self) -> None:
        """Leave the streams, so that nothing is encoded for a dead connection. Idempotent."""
        for outgoing in self._outgoing.values():
            outgoing.close()

    async def close(self) -> None:
        """Stop everything and give the sinks back. The connection is closed by then."""
        self.stop_sending()
        for incoming in self._incoming.values():
            await incoming.close()
        self._remote.release(self._peer)

    async def figures(self, connection: RTCPeerConnection) -> Figures:
        """All statistics of the session, see `callagent.rtc.statistics`."""
        figures = await connection_figures(connection)
        figures |= outgoing_figures(self._outgoing) | incoming_figures(self._incoming)
        figures |= {f"{kind}_first_frame_s": seconds for kind, seconds in self._first_frames_s.items()}
        for name in ("video_frames_sent", "video_frames_received"):
            if name in figures:
                rate = self._rates.setdefault(name, FrameRate())
                figures[name.replace("frames", "fps")] = rate.look(int(figures[name]), self._clock.now())
        return figures

    @property
    def _subscriber(self) -> str:
        # Of one peer there are two connections while a new epoch takes over.
        return f"{self._peer.call_id}/{self._peer.session_id}/{self._peer.epoch}"

    def _stream(self, kind: Kind, codec: Codec) -> tuple[EncodedStream, int]:
        if kind == "video":
            return self._local.video(codec, None), self._settings.video_send_frames
        return self._local.audio(), self._settings.audio_send_packets

    def _round_trip(self) -> float | None:
        """Seconds, by the newest receiver report of the other side."""
        return round_trip_s(self._outgoing)

    def _on_first_frame(self, kind: Kind) -> None:
        self._first_frames_s[kind] = self._clock.now() - self._began
        try:
            self._listener.on_first_frame(self._peer, kind)
        except Exception:
            logger.exception("a listener failed")
