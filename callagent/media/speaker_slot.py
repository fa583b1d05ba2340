# SPDX-License-Identifier: GPL-3.0-or-later
"""The speaker a call binds to: plays the mix, or lets it pass in real time when there is none."""

from callagent.devices.errors import SPEAKER_FAIL
from callagent.media.audio_processing import SoundProcessing
from callagent.media.mixer import Mixer
from callagent.media.slot import DeviceSlot
from callagent.media.sound import FRAME_S, SILENCE
from callagent.media.tenancy import Tenancy
from callagent.ports import AudioOutput, Clock, SourceState

_PATIENCE_S = 0.3
"""How late a live speaker may pull before the slot consumes in its place: what it is late for would be mixed
twice, and it is late most when the machine is busy."""
REST_S = 3.0
"""A speaker that is open on demand is closed when it had nothing to play for so long."""


class SpeakerSlot(DeviceSlot[AudioOutput]):
    """Owns the mixer; sounds and calls only add voices to it.

    After `start` the speaker is open until `rest` or `stop`; after `rest` it opens when a voice is added
    and closes `REST_S` after the last one has left, so that an idle kiosk leaves the card to others and
    does not wake a hundred times a second.
    While no speaker pulls (absent, failed, being swapped) the slot's thread consumes
    the mix in real time: nothing piles up, and what plays next is of now.
    `processing` is told all that a speaker really plays, ring tones too.
    """

    def __init__(self, *, processing: SoundProcessing | None = None, clock: Clock | None = None) -> None:
        super().__init__("speaker", "sound", (SPEAKER_FAIL, SPEAKER_FAIL), clock)
        self._processing = processing
        self.mixer = Mixer(self._voice_came)
        self._position = 0.0
        self._on_demand = False
        self._held = False
        self._sounded_at = 0.0

    @property
    def volume(self) -> int:
        """Of the call, 0 to 100; sounds that have their own volume do not follow it."""
        return self.mixer.volume

    @volume.setter
    def volume(self, volume: int) -> None:
        self.mixer.volume = volume

    def start(self) -> None:
        """Want to play, whether anything sounds or not."""
        with self._lock:
            self._held = True
        self._begin()

    def rest(self) -> None:
        """Want to play only while something sounds, from now until `start` or `stop`."""
        with self._lock:
            self._on_demand, self._held = True, False
            self._sounded_at = self._clock.now()
        if not self.mixer.empty:
            self._begin()

    def stop(self) -> None:
        with self._lock:
            self._on_demand = self._held = False
        super().stop()

    def _voice_came(self) -> None:
        """On any thread."""
        if self._on_demand:
            self._begin()

    def _begin(self) -> None:
        with self._lock:
            self._sounded_at = self._clock.now()
            if not self._wanted:
                self._position = self._sounded_at
        self._want()

    def _open(self, source: AudioOutput, tenancy: Tenancy) -> None:
        def pull() -> memoryview:
            return self._pull(source, tenancy)

        source.open(pull)

    def _taken(self, now: float) -> None:
        """Nothing to prepare: `_fill` consumes until the speaker pulls."""

    def _pull(self, source: AudioOutput, tenancy: Tenancy) -> memoryview:
        with self._lock:
            if not self._let_in(tenancy):
                return SILENCE
            self._position = self._clock.now()
            if not self.mixer.empty:
                self._sounded_at = self._position
            first = self._gave(self._position)
            mix = self.mixer.pull()
        if first:
            self._changed()
        if self._processing is not None:
            self._processing.played(mix, source)
        return mix

    def _fill(self, now: float) -> float:
        if not self.mixer.empty:
            self._sounded_at = now
        elif not self._held and now >= self._sounded_at + REST_S:
            self._end()
        patience = _PATIENCE_S if self._state is SourceState.LIVE else 0.0
        if now - self._position >= FRAME_S + patience:
            for _ in range(min(int((now - self._position) / FRAME_S), 100)):
                self.mixer.pull()
                self._position += FRAME_S
            self._position = max(self._position, now - FRAME_S)
        return max(0.001, self._position + FRAME_S + patience - now)
