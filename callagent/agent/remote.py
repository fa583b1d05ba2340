# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the other side's picture and sound go: the screen's sink and the mixer in front of the speaker."""

from collections.abc import Callable

from callagent.media.mixer import Mixer
from callagent.media.playout.audio import AudioPlayout
from callagent.media.playout.video import VideoPlayout
from callagent.ports import (
    UNTRACED,
    Clock,
    FrameSink,
    MonotonicClock,
    PacketSink,
    PeerKey,
    PictureSink,
    ReceiverControl,
    Tracer,
    TrackInfo,
    TrackSource,
)

_SOUND_OF = {TrackSource.CAMERA: TrackSource.MICROPHONE, TrackSource.SCREEN: TrackSource.SCREEN_AUDIO}
"""What a picture has to stay in step with."""


class RemoteOutputs:
    """Implements ports.RemoteMedia: per remote track a playout, in front of one screen and one mixer."""

    def __init__(
        self, mixer: Mixer, screen: FrameSink, clock: Clock | None = None, tracer: Tracer = UNTRACED
    ) -> None:
        self._tracer = tracer
        self._clock = clock or MonotonicClock()
        self._mixer = mixer
        self._screen = screen
        self._videos: dict[PeerKey, list[VideoPlayout]] = {}
        self._sounds: dict[PeerKey, dict[TrackSource, AudioPlayout]] = {}
        self._ending: list[VideoPlayout] = []

    def video_sink(self, peer: PeerKey, track: TrackInfo, control: ReceiverControl) -> PictureSink:
        lag = self._sound_lag(peer, track)
        video = VideoPlayout(
            self._screen, control, name=track.id, sound_lag=lag, clock=self._clock, tracer=self._tracer
        )
        self._videos.setdefault(peer, []).append(video)
        return video

    def audio_sink(self, peer: PeerKey, track: TrackInfo, control: ReceiverControl) -> PacketSink:
        sounds = self._sounds.setdefault(peer, {})
        if (before := sounds.get(track.source)) is not None:
            before.close()
        sounds[track.source] = sound = AudioPlayout(self._mixer, control, clock=self._clock)
        return sound

    def levels(self) -> dict[str, int]:
        """How loud each member is heard now, 0 to 100, by user id."""
        return {
            peer.user_id: max(sound.level for sound in tuple(sounds.values()))
            for peer, sounds in self._sounds.items()
            if sounds
        }

    def release(self, peer: PeerKey) -> None:
        for sound in self._sounds.pop(peer, {}).values():
            sound.close()
        # A decoder that hangs is remembered until it ends.
        self._ending = [video for video in self._ending if not video.wait_closed(0)]
        for video in self._videos.pop(peer, []):
            video.close()
            self._ending.append(video)

    def wait_released(self, timeout_s: float) -> bool:
        """Block until the decoders of released peers have ended; False when one has not in time."""
        ended = [video.wait_closed(timeout_s) for video in self._ending]
        return all(ended)

    def _sound_lag(self, peer: PeerKey, track: TrackInfo) -> Callable[[], float | None]:
        def lag() -> float | None:
            sound = self._sounds.get(peer, {}).get(_SOUND_OF.get(track.source, track.source))
            return None if sound is None else sound.lag_s()

        return lag
