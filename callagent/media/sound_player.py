# SPDX-License-Identifier: GPL-3.0-or-later
"""The kiosk's own sounds: dialing, ringing, hang-up. Never two at once."""

import logging
import threading
from enum import StrEnum
from pathlib import Path

import numpy as np

from callagent.media import tones
from callagent.media.mixer import Mixer
from callagent.media.sound import FRAME_SAMPLES, Samples
from callagent.media.sound_file import SoundProblem, decode
from callagent.media.speaker_slot import SpeakerSlot

log = logging.getLogger(__name__)


class Sound(StrEnum):
    DIALING = "dialing"
    RINGING = "ringing"
    HANG_UP = "hangup"


class SoundPlayer:
    """Plays one sound at a time through a speaker slot's mixer. Thread-safe.

    `play` replaces what plays, `stop` ends it; both are heard within the 10 ms of
    the mixer and the speaker's own buffer (40 ms with ALSA). Sounds do not follow the
    volume of the call; ringing has its own volume, its own mute and, if given, its own speaker.
    """

    def __init__(
        self,
        speaker_slot: SpeakerSlot,
        ring_slot: SpeakerSlot | None = None,
        *,
        dialing: Path | None = None,
        ringing: Path | None = None,
        hangup: Path | None = None,
        ring_volume: int = 100,
        mute_ring: bool = False,
    ) -> None:
        """Decode the files, which blocks; None is the built-in sound, an unusable file too (`problems`)."""
        self._speaker_slot = speaker_slot
        self._ring_slot = ring_slot or speaker_slot
        self.ring_volume = ring_volume
        self.mute_ring = mute_ring
        self._problems: list[SoundProblem] = []
        self._sounds = {
            Sound.DIALING: self._load(dialing) if dialing else tones.dialing(),
            Sound.RINGING: self._load(ringing) if ringing else tones.ringing(),
            Sound.HANG_UP: self._load(hangup) if hangup else tones.hang_up(),
        }
        for name, built_in in (
            (Sound.DIALING, tones.dialing),
            (Sound.RINGING, tones.ringing),
            (Sound.HANG_UP, tones.hang_up),
        ):
            if not len(self._sounds[name]):
                self._sounds[name] = built_in()
        self._lock = threading.Lock()
        self._playing: _Playback | None = None

    @property
    def problems(self) -> tuple[SoundProblem, ...]:
        """The configured files that cannot be used."""
        return tuple(self._problems)

    @property
    def playing(self) -> Sound | None:
        """What sounds now."""
        with self._lock:
            playback = self._playing
            return playback.sound if playback is not None and not playback.done.is_set() else None

    def play(self, name: Sound | str, loop: bool = False) -> None:
        """Play a sound from its beginning, whatever plays now. Raises ValueError for an unknown name."""
        sound = Sound(name)
        ring = sound is Sound.RINGING
        slot = self._ring_slot if ring else self._speaker_slot
        volume = (0 if self.mute_ring else self.ring_volume) if ring else 100
        playback = _Playback(sound, self._sounds[sound], loop, slot.mixer)
        with self._lock:
            self._end()
            self._playing = playback
            slot.mixer.attach(playback, (volume / 100) ** 2, follows_volume=False)

    def stop(self) -> None:
        """Play nothing. Idempotent."""
        with self._lock:
            self._end()

    def wait_done(self, timeout_s: float | None = None) -> bool:
        """Block until what plays has ended: played once to its end, or stopped."""
        with self._lock:
            playback = self._playing
        return playback is None or playback.done.wait(timeout_s)

    def _end(self) -> None:
        if self._playing is not None:
            self._playing.end()
            self._playing = None

    def _load(self, path: Path) -> Samples:
        try:
            return decode(path)
        except SoundProblem as problem:
            log.warning("%s; the built-in sound plays instead [%d]", problem, problem.code)
            self._problems.append(problem)
            return np.empty(0, np.int16)


class _Playback:
    """One sound on its way through a mixer; leaves it by itself at the end."""

    def __init__(self, sound: Sound, samples: Samples, loop: bool, mixer: Mixer) -> None:
        self.sound = sound
        self.done = threading.Event()
        self._samples = samples
        self._loop = loop
        self._mixer = mixer
        self._position = 0

    def take(self) -> Samples | None:
        start = self._position
        if start >= len(self._samples) or self.done.is_set():
            self.end()
            return None
        self._position += FRAME_SAMPLES
        part = self._samples[start : self._position]
        if len(part) == FRAME_SAMPLES:
            return part
        if self._loop:
            self._position = FRAME_SAMPLES - len(part)
            return np.resize(np.concatenate((part, self._samples[: self._position])), FRAME_SAMPLES)
        return np.concatenate((part, np.zeros(FRAME_SAMPLES - len(part), np.int16)))

    def end(self) -> None:
        self.done.set()
        self._mixer.detach(self)
