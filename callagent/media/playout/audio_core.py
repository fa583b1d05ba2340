# SPDX-License-Identifier: GPL-3.0-or-later
"""From packets to sound without holes: what to play next, and what when there is nothing to play.

Pull-driven, in the manner of WebRTC's NetEQ. Pure: no thread, no clock; time comes in with packets and pulls.
"""

import enum
from collections import deque
from dataclasses import dataclass

import numpy as np

from callagent.media.opus import OpusError, SoundDecoder
from callagent.media.playout.audio_buffer import BufferedPacket, PacketBuffer
from callagent.media.playout.audio_delay import MAX_TARGET_S, DriftControl, NetworkDelay, PullClock
from callagent.media.playout.audio_resample import DriftResampler
from callagent.media.playout.audio_stretch import lengthen, shorten
from callagent.media.playout.concealment import Concealment
from callagent.media.sound import FRAME_S, FRAME_SAMPLES, RATE_HZ, Samples
from callagent.ports import ReceivedPacket

_STEP = FRAME_SAMPLES
_JUMP_PACKETS = 500
_JUMP_S = 10.0
"""A packet so far from the others belongs to another stream, when one more like it comes."""
_MAX_BEHIND = 25
"""So many packets in a row that come too late are no latecomers: their numbers began anew."""
_LONG_S, _SHORT_S, _URGENT_S = 0.015, -0.010, 0.060
"""Delay minus target: from here on the time scale is changed, and with less perfect seams."""
_STRETCH_PAUSE = 2880
"""Samples between two changes of the time scale: at most a sixth faster or slower."""
_EXCESS_S = 0.1
"""So much above the longest target there may be, sound is left out at once."""
_REMEMBERED = 1000


class _State(enum.Enum):
    SILENT = enum.auto()
    """Nothing sounds once the decoded rest has faded; nothing in the buffer is old enough to begin."""
    PLAYING = enum.auto()


@dataclass(slots=True)
class Counters:
    """What happened so far; packets unless it says samples."""

    received: int = 0
    late: int = 0
    """Came when their time had passed."""
    lost: int = 0
    """Were not there when it was their time, and never came later."""
    duplicate: int = 0
    broken: int = 0
    """Could not be decoded."""
    skipped: int = 0
    """Thrown away because too much waited."""
    recovered: int = 0
    """Of the lost ones: heard all the same, from the next packet's correction."""
    restarts: int = 0
    concealed_samples: int = 0
    """Made up, for lost packets and while waiting for late ones."""
    silent_samples: int = 0
    shortened_samples: int = 0
    lengthened_samples: int = 0


class AudioPlayoutCore:
    """One remote sound track. `put` and `take` are called by one thread at a time."""

    def __init__(self, decoder: SoundDecoder) -> None:
        self._decoder = decoder
        self.counters = Counters()
        self.decoded = False
        """Whether a packet was ever decoded."""
        self._pull = PullClock()
        self._stray: ReceivedPacket | None = None
        self._drift = DriftControl()
        self._begin()

    def _begin(self) -> None:
        self._buffer = PacketBuffer()
        self._network = NetworkDelay()
        self._resampler = DriftResampler()
        self._sound: Samples = np.empty(0, np.int16)
        """Decoded, by the sender's clock."""
        self._ready: Samples = np.empty(0, np.int16)
        """To be played next, by ours: whole stretches of 10 ms."""
        self._concealment = Concealment()
        self._state = _State.SILENT
        self._newest: ReceivedPacket | None = None
        self._next_sequence = 0
        self._next_timestamp = 0
        """Of what follows the decoded sound."""
        self._packet_samples = 960
        self._bridged = 0
        """Samples made up while waiting; time stamps did not go on meanwhile."""
        self._missing: deque[int] = deque(maxlen=_REMEMBERED)
        self._behind = 0
        self._rate = 0.0
        self._since_stretch = 0
        self._played_any = False
        self._sender: tuple[int, float] | None = None
        self._now = 0.0

    @property
    def delay_s(self) -> float:
        """How long after the fastest packet's arrival sound is played; 0 in silence."""
        if self._state is _State.SILENT:
            return 0.0
        # The pull it counts from has been served: the next one is 10 ms later.
        return self._delay_s() + FRAME_S

    @property
    def target_s(self) -> float:
        return self._network.target_s

    @property
    def drift_ppm(self) -> float:
        return self._drift.drift_ppm

    @property
    def buffered_s(self) -> float:
        """Sound that waits, decoded or not."""
        return (len(self._ready) + len(self._sound) + self._buffer.span) / RATE_HZ

    @property
    def playing_sender_time(self) -> float | None:
        """Seconds on the sender's clock of the first sample given last; None in silence or when unknown."""
        if self._sender is None or self._state is _State.SILENT:
            return None
        timestamp, sender_time = self._sender
        return sender_time + (self._position - FRAME_SAMPLES - timestamp) / RATE_HZ

    @property
    def _position(self) -> int:
        """Time stamp of the next sample to be played."""
        return self._next_timestamp - len(self._sound) - len(self._ready)

    def put(self, packet: ReceivedPacket) -> None:
        """Take a packet in, in any order."""
        self.counters.received += 1
        if self._is_stray(packet):
            return
        samples = self._decoder.packet_samples(packet.payload)
        if samples == 0:
            self.counters.broken += 1
            return
        if self._played_any and packet.sequence < self._next_sequence:
            self._came_too_late(packet)
            return
        self._behind = 0
        if not self._buffer.insert(packet, samples):
            self.counters.duplicate += 1
            return
        self._arrived(packet)
        self.counters.skipped += self._buffer.trim()

    def _arrived(self, packet: ReceivedPacket) -> None:
        """A packet came for the first time."""
        self._network.arrived(packet.timestamp / RATE_HZ, packet.arrival_time)
        if self._newest is None or packet.sequence > self._newest.sequence:
            self._newest = packet
            if packet.sender_time is not None:
                self._sender = (packet.timestamp, packet.sender_time)

    def _is_stray(self, packet: ReceivedPacket) -> bool:
        """Whether it belongs to no known stream; the second such packet begins a new one (RFC 3550, A.1)."""
        newest = self._newest
        if newest is None:
            return False
        transit = packet.arrival_time - packet.timestamp / RATE_HZ
        apart = abs(packet.sequence - newest.sequence) > _JUMP_PACKETS
        if not apart and abs(transit - self._network.base) <= _JUMP_S:
            self._stray = None
            return False
        stray, self._stray = self._stray, packet
        if stray is None or not 0 < packet.sequence - stray.sequence <= 10:
            return True
        self._restart(stray)
        return False

    def _restart(self, first: ReceivedPacket) -> None:
        self.counters.restarts += 1
        self.counters.received -= 1
        self._stray = None
        self._begin()
        self._decoder.reset()
        self.put(first)

    def _came_too_late(self, packet: ReceivedPacket) -> None:
        try:
            self._missing.remove(packet.sequence)
        except ValueError:
            self.counters.duplicate += 1
        else:
            self.counters.lost -= 1
            self.counters.late += 1
            self._arrived(packet)
        self._behind += 1
        if self._behind >= _MAX_BEHIND:
            self._restart(packet)

    def take(self, now: float) -> Samples | None:
        """The next 480 samples; None for silence. Raises OpusError when the codec does not go on."""
        self._now = self._pull.tick(now)
        self._network.passed(now)
        if self._state is _State.SILENT and len(self._sound) == len(self._ready) == 0:
            self._start()
            if self._state is _State.SILENT:
                self.counters.silent_samples += FRAME_SAMPLES
                return None
        if self._state is _State.PLAYING:
            self._rate = self._drift.update(self._delay_s() - self._network.target_s)
        if len(self._ready) == 0:
            self._ready = self._resampled()
        samples, self._ready = self._ready[:FRAME_SAMPLES], self._ready[FRAME_SAMPLES:]
        return samples

    def _resampled(self) -> Samples:
        """All that is decoded, at once: a conversion costs the same for 10 ms as for a packet."""
        rate, resampler = self._rate, self._resampler
        needed = resampler.needed(FRAME_SAMPLES, rate)
        while len(self._sound) < needed and self._state is _State.PLAYING:
            self._refill()
        missing = needed - len(self._sound)
        if missing > 0:
            self._append(np.zeros(missing, np.int16))
        count = FRAME_SAMPLES
        while (more := resampler.needed(count + FRAME_SAMPLES, rate)) <= len(self._sound):
            count, needed = count + FRAME_SAMPLES, more
        samples, self._sound = self._sound[:needed], self._sound[needed:]
        self._since_stretch += needed
        return resampler.convert(samples, count, rate)

    def _delay_s(self) -> float:
        """How long after the fastest packet's arrival the next sample is played."""
        return self._now - self._position / RATE_HZ - self._network.base

    # --- silence --------------------------------------------------------------------

    def _fall_silent(self) -> None:
        self._state = _State.SILENT

    def _start(self) -> None:
        """Begin to play when the oldest packet is as old as the target wants, and leave out what is older.

        Where more waits than the target wants, it is old enough whatever the clocks say.
        """
        target = self._network.target_s
        skipped = self._buffer.trim(int(target * RATE_HZ) + 2 * self._packet_samples)
        self.counters.skipped += skipped
        head = self._buffer.head
        if head is None:
            return
        age = self._now - head.timestamp / RATE_HZ - self._network.base
        if not skipped and age < target - FRAME_S / 2:
            return
        if self._played_any:
            self._meant_as_silence(head)
            self._miss(head.sequence)
        self._bridged = 0
        self._next_sequence, self._next_timestamp = head.sequence, head.timestamp
        self._played_any = True
        self._concealment.muted()
        self._state = _State.PLAYING

    def _meant_as_silence(self, head: BufferedPacket) -> None:
        """What was made up before a packet that follows the one before was made up for nothing lost."""
        if head.sequence == self._next_sequence:
            silence = max(0, min(self._bridged, head.timestamp - self._next_timestamp))
            self.counters.concealed_samples -= silence
            self.counters.silent_samples += silence

    def _miss(self, until: int) -> None:
        """Packets from the next one to before `until` are not waited for any longer."""
        count = max(0, until - self._next_sequence)
        self.counters.lost += count
        self._missing.extend(range(until - min(count, _REMEMBERED), until))
        self._next_sequence = until

    # --- what to play next ----------------------------------------------------------

    def _refill(self) -> None:
        """Add to the decoded sound, or fall silent, or skip a packet whose time was bridged already."""
        head = self._buffer.head
        if head is None:
            self._bridge()
            return
        if self._delay_s() > MAX_TARGET_S + _EXCESS_S:
            self._fade_out()
            return
        gap = max(0, head.timestamp - self._next_timestamp)
        lost = head.sequence - self._next_sequence
        if lost > 0 and gap > 0:
            self._fill_in(head, min(self._packet_samples, max(1, gap // lost)))
        elif gap > self._bridged:
            # No packet is missing: the sender had nothing to send (DTX, mute).
            self._fade_out()
        else:
            self._meant_as_silence(head)
            self._miss(head.sequence)
            self._play(self._buffer.pop())

    def _bridge(self) -> None:
        """Nothing is there: go on as before and wait. What comes late then is played late."""
        self._conceal(_STEP)
        self._bridged += _STEP
        if self._concealment.ended:
            self._fall_silent()

    def _fade_out(self) -> None:
        self._append(self._concealment.fade_out(self._decoder, _STEP))
        self._fall_silent()

    def _fill_in(self, head: BufferedPacket, samples: int) -> None:
        """In place of the next packet, which is missing while a later one is there."""
        has_fec = self._decoder.has_fec(head.payload)
        self._network.missed(self._now, samples / RATE_HZ, has_fec)
        done = min(self._bridged, samples)
        self._bridged -= done
        left = samples - done
        if left > 0:
            if head.sequence - self._next_sequence == 1 and has_fec:
                self._recover(head, left)
            else:
                self._conceal(left)
            self._bridged = 0
        self._next_timestamp += samples
        self._miss(self._next_sequence + 1)
        if self._concealment.ended:
            self._fall_silent()

    def _recover(self, head: BufferedPacket, left: int) -> None:
        try:
            corrected = self._decoder.decode_fec(head.payload, head.samples)
        except OpusError:
            self._conceal(left)
            return
        self.counters.recovered += 1
        if len(corrected) < left:
            self._conceal(left - len(corrected))
        self._append(self._concealment.heard(corrected[-left:]))

    def _conceal(self, count: int) -> None:
        self.counters.concealed_samples += count
        self._append(self._concealment.make_up(self._decoder, count))

    def _play(self, packet: BufferedPacket) -> None:
        self._bridged = 0
        self._next_sequence = packet.sequence + 1
        try:
            decoded = self._decoder.decode(packet.payload)
        except OpusError:
            self.counters.broken += 1
            self._conceal(packet.samples)
            self._next_timestamp = packet.end
            return
        self.decoded = True
        self._packet_samples = len(decoded)
        self._next_timestamp = packet.timestamp + len(decoded)
        self._append(self._concealment.heard(decoded))
        self._stretch()

    def _append(self, samples: Samples) -> None:
        self._sound = np.concatenate((self._sound, samples))

    def _stretch(self) -> None:
        """Lead the delay to its target where drift alone would take too long."""
        error = self._delay_s() - self._network.target_s
        if _SHORT_S < error < _LONG_S or self._since_stretch < _STRETCH_PAUSE:
            return
        before, most = len(self._sound), int(abs(error) * RATE_HZ)
        change = shorten if error > 0 else lengthen
        self._sound = change(self._sound, most, abs(error) > _URGENT_S)
        changed = len(self._sound) - before
        self.counters.shortened_samples += max(0, -changed)
        self.counters.lengthened_samples += max(0, changed)
        if changed:
            self._since_stretch = 0
