# SPDX-License-Identifier: Apache-2.0
"""The contracts between the rooms of the house.

Nothing here does I/O or imports another package of ours. A room that needs
something of another room names it here; the agent (the composition root) plugs
the implementations in.
"""

from callagent.ports.clock import Clock, MonotonicClock
from callagent.ports.encoded import Codec, EncodedFrame, EncodedSink, EncodedStream, Layer, NetworkReport
from callagent.ports.frames import AudioFrame, PixelFormat, Plane, Rotation, VideoFrame
from callagent.ports.received import (
    PacketSink,
    PictureSink,
    ReceivedPacket,
    ReceivedPicture,
    ReceiverControl,
)
from callagent.ports.session import (
    Candidate,
    IceServer,
    LocalMedia,
    MediaSession,
    MediaSessionFactory,
    MediaSessionListener,
    MediaSessionState,
    PeerKey,
    RemoteMedia,
    SessionDescription,
    TrackInfo,
    TrackSource,
)
from callagent.ports.sinks import AudioSink, FrameSink
from callagent.ports.sources import (
    AudioOutput,
    AudioPull,
    AudioSource,
    CodedSource,
    SourceError,
    SourceState,
    VideoMode,
    VideoSource,
)
from callagent.ports.trace import UNTRACED, Drop, Stage, Tracer

__all__ = [
    "UNTRACED",
    "AudioFrame",
    "AudioOutput",
    "AudioPull",
    "AudioSink",
    "AudioSource",
    "Candidate",
    "Clock",
    "Codec",
    "CodedSource",
    "Drop",
    "EncodedFrame",
    "EncodedSink",
    "EncodedStream",
    "FrameSink",
    "IceServer",
    "Layer",
    "LocalMedia",
    "MediaSession",
    "MediaSessionFactory",
    "MediaSessionListener",
    "MediaSessionState",
    "MonotonicClock",
    "NetworkReport",
    "PacketSink",
    "PeerKey",
    "PictureSink",
    "PixelFormat",
    "Plane",
    "ReceivedPacket",
    "ReceivedPicture",
    "ReceiverControl",
    "RemoteMedia",
    "Rotation",
    "SessionDescription",
    "SourceError",
    "SourceState",
    "Stage",
    "Tracer",
    "TrackInfo",
    "TrackSource",
    "VideoFrame",
    "VideoMode",
    "VideoSource",
]
