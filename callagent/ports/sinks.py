# SPDX-License-Identifier: Apache-2.0
"""Where frames are put. Every sink takes from any thread, returns at once and never raises."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from callagent.ports.encoded import EncodedFrame
    from callagent.ports.frames import AudioFrame, VideoFrame


class FrameSink(Protocol):
    """Takes pictures: an encoder, a screen, a recorder of the laboratory."""

    def put(self, frame: "VideoFrame") -> None:
        """Hand over one picture. A sink that is behind drops its oldest, it never blocks the giver."""
        ...


class AudioSink(Protocol):
    """Takes sound: the mixer in front of a speaker, an encoder."""

    def put(self, frame: "AudioFrame") -> None:
        """Hand over one stretch of sound, any rate and channel count. Drops its oldest when behind."""
        ...


class EncodedSink(Protocol):
    """Takes encoded frames of one stream: one peer's RTP sender, a recorder."""

    def put(self, frame: "EncodedFrame") -> None:
        """Hand over one encoded frame. A sink that must drop drops up to the next key frame."""
        ...
