# SPDX-License-Identifier: GPL-3.0-or-later
"""The RTCP message that tells which packets of a transport arrived, and when.

Format: draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

REFERENCE_S = 0.064
"""Unit of the reference time."""
TICK_S = 0.000_25
"""Unit of the arrivals."""
TICKS_PER_REFERENCE = 256
REFERENCE_BITS = 24
MAX_PACKETS = 0xFFFF
MAX_DELTA_TICKS = 0x7FFF
"""Neighbouring arrivals may be this far apart, about 8.2 s."""

_RTPFB, _FORMAT = 205, 15
_VERSION, _PADDED = 0x80, 0x20
_FIXED = struct.Struct("!LLHHL")
_FIXED_AT, _CHUNKS_AT = 4, 20
_MAX_RUN = 0x1FFF
_MISSING, _SMALL, _LARGE = 0, 1, 2
_ONE_BIT_SYMBOLS, _TWO_BIT_SYMBOLS = 14, 7


class FeedbackError(ValueError):
    """The bytes are no transport-wide feedback, or the figures do not fit into one."""


@dataclass(frozen=True, slots=True)
class TransportFeedback:
    """What one message tells of the packets `base_sequence`, `base_sequence + 1`, ..."""

    sender_ssrc: int
    media_ssrc: int
    base_sequence: int
    """16 bits."""
    reference: int
    """When the first arrival is counted from: in 64 ms of the receiver's clock, 24 bits."""
    number: int
    """Counts the messages of this receiver, 8 bits."""
    arrivals: tuple[int | None, ...]
    """For each packet the ticks (of 250 us) since the reference time; None: it has not arrived."""

    def serialize(self) -> bytes:
        """The RTCP packet. Raises FeedbackError when neighbouring arrivals are too far apart."""
        if not 1 <= len(self.arrivals) <= MAX_PACKETS:
            raise FeedbackError(f"one message tells of 1 to {MAX_PACKETS} packets")
        symbols, deltas = _deltas(self.arrivals)
        body = _chunks(symbols) + deltas
        padding = -len(body) % 4
        if padding:
            body += bytes(padding - 1) + bytes([padding])
        length = (_CHUNKS_AT + len(body)) // 4 - 1
        if length > 0xFFFF:
            raise FeedbackError("more packets than one RTCP packet can tell of")
        first = _VERSION | _FORMAT | (_PADDED if padding else 0)
        head = struct.pack("!BBH", first, _RTPFB, length)
        reference = (self.reference % (1 << REFERENCE_BITS)) << 8 | self.number
        return (
            head
            + _FIXED.pack(
                self.sender_ssrc, self.media_ssrc, self.base_sequence, len(self.arrivals), reference
            )
            + body
        )


def parse_feedback(packet: bytes) -> TransportFeedback:
    """Read one RTCP packet. Raises FeedbackError for whatever is not transport-wide feedback."""
    if len(packet) < _CHUNKS_AT + 2 or len(packet) % 4:
        raise FeedbackError("the packet is too short")
    if packet[0] & ~_PADDED != _VERSION | _FORMAT or packet[1] != _RTPFB:
        raise FeedbackError("the packet is of another kind")
    end = len(packet)
    if packet[0] & _PADDED:
        end -= packet[-1]
        if not packet[-1] or end < _CHUNKS_AT:
            raise FeedbackError("the packet's padding is longer than the packet")
    sender, media, base, count, reference = _FIXED.unpack_from(packet, _FIXED_AT)
    if not count:
        raise FeedbackError("the packet tells of nothing")
    symbols, at = _read_chunks(packet, count, end)
    return TransportFeedback(
        sender, media, base, reference >> 8, reference & 0xFF, _read_arrivals(packet, symbols, at, end)
    )


def split_compound(data: bytes) -> tuple[list[bytes], bytes]:
    """The transport-wide feedback of a compound RTCP packet (RFC 3550 section 6.1), and the rest as it was.

    What is no well-formed compound is all rest.
    """
    feedback: list[bytes] = []
    rest: list[bytes] = []
    at = 0
    while at < len(data):
        if len(data) < at + 4:
            return [], data
        end = at + 4 + 4 * int.from_bytes(data[at + 2 : at + 4], "big")
        if len(data) < end:
            return [], data
        is_feedback = data[at + 1] == _RTPFB and data[at] & 0x1F == _FORMAT
        (feedback if is_feedback else rest).append(data[at:end])
        at = end
    return feedback, b"".join(rest)


def _deltas(arrivals: Sequence[int | None]) -> tuple[list[int], bytes]:
    """The symbol of each packet, and the arrivals as differences."""
    symbols: list[int] = []
    deltas = bytearray()
    last = 0
    for arrival in arrivals:
        if arrival is None:
            symbols.append(_MISSING)
            continue
        delta = arrival - last
        last = arrival
        if 0 <= delta <= 0xFF:
            symbols.append(_SMALL)
            deltas.append(delta)
        elif -MAX_DELTA_TICKS - 1 <= delta <= MAX_DELTA_TICKS:
            symbols.append(_LARGE)
            deltas += struct.pack("!h", delta)
        else:
            raise FeedbackError("two neighbouring packets arrived too far apart for one message")
    return symbols, bytes(deltas)


def _chunks(symbols: Sequence[int]) -> bytes:
    """Packet status chunks (sections 3.1.3 and 3.1.4), each the one that takes most packets."""
    chunks = bytearray()
    at = 0
    while at < len(symbols):
        run = 1
        while run < _MAX_RUN and at + run < len(symbols) and symbols[at + run] == symbols[at]:
            run += 1
        one_bit = symbols[at : at + _ONE_BIT_SYMBOLS]
        if (
            run >= _ONE_BIT_SYMBOLS
            or at + run == len(symbols)
            or (_LARGE in one_bit and run > _TWO_BIT_SYMBOLS)
        ):
            chunk, taken = symbols[at] << 13 | run, run
        elif _LARGE not in one_bit:
            chunk, taken = 0x8000 | _vector(one_bit, _ONE_BIT_SYMBOLS, 1), len(one_bit)
        else:
            two_bit = symbols[at : at + _TWO_BIT_SYMBOLS]
            chunk, taken = 0xC000 | _vector(two_bit, _TWO_BIT_SYMBOLS, 2), len(two_bit)
        chunks += chunk.to_bytes(2, "big")
        at += taken
    return bytes(chunks)


def _vector(symbols: Sequence[int], places: int, bits: int) -> int:
    value = 0
    for place, symbol in enumerate(symbols):
        value |= symbol << bits * (places - 1 - place)
    return value


def _read_chunks(packet: bytes, count: int, end: int) -> tuple[list[int], int]:
    """The symbols of `count` packets, and where the deltas begin."""
    symbols: list[int] = []
    at = _CHUNKS_AT
    while len(symbols) < count:
        if end < at + 2:
            raise FeedbackError("the packet has fewer chunks than it tells of packets")
        chunk = packet[at] << 8 | packet[at + 1]
        at += 2
        if not chunk & 0x8000:
            symbols += [chunk >> 13] * min(chunk & _MAX_RUN, count - len(symbols))
        elif not chunk & 0x4000:
            symbols += [chunk >> place & 1 for place in range(13, -1, -1)]
        else:
            symbols += [chunk >> place & 3 for place in range(12, -1, -2)]
    del symbols[count:]
    return symbols, at


def _read_arrivals(packet: bytes, symbols: Sequence[int], at: int, end: int) -> tuple[int | None, ...]:
    arrivals: list[int | None] = []
    last = 0
    for symbol in symbols:
        if symbol == _MISSING:
            arrivals.append(None)
            continue
        if symbol not in (_SMALL, _LARGE):
            raise FeedbackError("the packet has a reserved symbol")
        if end < at + symbol:
            raise FeedbackError("the packet has fewer arrivals than it tells of")
        # The number of a symbol is also the size of its delta.
        last += int.from_bytes(packet[at : at + symbol], "big", signed=symbol == _LARGE)
        at += symbol
        arrivals.append(last)
    return tuple(arrivals)
