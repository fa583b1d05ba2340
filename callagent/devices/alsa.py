# SPDX-License-Identifier: GPL-3.0-or-later
"""Microphones and speakers of ALSA, by pyalsaaudio."""

import errno
import logging
import os
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable

import alsaaudio
import numpy as np

from callagent.devices.alsa_errors import MICROPHONE, SPEAKER, SoundDeviceKind, alsa_error
from callagent.devices.alsa_mixer import Direction, prepare
from callagent.devices.lifecycle import StatefulDevice, Waker
from callagent.devices.pcm_formats import PREFERENCE, S16, SUPPORTED, Samples, from_s16, to_s16
from callagent.devices.resampling import RATE_HZ, MonoResampler, RateConverter
from callagent.devices.settings import SoundSettings
from callagent.devices.settling import Settling
from callagent.devices.threads import label_thread
from callagent.ports import AudioFrame, AudioPull, AudioSink, SourceError, SourceState

log = logging.getLogger(__name__)

FRAME_SAMPLES = 480
_FRAME_S = FRAME_SAMPLES / RATE_HZ
_CAPTURE_BUFFER_MS = 160
"""What waits to be read is no delay while it is read in time, and nothing is lost while it is not."""
_LEAST_PERIODS = 2
_POLL_S = 0.5
_CLOSE_S = 2.0
_IDLE_ANSWERS = 500
_IDLE_PER_S = 250
"""A card wakes its thread a hundred times a second at most; one that does far more often is broken."""
_DEFAULT_SETTINGS = SoundSettings()
_MAX_AHEAD_S = 0.1
"""A card cannot run ahead of the clock by more than its buffer; ALSA's null and file plugins do."""


class _Card:
    """An open PCM and how it carries sound."""

    def __init__(self, pcm: "alsaaudio.PCM", device: str, kind: SoundDeviceKind) -> None:
        """Raises SourceError when the card gives no format known here."""
        info = pcm.info()
        self.pcm = pcm
        self.rate_hz = int(info["rate"])
        self.channels = int(info["channels"])
        self.buffer_frames = int(info["buffer_size"])
        self.format_name = str(info["format_name"])
        if self.format_name not in SUPPORTED:
            pcm.close()
            raise SourceError(f"The {kind.word} {device} offers no format known here", kind.parameters)

    def encoded(self, samples: Samples) -> bytes:
        """Mono as the card wants it."""
        # np.repeat copies for one channel too.
        return from_s16(
            samples if self.channels == 1 else np.repeat(samples, self.channels), self.format_name
        )

    def ready_s(self) -> float:
        """Seconds of sound to read, or of room to write; pyalsaaudio gives avail(), not snd_pcm_delay()."""
        return max(0, min(self.buffer_frames, int(self.pcm.avail()))) / self.rate_hz


class _AlsaDevice(StatefulDevice, ABC):
    """What both directions share: life, thread, errors."""

    _kind: SoundDeviceKind
    _direction: int
    _mixer_side: Direction

    def __init__(
        self,
        device: str = "default",
        name: str | None = None,
        settings: SoundSettings = _DEFAULT_SETTINGS,
    ) -> None:
        """`device` is an ALSA PCM name (`hw:CARD=Device,DEV=0`, `default`); `name` the stable id."""
        super().__init__(name or device)
        self._device = device
        self._settings = settings
        self._waker: Waker | None = None
        self._thread: threading.Thread | None = None
        self._settling: Settling | None = None
        self.counters: Counter[str] = Counter()
        """Since the device was made: `xruns` (over- or underruns), `periods` carried."""
        self.complaints: list[str] = []
        """What the card's mixer did not take, one sentence each."""

    def close(self) -> None:
        """Stop and release the card; blocks until it is released, 2 s at most."""
        thread, waker = self._thread, self._waker
        self._thread = self._waker = None
        if self._settling is not None:
            self._settling.stop()
        if thread is not None and waker is not None:
            waker.stop()
            thread.join(_CLOSE_S)
            if thread.is_alive():
                log.error(
                    "%s %s does not let go; thread %r hangs", self._kind.word, self._device, thread.name
                )
        self._life.off()

    def _start(self, work: Callable[[_Card, Waker], None]) -> None:
        """Open the card and run `work` on a thread. Raises SourceError."""
        self._life.begin()
        try:
            card = self._open_card()
        except SourceError as error:
            self._life.lose(SourceState.FAILED, str(error))
            raise
        except alsaaudio.ALSAAudioError as error:
            typed, state = alsa_error(error, self._device, self._kind)
            self._life.lose(state, str(typed))
            raise typed from error
        self.complaints = self._prepare()
        for complaint in self.complaints:
            log.warning("%s", complaint)
        self._waker = waker = Waker()
        self._thread = threading.Thread(
            target=self._run, args=(work, card, waker), name=f"{self._kind.word}:{self._device}", daemon=True
        )
        self._thread.start()
        self._settling = Settling(self._device, self._prepare)
        self._settling.start()

    def _prepare(self) -> list[str]:
        return prepare(self._device, self._mixer_side, self._settings)

    def _open_card(self) -> _Card:
        """Ask for mono 48 kHz 16 bit; the card gives what is nearest in rate and channels."""
        pcm = self._open_pcm(S16)
        if str(pcm.info()["format_name"]) not in SUPPORTED:
            # A format the card lacks is replaced by the first it has, which may be none of ours.
            offered = pcm.getformats()
            pcm.close()
            name = next((name for name in PREFERENCE if name in offered), S16)
            pcm = self._open_pcm(name)
        return _Card(pcm, self._device, self._kind)

    def _open_pcm(self, format_name: str) -> "alsaaudio.PCM":
        # Never blocking inside ALSA: a card that hangs would hold the thread for ten seconds.
        return alsaaudio.PCM(
            self._direction,
            alsaaudio.PCM_NONBLOCK,
            device=self._device,
            rate=RATE_HZ,
            channels=1,
            format=getattr(alsaaudio, f"PCM_FORMAT_{format_name}"),
            periodsize=RATE_HZ * self._settings.period_ms // 1000,
            periods=max(_LEAST_PERIODS, self._buffer_ms // self._settings.period_ms),
        )

    @property
    @abstractmethod
    def _buffer_ms(self) -> int:
        """How much the card's buffer is to hold."""

    def _run(self, work: Callable[[_Card, Waker], None], card: _Card, waker: Waker) -> None:
        label_thread()
        try:
            for fd, events in card.pcm.polldescriptors():
                waker.watch(fd, events)
            work(card, waker)
        except (alsaaudio.ALSAAudioError, OSError) as error:
            typed, state = alsa_error(error, self._device, self._kind)
            absent = state is SourceState.ABSENT
            self._life.lose(
                state, f"The {self._kind.word} {self._device} was unplugged" if absent else str(typed)
            )
        finally:
            _close_pcm(card.pcm)
            waker.close()


class AlsaMicrophone(_AlsaDevice):
    """A `ports.AudioSource` on an ALSA PCM of any rate, channel count and usual format.

    Gives stretches of 10 ms, mono, 48 kHz on its own thread. An overrun loses
    what was in the card's buffer, is counted, and capture goes on.
    """

    _kind = MICROPHONE
    _direction = alsaaudio.PCM_CAPTURE
    _mixer_side: Direction = "capture"

    @property
    def _buffer_ms(self) -> int:
        return _CAPTURE_BUFFER_MS

    def open(self, sink: AudioSink) -> None:
        """Start capturing. Raises SourceError."""

        def work(card: _Card, waker: Waker) -> None:
            self._capture(card, waker, sink)

        self._start(work)

    def _capture(self, card: _Card, waker: Waker, sink: AudioSink) -> None:
        resampler = MonoResampler(card.rate_hz, card.channels)
        pending = np.empty(0, np.int16)
        pace = _Pace()
        # A capture stream starts with its first read, and only then becomes readable.
        length, data = card.pcm.read()
        idle = _Idle()
        while not waker.stopped:
            idle.judge(length)
            if length < 0:
                self.counters["xruns"] += 1
            elif length > 0:
                self.counters["periods"] += 1
                now = time.monotonic() - card.ready_s()
                samples = resampler.convert(to_s16(data, card.format_name))
                pending = np.concatenate((pending, samples)) if len(pending) else samples
                pending = self._hand_on(pending, now, sink)
                if pace.ahead(length / card.rate_hz, waker):
                    return
            if length >= 0:
                # Every call hands the interpreter's lock on and must get it back: none before there is sound.
                # After an overrun, a stream has to be started by a read again.
                waker.wait(_POLL_S)
            if not waker.stopped:
                length, data = card.pcm.read()

    def _hand_on(self, pending: Samples, now: float, sink: AudioSink) -> Samples:
        """Put whole stretches of 10 ms; returns the rest. The last sample was captured `now`."""
        captured = now - len(pending) / RATE_HZ
        whole = len(pending) - len(pending) % FRAME_SAMPLES
        for start in range(0, whole, FRAME_SAMPLES):
            self._life.live()
            stretch = np.ascontiguousarray(pending[start : start + FRAME_SAMPLES])
            sink.put(AudioFrame(stretch.data, RATE_HZ, 1, captured + start / RATE_HZ))
        return pending[whole:]


class AlsaSpeaker(_AlsaDevice):
    """A `ports.AudioOutput` on an ALSA PCM of any rate, channel count and usual format.

    Pulls a period at a time on its own thread, in stretches of 10 ms, and keeps the card's buffer full.
    An underrun is counted and playing goes on.
    """

    _kind = SPEAKER
    _direction = alsaaudio.PCM_PLAYBACK
    _mixer_side: Direction = "playback"
    _delay_s: float | None = None

    @property
    def _buffer_ms(self) -> int:
        return self._settings.playback_buffer_ms

    @property
    def delay_s(self) -> float | None:
        """What was in the card's buffer when it took the last sound; None while none was taken."""
        return self._delay_s if self.state is SourceState.LIVE else None

    def open(self, pull: AudioPull) -> None:
        """Start playing what `pull` gives. Raises SourceError."""

        def work(card: _Card, waker: Waker) -> None:
            self._play(card, waker, pull)

        self._start(work)

    def _play(self, card: _Card, waker: Waker, pull: AudioPull) -> None:
        converter = RateConverter(RATE_HZ, card.rate_hz)
        frame_bytes = len(card.encoded(np.zeros(1, np.int16)))
        period = round(self._settings.period_ms / 1000 / _FRAME_S)
        # A card that starts with one period runs dry before the next comes when the machine is busy.
        to_start = max(period, int(card.buffer_frames / card.rate_hz / _FRAME_S / 2))
        pace = _Pace()
        waiting = b""
        dry = playing = True
        idle = _Idle()
        while not waker.stopped:
            # What is asked for only when there is room is newer than what would have waited for it.
            room = waker.wait(_POLL_S)
            if not waiting and not room:
                continue
            missing = (to_start if dry else period) - (period if waiting else 0)
            if missing > 0:
                waiting += card.encoded(converter.convert(_pulled(pull, missing)))
            dry = False
            written = card.pcm.write(waiting)
            idle.judge(written)
            if written < 0:
                # Recovered by pyalsaaudio; nothing was taken, the same sound is written again.
                self.counters["xruns"] += 1
                dry, playing = playing, False
            elif written > 0:
                playing = True
                self.counters["periods"] += 1
                filled_s = card.buffer_frames / card.rate_hz - card.ready_s()
                self._delay_s = max(0.0, filled_s - written / card.rate_hz)
                self._life.live()
                waiting = waiting[written * frame_bytes :]
                if pace.ahead(written / card.rate_hz, waker):
                    return


def _pulled(pull: AudioPull, count: int) -> Samples:
    """So many stretches of 10 ms."""
    return np.concatenate([np.frombuffer(pull(), np.int16) for _ in range(count)])


class _Idle:
    """Notices a card that answers at once and carries nothing: a dead one makes poll(2) return for ever."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._answers = 0

    def judge(self, length: int) -> None:
        """What the card said to a read or write. Raises OSError."""
        if length > 0:
            self._since, self._answers = None, 0
            return
        now = time.monotonic()
        self._since = self._since or now
        self._answers += 1
        if self._answers >= _IDLE_ANSWERS and self._answers > _IDLE_PER_S * (now - self._since):
            raise OSError(errno.EIO, os.strerror(errno.EIO))


class _Pace:
    """Holds back a device that is not paced by a clock of its own."""

    def __init__(self) -> None:
        self._position = time.monotonic()

    def ahead(self, seconds: float, waker: Waker) -> bool:
        """Count what was carried and wait while it is ahead of time; True when told to stop."""
        now = time.monotonic()
        self._position = max(self._position, now - _MAX_AHEAD_S) + seconds
        excess = self._position - now - _MAX_AHEAD_S
        return excess > 0 and waker.pause(excess)


def _close_pcm(pcm: "alsaaudio.PCM") -> None:
    """Without playing out what is buffered: pyalsaaudio's close would drain, and wait for that."""
    try:
        pcm.drop()
    except alsaaudio.ALSAAudioError as error:
        log.debug("stopping a sound device: %s", error)
    pcm.close()
