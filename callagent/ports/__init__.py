# SPDX-License-Identifier: Apache-2.0
"""The contracts between the rooms of the house.

Nothing here does I/O or imports another package of ours. A room that needs
something of another room names it here; the agent (the composition root) plugs
the implementations in.
"""

from callagent.ports.clock import Clock, MonotonicClock
from callagent.ports.encoded import Codec, EncodedFrame, EncodedSink, EncodedStream, Layer, NetworkReport
from callagent.ports.frames import AudioFrame, PixelFormat, Plane, Rotation, VideoFrame
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
    SourceError,
    SourceState,
    VideoMode,
    VideoSource,
)

__all__ = [
    "AudioFrame",
    "AudioOutput",
    "AudioPull",
    "AudioSink",
    "AudioSource",
    "Candidate",
    "Clock",
    "Codec",
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
    "PeerKey",
    "PixelFormat",
    "Plane",
    "RemoteMedia",
    "Rotation",
    "SessionDescription",
    "SourceError",
    "SourceState",
    "TrackInfo",
    "TrackSource",
    "VideoFrame",
    "VideoMode",
    "VideoSource",
]
