# SPDX-License-Identifier: GPL-3.0-or-later
"""The microphone a call binds to: sound without a gap, silence when there is none."""

from collections.abc import Callable

import numpy as np

from callagent.devices.errors import MIC_START_FAIL, NO_MICROPHONE
from callagent.media.audio_processing import SoundProcessing
from callagent.media.level import LevelMeter
from callagent.media.slot import DeviceSlot
from callagent.media.sound import FRAME_S, RATE_HZ, SILENCE
from callagent.media.subscribers import Subscribers
from callagent.media.tenancy import Tenancy
from callagent.ports import AudioFrame, AudioSink, AudioSource, Clock, SourceState

_PATIENCE_S = 0.05
"""How late a live microphone's sound may come, beyond its period, before silence takes its place."""
_DRIFT = 0.002
"""Share of the difference between the card's clock and ours that is forgiven with every frame."""


class MicrophoneSlot(DeviceSlot[AudioSource]):
    """Stretches of 10 ms, mono, 48 kHz, one after the other as long as it is started.

    Live sound is handed on as it comes, on the microphone's thread. When none comes
    (muted, absent, failed, stalled) silence of exact zeros takes its place on the slot's thread,
    so that the count of frames follows the time: swapping the microphone costs no frame.
    With `processing` live sound takes the way through it, and comes on its thread.
    """

    def __init__(
        self,
        *,
        period_s: float = FRAME_S,
        processing: SoundProcessing | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`period_s`: how much sound comes at once."""
        super().__init__("microphone", "sound", (MIC_START_FAIL, NO_MICROPHONE), clock)
        self._patience_live_s = period_s + _PATIENCE_S
        self._processing = processing
        self._subscribers: Subscribers[AudioFrame] = Subscribers()
        self._muted = False
        self._meter = LevelMeter()
        self._position = 0.0
        self._last_capture_time = 0.0

    @property
    def level(self) -> int:
        """How loud what is given is, 0 to 100."""
        return self._meter.level if self._wanted else 0

    @property
    def muted(self) -> bool:
        """While True subscribers get exact zeros, from the very next frame on."""
        return self._muted

    @muted.setter
    def muted(self, muted: bool) -> None:
        with self._lock:
            changed, self._muted = self._muted != muted, muted
        if changed:
            self._changed()

    def start(self) -> None:
        """Want sound."""
        with self._lock:
            if not self._wanted:
                self._position = self._clock.now()
        self._want()

    def subscribe(self, sink: AudioSink) -> Callable[[], None]:
        """Give all sound to the sink from now on; returns the way to leave."""
        with self._lock:
            leave = self._subscribers.add(sink)

        def unsubscribe() -> None:
            with self._lock:
                leave()

        return unsubscribe

    def _open(self, source: AudioSource, tenancy: Tenancy) -> None:
        # Muting, silence and the lost device are decided behind the processing, to the very frame.
        gate = _Gate(self, tenancy)
        source.open(gate if self._processing is None else self._processing.in_front_of(source, gate))

    def _taken(self, now: float) -> None:
        """Nothing to prepare: silence flows from `_fill` until the device gives sound."""

    def _put_live(self, tenancy: Tenancy, frame: AudioFrame) -> None:
        with self._lock:
            if not self._let_in(tenancy):
                return
            now = self._clock.now()
            first = self._gave(now)
            if self._position <= now + self._patience_live_s:
                self._deliver(SILENCE if self._muted else frame.samples, frame.capture_time)
                self._position += (now - self._position) * _DRIFT
        if first:
            self._changed()

    def _fill(self, now: float) -> float:
        patience = self._patience_live_s if self._state is SourceState.LIVE else 0.0
        if now - self._position >= FRAME_S + patience:
            for _ in range(min(int((now - self._position) / FRAME_S), 100)):
                self._deliver(SILENCE, self._position)
            # After a stop of the whole machine there is nothing to make good.
            self._position = max(self._position, now - FRAME_S)
        return max(0.001, self._position + FRAME_S + patience - now)

    def _deliver(self, samples: memoryview, capture_time: float) -> None:
        self._position += FRAME_S
        self._last_capture_time = max(capture_time, self._last_capture_time + 1e-6)
        self._meter.add(None if samples is SILENCE else np.frombuffer(samples, np.int16))
        self._subscribers.put(AudioFrame(samples, RATE_HZ, 1, self._last_capture_time))


class _Gate:
    """Lets a microphone's sound through while it is the one behind the slot."""

    def __init__(self, slot: MicrophoneSlot, tenancy: Tenancy) -> None:
        self._slot = slot
        self._tenancy = tenancy

    def put(self, frame: AudioFrame) -> None:
        self._slot._put_live(self._tenancy, frame)
