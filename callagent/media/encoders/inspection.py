# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what an encoder gives can be what it was asked for; some microseconds for each picture. Pure.

Not decoded: only the headers are looked at, and sizes and parameter sets of key frames alone.
"""

from callagent.media.encoders.base import EncodedPayload, EncoderError, EncoderSettings
from callagent.media.h264 import BitstreamError, opening, read_sps
from callagent.ports import Codec

SILENT_S, SILENT_PICTURES = 0.4, 4
"""Nothing for so long, and so many pictures more than it may be behind: it gives nothing any more."""
UNASKED_KEYS = 8
"""Key frames in a row nobody asked for: it makes nothing else."""
KEY_PICTURES = 10
"""A key frame that was asked for must come within so many pictures more than the encoder may be behind."""


class EncoderFault(EncoderError):
    """The encoder gives something else than was asked for."""


class Inspector:
    """Looks at what one encoder gives. For one thread. Raises EncoderFault."""

    def __init__(self, codec: Codec, settings: EncoderSettings, delay_pictures: int = 0) -> None:
        self._codec = codec
        self._size = (settings.width, settings.height)
        self._delay = delay_pictures
        self._patience = delay_pictures + max(SILENT_PICTURES, round(SILENT_S * settings.fps))
        self._silent = 0
        self._keys = 0
        self._asked: int | None = None
        self._started = False

    def look(self, payloads: list[EncodedPayload], forced: bool) -> None:
        """After every call of `encode`; `forced`: a key frame was asked for with it."""
        if not payloads:
            self._silent += 1
            if self._silent > self._patience:
                raise EncoderFault(f"it gave nothing for {self._silent} pictures")
        else:
            self._silent = 0
        if forced and self._asked is None:
            self._asked = 0
        for payload in payloads:
            self._look_at(payload)
        if self._asked is not None:
            self._asked += 1
            if self._asked > KEY_PICTURES + self._delay:
                raise EncoderFault(f"it made no key frame within {self._asked} pictures")

    def _look_at(self, payload: EncodedPayload) -> None:
        key = self._h264(payload) if self._codec is Codec.H264 else self._vp8(payload)
        if key != payload.key:
            raise EncoderFault("it calls a picture a key frame that is none, or the other way round")
        if not key and not self._started:
            raise EncoderFault("its first picture is no key frame")
        self._started = True
        self._keys = self._keys + 1 if key and self._asked is None else 0
        if key:
            self._asked = None
        if self._keys > UNASKED_KEYS:
            raise EncoderFault("it makes nothing but key frames")

    def _h264(self, payload: EncodedPayload) -> bool:
        try:
            seen = opening(payload.payload)
            if seen.slice_type is None:
                raise EncoderFault("there is no picture in what it gives")
            if seen.key:
                if seen.sps is None or seen.pps is None:
                    raise EncoderFault("a key frame has no parameter sets")
                sps = read_sps(seen.sps)
                self._check_size((sps.width, sps.height))
        except BitstreamError as error:
            raise EncoderFault(f"it gives no H.264: {error}") from error
        return seen.key

    def _vp8(self, payload: EncodedPayload) -> bool:
        """RFC 6386 section 9.1: a frame tag of three bytes; a key frame goes on with start code and size."""
        head = bytes(payload.payload[:10])
        if len(head) < 3 or head[0] >> 1 & 7 > 3:
            raise EncoderFault("it gives no VP8")
        if head[0] & 1:
            return False
        if len(head) < 10 or head[3:6] != b"\x9d\x01\x2a":
            raise EncoderFault("it gives no VP8: a key frame without start code")
        width, height = (int.from_bytes(head[at : at + 2], "little") & 0x3FFF for at in (6, 8))
        self._check_size((width, height))
        return True

    def _check_size(self, size: tuple[int, int]) -> None:
        if size != self._size:
            (width, height), (wanted_width, wanted_height) = size, self._size
            raise EncoderFault(f"its pictures are {width}x{height}, not {wanted_width}x{wanted_height}")
