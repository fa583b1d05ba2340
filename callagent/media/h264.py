# SPDX-License-Identifier: GPL-3.0-or-later
"""The little of H.264 (ITU-T H.264, Annex B and 7.3) that is looked at without decoding. Pure.

FFmpeg's own parser tells the size only to whoever decodes; these few fields are read here, in some
microseconds for each access unit, because only what stands before its first slice is looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass

SLICE, IDR, SEI, SPS, PPS, DELIMITER = 1, 5, 6, 7, 8, 9
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
"""Whose parameter set holds chroma format and scaling lists (7.3.2.1.1)."""
_START = b"\0\0\1"


class BitstreamError(Exception):
    """The bytes are no H.264 access unit, or no parameter set."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What stands before the first slice of an access unit, and of what kind that is."""

    sps: bytes | None
    """The last sequence parameter set, without start code."""
    pps: bytes | None
    slice_type: int | None
    """NAL unit type of the first slice; None: there is no picture in it."""

    @property
    def key(self) -> bool:
        """A decoder may start here, once it has the parameter sets."""
        return self.slice_type == IDR


@dataclass(frozen=True, slots=True)
class Sps:
    """Of a sequence parameter set."""

    profile_idc: int
    constraints: int
    """The byte of constraint flags."""
    level_idc: int
    """31 for level 3.1."""
    width: int
    """In pixels, after cropping."""
    height: int


def opening(access_unit: bytes | memoryview) -> Opening:
    """Raises BitstreamError where there is no start code, and for a NAL unit no encoder may write."""
    sps = pps = None
    for kind, nal in _nal_units(bytes(access_unit) if isinstance(access_unit, memoryview) else access_unit):
        if kind in (SLICE, 2, IDR):
            return Opening(sps, pps, kind)
        if kind == SPS:
            sps = nal()
        elif kind == PPS:
            pps = nal()
    return Opening(sps, pps, None)


class _Nal:
    """One NAL unit of a buffer; its bytes are copied out when they are asked for."""

    __slots__ = ("_data", "_start")

    def __init__(self, data: bytes, start: int) -> None:
        self._data, self._start = data, start

    def __call__(self) -> bytes:
        end = self._data.find(_START, self._start)
        return self._data[self._start : end if end >= 0 else len(self._data)].rstrip(b"\0")


def _nal_units(data: bytes) -> Iterator[tuple[int, _Nal]]:
    at = data.find(_START)
    if at < 0 or data[:at].strip(b"\0"):
        raise BitstreamError("it does not begin with a start code")
    while 0 <= at < len(data) - len(_START):
        at += len(_START)
        header = data[at]
        kind = header & 0x1F
        # 7.4.1: the forbidden bit is 0; types 0 and from 24 on are unspecified, 16 to 18 and 22, 23 reserved.
        if header & 0x80 or kind == 0 or 16 <= kind <= 18 or kind >= 22:
            raise BitstreamError(f"its NAL unit header is {header:#04x}")
        yield kind, _Nal(data, at)
        at = data.find(_START, at)


def read_sps(nal: bytes) -> Sps:
    """Of a NAL unit of type 7, without start code (7.3.2.1.1). Raises BitstreamError."""
    if len(nal) < 5 or nal[0] & 0x1F != SPS:
        raise BitstreamError("it is no sequence parameter set")
    bits = _Bits(nal[4:].replace(b"\0\0\3", b"\0\0"))
    profile = nal[1]
    bits.ue()  # id
    chroma = _skip_high(bits) if profile in _HIGH_PROFILES else 1
    bits.ue()  # log2_max_frame_num_minus4
    _skip_order(bits)
    bits.ue()  # max_num_ref_frames
    bits.u(1)
    width, map_height = bits.ue() + 1, bits.ue() + 1
    frames_only = bits.u(1)
    if not frames_only:
        bits.u(1)
    bits.u(1)
    left = right = top = bottom = 0
    if bits.u(1):
        left, right, top, bottom = (bits.ue() for _ in range(4))
    # Table 6-1 and 7.4.2.1.1: the crop is in chroma samples.
    across = 2 if chroma in (1, 2) else 1
    down = (2 if chroma == 1 else 1) * (2 - frames_only)
    return Sps(
        profile,
        nal[2],
        nal[3],
        width * 16 - (left + right) * across,
        map_height * 16 * (2 - frames_only) - (top + bottom) * down,
    )


def _skip_high(bits: "_Bits") -> int:
    chroma = bits.ue()
    if chroma == 3:
        bits.u(1)
    bits.ue()
    bits.ue()
    bits.u(1)
    if bits.u(1):
        for number in range(8 if chroma != 3 else 12):
            if bits.u(1):
                _skip_scaling_list(bits, 16 if number < 6 else 64)
    return chroma


def _skip_scaling_list(bits: "_Bits", size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _skip_order(bits: "_Bits") -> None:
    """How pictures are put in order."""
    kind = bits.ue()
    if kind == 0:
        bits.ue()
    elif kind == 1:
        bits.u(1)
        bits.se()
        bits.se()
        for _ in range(bits.ue()):
            bits.se()


class _Bits:
    """Reads unsigned and Exp-Golomb numbers (9.1). Raises BitstreamError past the end."""

    def __init__(self, data: bytes) -> None:
        self._number = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def u(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise BitstreamError("the parameter set ends in its middle")
        return self._number >> self._left & (1 << count) - 1

    def ue(self) -> int:
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros > 32:
                raise BitstreamError("a number of the parameter set is too long")
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)


class ParameterSets:
    """Sees to it that every key frame has its parameter sets before it. For one thread.

    Encoders of hardware and cameras give them once, or as an access unit of their own; who
    joins later, or lost a packet, needs them again (RFC 6184 section 8.4).
    """

    def __init__(self) -> None:
        self._sps: bytes | None = None
        self._pps: bytes | None = None

    def complete(self, access_unit: bytes | memoryview, seen: Opening) -> bytes | memoryview | None:
        """The access unit, parameter sets in front where a key frame lacks them; itself where it does not.

        None when there is no picture in it: parameter sets that came alone are kept for the next key frame.
        """
        self._sps, self._pps = seen.sps or self._sps, seen.pps or self._pps
        if seen.slice_type is None:
            return None
        if not seen.key or (seen.sps and seen.pps) or self._sps is None or self._pps is None:
            return access_unit
        start = b"\0" + _START
        missing = b"".join(
            start + kept for kept, there in ((self._sps, seen.sps), (self._pps, seen.pps)) if there is None
        )
        return missing + bytes(access_unit)
