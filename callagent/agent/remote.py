# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the other side's picture and sound go: the screen's sink and the mixer in front of the speaker."""

from callagent.media.mixer import Mixer, MixerInput
from callagent.ports import AudioSink, FrameSink, PeerKey, TrackInfo


class RemoteOutputs:
    """Implements ports.RemoteMedia: one mixer input per remote sound track, one screen for pictures."""

    def __init__(self, mixer: Mixer, screen: FrameSink) -> None:
        self._mixer = mixer
        self._screen = screen
        self._inputs: dict[PeerKey, list[MixerInput]] = {}

    def video_sink(self, peer: PeerKey, track: TrackInfo) -> FrameSink:
        return self._screen

    def audio_sink(self, peer: PeerKey, track: TrackInfo) -> AudioSink:
        channel = self._mixer.add(track.id)
        self._inputs.setdefault(peer, []).append(channel)
        return channel

    def release(self, peer: PeerKey) -> None:
        for channel in self._inputs.pop(peer, []):
            channel.close()
