# SPDX-License-Identifier: GPL-3.0-or-later
"""A remote voice between the network and the speaker."""

import logging
from collections import deque
from typing import NamedTuple

from callagent.media.mixer import Mixer
from callagent.media.opus import OpusDecoder, OpusError, SoundDecoder
from callagent.media.playout.audio_core import AudioPlayoutCore
from callagent.media.sound import Samples
from callagent.ports import Clock, MonotonicClock, ReceivedPacket, ReceiverControl

log = logging.getLogger(__name__)

_QUEUE_PACKETS = 150
"""3 s of usual packets, for a speaker that does not pull."""
_MAX_SINCE_PULL_S = 0.1


class _Moment(NamedTuple):
    """How it stood after a pull; replaced, never changed, so that any thread may read it."""

    time: float = 0.0
    buffered_s: float = 0.0
    delay_s: float = 0.0
    target_s: float = 0.0
    drift_ppm: float = 0.0
    sender_time: float | None = None


class AudioPlayout:
    """A `ports.PacketSink` that sounds in a mixer until its `close`.

    Everything but taking packets over happens on the speaker's thread: decoding,
    too, since it takes 0.1 ms. The loop and that thread share one bounded queue.
    """

    def __init__(
        self,
        mixer: Mixer,
        control: ReceiverControl,
        *,
        clock: Clock | None = None,
        decoder: SoundDecoder | None = None,
    ) -> None:
        """Attaches itself to the mixer. Raises OpusError when there is no libopus."""
        self._mixer = mixer
        self._control = control
        self._clock = clock or MonotonicClock()
        self._core = AudioPlayoutCore(decoder or OpusDecoder())
        self._arrived: deque[ReceivedPacket] = deque(maxlen=_QUEUE_PACKETS)
        self._overflowed = 0
        self._moment = _Moment()
        self._told_first = False
        self._failed = False
        self._closed = False
        mixer.attach(self)

    def put(self, packet: ReceivedPacket) -> None:
        if self._closed:
            return
        if len(self._arrived) == _QUEUE_PACKETS:
            self._overflowed += 1
        self._arrived.append(packet)

    def take(self) -> Samples | None:
        """The next 480 samples, on the speaker's thread; None for silence. Never raises."""
        if self._closed:
            return None
        now = self._clock.now()
        try:
            while self._arrived:
                self._core.put(self._arrived.popleft())
            samples = self._core.take(now)
        except OpusError as error:
            if not self._failed:
                log.warning("a remote voice cannot be decoded: %s", error)
            self._failed = True
            return None
        self._note(now)
        return samples

    @property
    def level(self) -> int:
        """How loud the voice is, 0 to 100."""
        return self._mixer.level(self)

    def sender_time(self) -> float | None:
        """Seconds on the sender's wall clock when the sound was captured that is played at this moment.

        Played means handed to the speaker's buffer. None in silence, and before the
        first sender report. Callable from any thread.
        """
        moment = self._moment
        if moment.sender_time is None or self._closed:
            return None
        return moment.sender_time + min(self._clock.now() - moment.time, _MAX_SINCE_PULL_S)

    def lag_s(self) -> float | None:
        """How much later than its capture sound is played, by two clocks: ours less the sender's.

        Good for comparing with pictures of the same sender. None as `sender_time`.
        """
        moment = self._moment
        if moment.sender_time is None or self._closed:
            return None
        return moment.time - moment.sender_time

    def figures(self) -> dict[str, float | int]:
        moment, counters = self._moment, self._core.counters
        return {
            "buffered_ms": round(moment.buffered_s * 1000, 1),
            "delay_ms": round(moment.delay_s * 1000, 1),
            "target_ms": round(moment.target_s * 1000, 1),
            "drift_ppm": round(moment.drift_ppm, 1),
            "level": self.level,
            "packets_taken": counters.received,
            "packets_late": counters.late,
            "packets_missed": counters.lost,
            "packets_recovered": counters.recovered,
            "packets_duplicate": counters.duplicate,
            "packets_broken": counters.broken,
            "packets_skipped": counters.skipped + self._overflowed,
            "restarts": counters.restarts,
            "concealed_samples": counters.concealed_samples,
            "silent_samples": counters.silent_samples,
            "shortened_samples": counters.shortened_samples,
            "lengthened_samples": counters.lengthened_samples,
        }

    def close(self) -> None:
        """Sound no more. Idempotent.

        The codec is freed with the object: the speaker's thread may be in it.
        """
        self._closed = True
        self._mixer.detach(self)

    def _note(self, now: float) -> None:
        core = self._core
        self._moment = _Moment(
            now, core.buffered_s, core.delay_s, core.target_s, core.drift_ppm, core.playing_sender_time
        )
        if core.decoded and not self._told_first:
            self._told_first = True
            self._control.first_frame()
