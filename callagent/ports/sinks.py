# SPDX-License-Identifier: Apache-2.0
"""Where raw frames are put. Every sink takes from any thread, returns at once and never raises."""

from typing import Protocol

from callagent.ports.frames import AudioFrame, VideoFrame


class FrameSink(Protocol):
    """Takes pictures: an encoder, a screen, a recorder of the laboratory."""

    def put(self, frame: VideoFrame) -> None:
        """Hand over one picture. A sink that is behind drops its oldest, it never blocks the giver."""
        ...


class AudioSink(Protocol):
    """Takes sound: the mixer in front of a speaker, an encoder."""

    def put(self, frame: AudioFrame) -> None:
        """Hand over one stretch of sound, any rate and channel count. Drops its oldest when behind."""
        ...
