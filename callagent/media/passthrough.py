# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the camera's own H.264 goes out as it is, access unit by access unit. Pure: no clock, no I/O.

Turning is a reason to transcode as long as nothing tells the other side how to turn the picture itself
(the RTP header extension CVO, 3GPP TS 26.114): where it is negotiated, `misfit` will no longer name it.
"""

from collections import deque
from dataclasses import dataclass

from callagent.media.h264 import BitstreamError, Opening, read_sps
from callagent.ports import VideoFrame

KEY_WAIT_S = 1.0
"""A camera that gives no key frame for so long after it was asked does not listen."""
BACK_AFTER_S = 5.0
"""Nothing stood against it for so long: with its next key frame the camera's own goes out again."""
_DEAF_S, _DEAF_MOST_S = 10.0, 600.0
"""How long one that does not listen is transcoded, longer each time."""
_TOO_BIG = 0.6
"""A target below this share of the camera's rate needs an encoder."""
_BIG_FOR_S = 1.0
_FAST = 1.15
_ASK_PICTURES, _GOP_PICTURES = 200, 300
"""Kept since the last key frame, for a decoder that has to begin in the middle: when the camera is asked for
another one, and when it is decoded at once since none came."""
_SMOOTH_S = 2.0
_CONSTRAINED_BASELINE = 66
"""profile_idc of what is negotiated (RFC 7742 section 6.2)."""


@dataclass(frozen=True, slots=True)
class Route:
    """What becomes of one access unit."""

    payload: memoryview | None = None
    """To be sent as it is."""
    key: bool = False
    decode: tuple[VideoFrame, ...] = ()
    """To be decoded, in order; the last of them is the present picture."""


_NOTHING = Route()


class PassThrough:
    """Decides for one stream. Begins, and begins again, with a key frame of the camera. For one thread."""

    def __init__(self, fps: int) -> None:
        self._fps = fps
        self.passing = False
        self.reason = "the camera has given no key frame yet"
        """Why not, in one sentence; empty while it passes."""
        self._gop: deque[VideoFrame] = deque()
        self._gop_whole = False
        self._profile_problem = ""
        self._size: tuple[int, int] | None = None
        self._key_wanted_since: float | None = None
        self._deaf_until = float("-inf")
        self._deaf_s = _DEAF_S
        self._pace = _Pace()
        self._big_since: float | None = None
        self._misfit_at = float("-inf")
        self._decoding = False

    @property
    def wants_key(self) -> bool:
        """A key frame is due for our own sake, from a camera that gives none unasked."""
        return self.passing and len(self._gop) >= _ASK_PICTURES

    def take(
        self, frame: VideoFrame, seen: Opening, *, misfit: str, key_wanted: bool, target_bps: int, now: float
    ) -> Route:
        """One access unit of the camera, in order, with parameter sets before key frames (`CameraSlot`).

        `misfit`: what else stands against it (size, turning, another codec); `key_wanted`: a peer waits for a
        key frame.
        """
        data = frame.planes[0].data
        self._remember(frame, seen)
        self._pace.add(now, len(data))
        reason = self._reason(frame, misfit, seen, key_wanted, target_bps, now)
        if reason:
            self._misfit_at = now
        if self.passing:
            self.passing = not reason
        elif not reason and seen.key and (not self._decoding or now - self._misfit_at >= BACK_AFTER_S):
            self.passing = True
        self.reason = "" if self.passing else reason or self.reason
        if self.passing:
            self._decoding = False
            return Route(data, seen.key)
        return self._transcode(frame)

    def _transcode(self, frame: VideoFrame) -> Route:
        if self._decoding:
            return Route(decode=(frame,))
        if not self._gop_whole:
            # The decoder, too, must wait for a key frame.
            return _NOTHING
        self._decoding = True
        return Route(decode=tuple(self._gop))

    def _remember(self, frame: VideoFrame, seen: Opening) -> None:
        if seen.key:
            self._gop.clear()
            self._gop_whole = True
            self._read(seen)
        # Once it is full a decoder goes on by itself, up to the next key frame.
        if self._gop_whole and len(self._gop) < _GOP_PICTURES:
            self._gop.append(frame)

    def _read(self, seen: Opening) -> None:
        if seen.sps is None:
            return
        try:
            sps = read_sps(seen.sps)
        except BitstreamError as error:
            self._profile_problem, self._size = f"its parameter set cannot be read: {error}", None
            return
        self._size = (sps.width, sps.height)
        profile = sps.profile_idc
        self._profile_problem = (
            ""
            if profile == _CONSTRAINED_BASELINE
            else f"its H.264 profile ({profile}) is not the negotiated one"
        )

    def _reason(
        self, frame: VideoFrame, misfit: str, seen: Opening, key_wanted: bool, target_bps: int, now: float
    ) -> str:
        if seen.key or not key_wanted:
            self._key_wanted_since = None
        elif self._key_wanted_since is None:
            self._key_wanted_since = now
        elif now - self._key_wanted_since > KEY_WAIT_S and now >= self._deaf_until:
            self._deaf_until, self._deaf_s = now + self._deaf_s, min(_DEAF_MOST_S, 2 * self._deaf_s)
        if len(self._gop) >= _GOP_PICTURES:
            return "its key frames are too far apart"
        if self._size is not None and self._size != (frame.width, frame.height):
            return "its pictures are of another size than it says"
        return misfit or self._profile_problem or self._deafness(now) or self._too_much(target_bps, now)

    def _deafness(self, now: float) -> str:
        return "it gives no key frame when asked" if now < self._deaf_until else ""

    def _too_much(self, target_bps: int, now: float) -> str:
        if self._pace.known and self._pace.fps > self._fps * _FAST:
            return f"it gives {self._pace.fps:.0f} pictures a second, {self._fps} are wanted"
        if not self._pace.known or self._pace.bps * _TOO_BIG <= target_bps:
            self._big_since = None
            return ""
        self._big_since = self._big_since or now
        if now - self._big_since < _BIG_FOR_S and self.passing:
            return ""
        return f"its {self._pace.bps / 1000:.0f} kbit/s are too much for {target_bps / 1000:.0f} kbit/s"


class _Pace:
    """Pictures and bits per second, over some two seconds."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._last = 0.0
        self._pictures = self._bits = self._seconds = 0.0

    @property
    def known(self) -> bool:
        return self._seconds > _SMOOTH_S / 4

    @property
    def fps(self) -> float:
        return self._pictures / self._seconds

    @property
    def bps(self) -> float:
        return self._bits / self._seconds

    def add(self, now: float, size: int) -> None:
        if self._began is None:
            self._began = self._last = now
            return
        passed, self._last = now - self._last, now
        fade = max(0.0, 1 - passed / _SMOOTH_S)
        self._pictures = self._pictures * fade + 1
        self._bits = self._bits * fade + size * 8
        self._seconds = self._seconds * fade + passed
