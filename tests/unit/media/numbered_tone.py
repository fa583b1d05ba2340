# SPDX-License-Identifier: GPL-3.0-or-later
"""A tone in numbered packets, and a listener on a simulated clock."""

import numpy as np

from callagent.media.opus import OpusError
from callagent.media.playout.audio_core import AudioPlayoutCore
from callagent.media.sound import FRAME_SAMPLES, RATE_HZ, Samples
from callagent.ports import ReceivedPacket

TONE_HZ = 440.0
# 44 periods in five packets: then it begins anew.
TONE: Samples = (8000 * np.sin(2 * np.pi * TONE_HZ / RATE_HZ * np.arange(4800))).astype(np.int16)


class NumberedTone:
    """A decoder whose packets hold nothing but their number: a tone that goes on from one to the next."""

    def __init__(self, fec: bool = True, length: int = 960) -> None:
        self._fec = fec
        self._length = length
        self._places = np.arange(length)
        self._place = 0
        self.resets = 0

    @staticmethod
    def payload(number: int) -> bytes:
        return number.to_bytes(8, "big")

    def decode(self, packet: bytes) -> Samples:
        if len(packet) != 8:
            raise OpusError("no packet")
        place = int.from_bytes(packet, "big") * self._length
        self._place = place + self._length
        return TONE[(place + self._places) % len(TONE)]

    def decode_fec(self, following: bytes, count: int) -> Samples:
        return self.decode(self.payload(int.from_bytes(following, "big") - 1))[-count:]

    def conceal(self, count: int) -> Samples:
        """Goes on with the tone, as a codec tries to."""
        self._place += count
        return TONE[(self._place - count + np.arange(count)) % len(TONE)]

    def packet_samples(self, packet: bytes) -> int:
        return self._length if packet else 0

    def has_fec(self, packet: bytes) -> bool:
        return self._fec

    def reset(self) -> None:
        self.resets += 1

    def close(self) -> None: ...


def received(
    number: int, arrival: float, *, timestamp: int | None = None, sequence: int | None = None
) -> ReceivedPacket:
    return ReceivedPacket(
        sequence=number if sequence is None else sequence,
        timestamp=number * 960 if timestamp is None else timestamp,
        payload=NumberedTone.payload(number),
        arrival_time=arrival,
        sender_time=1000.0 + number * 0.02,
    )


class Listener:
    """A core on a simulated clock: packets in by hand, 10 ms at a time out."""

    def __init__(self, fec: bool = True) -> None:
        self.sound: list[Samples] = []
        self.decoder = NumberedTone(fec)
        self.core = AudioPlayoutCore(self.decoder)
        self.now = 10.0

    def hear(self, count: int = 1) -> list[bool]:
        """Whether each of the next pulls gave sound."""
        heard = []
        for _ in range(count):
            samples = self.core.take(self.now)
            assert samples is None or (len(samples) == FRAME_SAMPLES and samples.dtype == np.int16)
            heard.append(samples is not None)
            self.sound.append(np.zeros(FRAME_SAMPLES, np.int16) if samples is None else samples)
            self.now += 0.01
        return heard

    def run(self, numbers: range, shift: int = 0) -> None:
        """A packet, then 20 ms of sound, again and again; `shift` adds to the time stamps."""
        for number in numbers:
            self.core.put(received(number, self.now, timestamp=number * 960 + shift))
            self.hear(2)
