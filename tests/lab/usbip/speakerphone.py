# SPDX-License-Identifier: GPL-3.0-or-later
"""A USB speakerphone: microphone and loudspeaker in one card (USB Audio Class 1.0)."""

import struct
from collections import deque

import numpy as np
from numpy.typing import NDArray

from callagent.devices.virtual.tone_meter import tone_db
from tests.lab.usbip.device import Refused, Speed, Stall, UsbDevice, taken
from tests.lab.usbip.wire import Transfer

RATE_HZ = 48_000
_MS_BYTES = RATE_HZ // 1000 * 2
SPEAKER_UNIT, MICROPHONE_UNIT = 2, 5
_SPEAKER, _MICROPHONE = 1, 2
"""Interfaces, and the numbers of their endpoints."""
MUTE, VOLUME = 1, 2
_HEARD_S = 2.0
_LATE_S = 0.05
_TOGETHER_S = 0.005
"""What is due waits so long for more to be given back with it: a thousand transfers a second, each with its
own interrupt, are half a processor of the emulated guest."""


class Speakerphone(UsbDevice):
    """48 kHz, 16 bit, mono both ways; its microphone hears a tone."""

    speed = Speed.FULL
    ids = (0x1209, 0x0002)

    def __init__(
        self, product: str = "Lab Speakerphone", serial: str = "S1", *, tone_hz: float = 1000.0
    ) -> None:
        super().__init__(product, serial)
        turn = 2 * np.pi * tone_hz * np.arange(RATE_HZ) / RATE_HZ
        self._tone = (9000 * np.sin(turn)).astype("<i2").tobytes()
        self._at = 0
        self._queues: dict[int, deque[Transfer]] = {_SPEAKER: deque(), _MICROPHONE: deque()}
        self._clock = {_SPEAKER: 0.0, _MICROPHONE: 0.0}
        self._heard = bytearray()
        self.settings: dict[tuple[int, int], int] = {}
        """Mute and volume by unit, as the kernel set them."""

    def recent(self, last_s: float) -> NDArray[np.int16]:
        """The newest samples that came out of the loudspeaker, up to 2 s."""
        with self.lock:
            return np.frombuffer(bytes(self._heard[-int(last_s * RATE_HZ) * 2 :]), "<i2").astype(np.int16)

    def forget(self) -> None:
        """What was played up to now."""
        with self.lock:
            self._heard.clear()

    def plays(self, tone_hz: float, least_db: float = 20.0) -> bool:
        """Whether the last half second was that tone."""
        sound = self.recent(0.5)
        return len(sound) >= RATE_HZ // 2 and tone_db(sound, tone_hz) >= least_db

    def reset(self) -> None:
        self._heard.clear()
        # As some come out of the box: nobody would hear anything.
        self.settings = {
            (unit, what): value
            for unit in (SPEAKER_UNIT, MICROPHONE_UNIT)
            for what, value in ((MUTE, 1), (VOLUME, -50 * 256))
        }
        for queue in self._queues.values():
            queue.clear()

    # --- descriptors ----------------------------------------------------------------------------

    def interfaces(self) -> tuple[bytes, int]:
        units = (
            _input_terminal(1, 0x0101)
            + _feature_unit(SPEAKER_UNIT, 1)
            + _output_terminal(3, 0x0301, SPEAKER_UNIT)
            + _input_terminal(4, 0x0201)
            + _feature_unit(MICROPHONE_UNIT, 4)
            + _output_terminal(6, 0x0101, MICROPHONE_UNIT)
        )
        control = struct.pack("<BBBBBBBBB", 9, 4, 0, 0, 0, 1, 1, 0, 0)
        header = struct.pack("<BBBHHBBB", 10, 0x24, 1, 0x0100, 10 + len(units), 2, 1, 2)
        # Adaptive playback, asynchronous capture, as most such devices.
        streams = _stream(_SPEAKER, 1, 0x01, 0x09) + _stream(_MICROPHONE, 6, 0x82, 0x05)
        return control + header + units + streams, 3

    def class_request(self, request: int, value: int, index: int, data: bytes) -> bytes:
        unit, what = index >> 8, value >> 8
        if (unit, what) not in self.settings:
            raise Refused
        if request == 0x01:  # SET_CUR
            self.settings[unit, what] = data[0] if what == MUTE else struct.unpack("<h", data[:2])[0]
            return b""
        current = self.settings[unit, what]
        if what == MUTE:
            if request != 0x81:
                raise Refused
            return bytes((current,))
        # GET_CUR, GET_MIN, GET_MAX, GET_RES in 1/256 dB
        numbers = {0x81: current, 0x82: -60 * 256, 0x83: 0, 0x84: 256}
        if request not in numbers:
            raise Refused
        return struct.pack("<h", numbers[request])

    def interface_set(self, interface: int, _setting: int) -> None:
        self._clock[interface] = 0.0

    # --- sound ----------------------------------------------------------------------------------

    def transfer(self, transfer: Transfer) -> None:
        """One packet lasts a millisecond: a transfer is due when its packets have gone by."""
        self._queues[transfer.endpoint].append(transfer)
        transfer.due = 0.0

    def unlink(self, seqnum: int) -> bool:
        return any(taken(queue, seqnum) for queue in self._queues.values())

    def tick(self, now: float) -> float | None:
        if self.stalled == Stall.FREEZE:
            return None
        waits = [self._run(endpoint, queue, now) for endpoint, queue in self._queues.items()]
        return min((wait for wait in waits if wait is not None), default=None)

    def _run(self, endpoint: int, queue: deque[Transfer], now: float) -> float | None:
        together = False
        while queue:
            transfer = queue[0]
            if not transfer.due:
                clock = self._clock[endpoint]
                # After a pause the clock does not catch up with what nobody asked for.
                begin = max(clock, now - _LATE_S) if clock else now
                transfer.due = begin + len(transfer.packets) / 1000
            wait_s = transfer.due - now if together else transfer.due + _TOGETHER_S - now
            if wait_s > 0:
                return transfer.due + _TOGETHER_S - now
            together = True
            self._clock[endpoint] = transfer.due
            self._complete(queue.popleft())
        return None

    def _complete(self, transfer: Transfer) -> None:
        if transfer.incoming:
            sound = self._hear(_MS_BYTES * len(transfer.packets))
            self.finish(transfer, sound, lengths=[_MS_BYTES] * len(transfer.packets))
            return
        self._heard += transfer.data
        del self._heard[: max(0, len(self._heard) - int(_HEARD_S * RATE_HZ) * 2)]
        self.finish(transfer, lengths=[length for _, length in transfer.packets])

    def _hear(self, size: int) -> bytes:
        if self.settings[MICROPHONE_UNIT, MUTE]:
            return bytes(size)
        piece = (self._tone[self._at :] + self._tone)[:size]
        self._at = (self._at + size) % len(self._tone)
        return piece


def _input_terminal(number: int, kind: int) -> bytes:
    return struct.pack("<BBBBHBBHBB", 12, 0x24, 2, number, kind, 0, 1, 0, 0, 0)


def _output_terminal(number: int, kind: int, source: int) -> bytes:
    return struct.pack("<BBBBHBBB", 9, 0x24, 3, number, kind, 0, source, 0)


def _feature_unit(number: int, source: int) -> bytes:
    """With mute and volume."""
    return struct.pack("<BBBBBBBBB", 9, 0x24, 6, number, source, 1, 3, 0, 0)


def _stream(interface: int, link: int, endpoint: int, attributes: int) -> bytes:
    """Without sound in setting 0, one format in setting 1."""
    return (
        struct.pack("<BBBBBBBBB", 9, 4, interface, 0, 0, 1, 2, 0, 0)
        + struct.pack("<BBBBBBBBB", 9, 4, interface, 1, 1, 1, 2, 0, 0)
        + struct.pack("<BBBBBH", 7, 0x24, 1, link, 1, 1)
        + struct.pack("<BBBBBBBB", 11, 0x24, 2, 1, 1, 2, 16, 1)
        + RATE_HZ.to_bytes(3, "little")
        + struct.pack("<BBBBHBBB", 9, 5, endpoint, attributes, _MS_BYTES + 4, 1, 0, 0)
        + struct.pack("<BBBBBH", 7, 0x25, 1, 0, 0, 0)
    )
