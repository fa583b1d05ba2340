# SPDX-License-Identifier: GPL-3.0-or-later
"""A session's figures, flat, as `ports.MediaSession.statistics` gives them.

Of what comes in: `audio_frames_received` are packets of 20 ms, `video_frames_received`
complete pictures, both before decoding; `datagrams_dropped` were given up because this
machine was too slow for them; `video_retransmissions_asked` single packets,
`video_key_frames_asked` PLI sent. To these come the figures of the sinks, each with
`audio_` or `video_` before its name (`callagent.media.playout`): `video_frames_decoded`,
`video_frames_dropped_late`, `_behind`, `_broken`, `video_decode_ms`,
`video_playout_delay_ms`, `video_freezes`, `video_freezes_s`.
"""

from collections.abc import Mapping

from aiortc import RTCPeerConnection
from aiortc.stats import RTCInboundRtpStreamStats, RTCOutboundRtpStreamStats

from callagent.rtc.aioice_compat import datagrams_dropped
from callagent.rtc.aiortc_compat import selected_pair, transport_statistics
from callagent.rtc.incoming import IncomingTrack
from callagent.rtc.outgoing import OutgoingTrack
from callagent.rtc.sdp import Kind

Figures = dict[str, float | int | str]


class FrameRate:
    """Frames per second between two looks."""

    def __init__(self) -> None:
        self._frames = 0
        self._at: float | None = None
        self._rate = 0.0

    def look(self, frames: int, now: float) -> float:
        """The rate since the last look; looks closer than half a second repeat the last rate."""
        if self._at is None:
            self._frames, self._at = frames, now
        elif now - self._at >= 0.5:
            self._rate = (frames - self._frames) / (now - self._at)
            self._frames, self._at = frames, now
        return self._rate


async def connection_figures(connection: RTCPeerConnection) -> Figures:
    """Totals of the transport and, as `{kind}_…`, of the RTP streams; loss counted by this side."""
    figures: Figures = {}
    transport = transport_statistics(connection)
    if transport is not None:
        figures["packets_sent"] = transport.packetsSent
        figures["packets_received"] = transport.packetsReceived
        figures["bytes_sent"] = transport.bytesSent
        figures["bytes_received"] = transport.bytesReceived
        figures["datagrams_dropped"] = datagrams_dropped(connection)
    pair = selected_pair(connection)
    if pair is not None:
        figures["local_candidate"], figures["remote_candidate"] = pair
    for stream in (await connection.getStats()).values():
        if isinstance(stream, RTCOutboundRtpStreamStats):
            figures[f"{stream.kind}_packets_sent"] = stream.packetsSent
            figures[f"{stream.kind}_bytes_sent"] = stream.bytesSent
        elif isinstance(stream, RTCInboundRtpStreamStats):
            for name, value in (("received", stream.packetsReceived), ("lost", stream.packetsLost)):
                key = f"{stream.kind}_packets_{name}"
                figures[key] = int(figures.get(key, 0)) + value
    return figures


def outgoing_figures(outgoing: Mapping[Kind, OutgoingTrack]) -> Figures:
    """What is sent and what the other side says of it: loss 0.0 to 1.0, round trip in seconds."""
    figures: Figures = {}
    for kind, track in outgoing.items():
        figures[f"{kind}_codec"] = str(track.codec)
        figures[f"{kind}_frames_sent"] = track.frames_sent
        figures[f"{kind}_frames_dropped"] = track.frames_dropped
        for name, value in track.last_report.items():
            figures[f"{kind}_remote_{name}"] = value
    round_trip = round_trip_s(outgoing)
    if round_trip is not None:
        figures["round_trip_s"] = round_trip
    return figures


def round_trip_s(outgoing: Mapping[Kind, OutgoingTrack]) -> float | None:
    """The shortest that the other side's reports told; None before the first."""
    reports = [track.last_report for track in outgoing.values()]
    return min((report["round_trip_s"] for report in reports if "round_trip_s" in report), default=None)


def incoming_figures(incoming: Mapping[Kind, IncomingTrack]) -> Figures:
    """What was handed to each sink, and what the sink says of it."""
    figures: Figures = {}
    for kind, track in incoming.items():
        figures[f"{kind}_frames_received"] = track.frames
        figures |= {f"{kind}_{name}": value for name, value in track.figures().items()}
    return figures
