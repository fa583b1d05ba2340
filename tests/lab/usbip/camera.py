# SPDX-License-Identifier: GPL-3.0-or-later
"""A USB webcam (USB Video Class 1.1, bulk transfers) with a frame code in its picture.

Besides `device.Stall` it knows: `halt` (the endpoint answers STALL until the host clears it), `error`
(every picture carries the error bit), `truncate` (pictures are cut in the middle), `empty` (no data).
"""

import struct
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from tests.lab.usbip.device import Refused, Stall, UsbDevice, taken
from tests.lab.usbip.pictures import PictureMaker
from tests.lab.usbip.video_class import (
    BRIGHTNESS,
    CONTROL_INTERFACE,
    ENDPOINT,
    STREAM_INTERFACE,
    UNIT,
    Control,
    Mode,
    controls,
    interfaces,
)
from tests.lab.usbip.wire import EPIPE, Transfer

MODES = (
    Mode("MJPG", 320, 240),
    Mode("MJPG", 640, 480),
    Mode("YUYV", 320, 240),
    Mode("H264", 320, 240),
    Mode("H264", 640, 480),
)
STALLS = (*Stall, "halt", "error", "truncate", "empty")

_PROBE = struct.Struct("<HBBIHHHHHIIIBBBB")
_SET_CUR, _GET_CUR, _GET_MIN, _GET_MAX, _GET_RES, _GET_LEN, _GET_INFO, _GET_DEF = (
    *(0x01, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87),
)
_PROBE_CONTROL, _COMMIT_CONTROL = 1, 2
_REQUEST_ERROR_CODE = 2
_SET_AND_GET = b"\x03"
_EOH, _ERROR, _END, _TOGGLE = 0x80, 0x40, 0x02, 0x01
_SILENT = (Stall.FREEZE, "halt")


class _Probe(NamedTuple):
    """What host and camera agree on (UVC 1.1, table 4-75); intervals in 100 ns."""

    hint: int
    form: int
    frame: int
    interval: int
    frame_size: int
    payload_size: int

    def packed(self) -> bytes:
        return _PROBE.pack(
            *(self.hint, self.form, self.frame, self.interval),
            *(0, 0, 0, 0, 0, self.frame_size, self.payload_size, 48_000_000, 3, 0, 0, 0),
        )


@dataclass(slots=True)
class _Picture:
    """One on its way."""

    left: memoryview
    payload_left: int = 0
    payload_full: bool = False
    end_packet: bool = False


class Camera(UsbDevice):
    """Give equal ones another `ident`; it is read on the other side of a call."""

    ids = (0x1209, 0x0001)
    device_class = (0xEF, 2, 1)

    def __init__(
        self,
        product: str = "Lab Camera",
        serial: str = "C1",
        *,
        ident: int = 1,
        modes: tuple[Mode, ...] = MODES,
    ) -> None:
        super().__init__(product, serial)
        self._ident = ident
        self._formats: dict[str, list[Mode]] = {}
        for mode in modes:
            self._formats.setdefault(mode.fourcc, []).append(mode)
        self.frames = 0
        """Pictures begun since it was plugged in."""
        self.controls: dict[int, Control] = {}
        self.reset()

    @property
    def streaming(self) -> bool:
        return self._maker is not None

    @property
    def mode(self) -> Mode:
        """What was negotiated last."""
        return list(self._formats.values())[self._commit.form - 1][self._commit.frame - 1]

    def reset(self) -> None:
        self.controls = controls()
        self._probe = self._commit = self._negotiated(b"")
        self._maker: PictureMaker | None = None
        self._waiting: deque[Transfer] = deque()
        self._picture: _Picture | None = None
        self._toggle = 0
        self._next_at = 0.0
        self._error_code = 0
        self.frames = 0

    # --- control requests -----------------------------------------------------------------------

    def interfaces(self) -> tuple[bytes, int]:
        return interfaces(list(self._formats.values())), 2

    def class_request(self, request: int, value: int, index: int, data: bytes) -> bytes:
        selector, entity, interface = value >> 8, index >> 8, index & 0xFF
        if interface == STREAM_INTERFACE and selector in (_PROBE_CONTROL, _COMMIT_CONTROL):
            return self._probe_request(request, selector, data)
        if interface == CONTROL_INTERFACE and entity == 0 and selector == _REQUEST_ERROR_CODE:
            return bytes((self._error_code,))
        if entity == UNIT and selector in self.controls:
            return self._unit_request(request, self.controls[selector], data)
        self._error_code = 6
        raise Refused

    def _probe_request(self, request: int, selector: int, data: bytes) -> bytes:
        if request == _SET_CUR:
            self._probe = self._negotiated(data)
            if selector == _COMMIT_CONTROL:
                self._commit = self._probe
                self._start()
            return b""
        if request == _GET_LEN:
            return struct.pack("<H", _PROBE.size)
        if request == _GET_INFO:
            return _SET_AND_GET
        now = self._commit if selector == _COMMIT_CONTROL else self._probe
        rates = list(self._formats.values())[now.form - 1][now.frame - 1].rates
        if request == _GET_MIN:
            now = now._replace(interval=10_000_000 // max(rates))
        elif request == _GET_MAX:
            now = now._replace(interval=10_000_000 // min(rates))
        return now.packed()

    def _negotiated(self, wanted: bytes) -> _Probe:
        """What the camera makes of the host's wish."""
        hint, form, frame, interval = struct.unpack("<HBBI", wanted[:8].ljust(8, b"\0"))
        formats = list(self._formats.values())
        form = form if 1 <= form <= len(formats) else 1
        frame = frame if 1 <= frame <= len(formats[form - 1]) else 1
        mode = formats[form - 1][frame - 1]
        choices = [10_000_000 // rate for rate in mode.rates]
        interval = min(choices, key=lambda each: abs(each - interval)) if interval else choices[0]
        return _Probe(hint, form, frame, interval, mode.size, mode.size + 2)

    def _unit_request(self, request: int, control: Control, data: bytes) -> bytes:
        if request == _SET_CUR:
            value = int.from_bytes(data[: control.size], "little", signed=control.size == 2)
            if not control.low <= value <= control.high:
                self._error_code = 4
                raise Refused
            control.value = value
            return b""
        if request == _GET_LEN:
            return struct.pack("<H", control.size)
        if request == _GET_INFO:
            return _SET_AND_GET
        numbers = {
            _GET_CUR: control.value,
            _GET_MIN: control.low,
            _GET_MAX: control.high,
            _GET_RES: 1,
            _GET_DEF: control.default,
        }
        if request not in numbers:
            self._error_code = 7
            raise Refused
        return numbers[request].to_bytes(control.size, "little", signed=control.size == 2)

    # --- misbehaving ------------------------------------------------------------------------------

    def is_halted(self, endpoint: int) -> bool:
        return endpoint & 0x7F == ENDPOINT and self.stalled == "halt"

    def halt_cleared(self, endpoint: int) -> None:
        if endpoint & 0x7F == ENDPOINT:
            if self.stalled == "halt":
                self.stalled = ""
            # With bulk transfers this is also how the driver says stop.
            self._stop()

    def stalling(self) -> None:
        if self.stalled == "halt":
            while self._waiting:
                self.finish(self._waiting.popleft(), status=EPIPE)

    # --- pictures ---------------------------------------------------------------------------------

    def _start(self) -> None:
        mode = self.mode
        fps = round(1e7 / self._commit.interval)
        self._maker = PictureMaker(mode.fourcc, mode.width, mode.height, fps, self._ident)
        self._picture, self._next_at = None, 0.0

    def _stop(self) -> None:
        self._maker = self._picture = None

    def transfer(self, transfer: Transfer) -> None:
        if transfer.endpoint != ENDPOINT or self.stalled == "halt":
            self.finish(transfer, status=EPIPE)
            return
        self._waiting.append(transfer)
        self._pump()

    def unlink(self, seqnum: int) -> bool:
        return taken(self._waiting, seqnum)

    def tick(self, now: float) -> float | None:
        if self._maker is None or self.stalled in _SILENT:
            return None
        if now >= self._next_at:
            interval = self._commit.interval / 1e7
            self._next_at = max(self._next_at + interval, now)
            # A picture whose turn comes while the last one is under way is dropped, as cameras do.
            if self._picture is None:
                data = self._maker.next(self.controls[BRIGHTNESS].value)
                self.frames += 1
                cut = {"truncate": len(data) // 2, "empty": 0}.get(self.stalled, len(data))
                self._picture = _Picture(memoryview(data)[:cut])
                self._pump()
        return max(0.0, self._next_at - now)

    def _pump(self) -> None:
        while self._picture is not None and self._waiting:
            self._fill(self._waiting.popleft(), self._picture)

    def _fill(self, transfer: Transfer, picture: _Picture) -> None:
        """A payload is a header and data over several transfers; a short one, which may be empty, ends it."""
        if picture.end_packet:
            picture.end_packet = False
            self.finish(transfer)
            self._end_if_done(picture)
            return
        header = b""
        if picture.payload_left == 0:
            limit = self._commit.payload_size
            picture.payload_left = min(len(picture.left), limit - 2)
            picture.payload_full = picture.payload_left == limit - 2
            header = self._header(last=picture.payload_left == len(picture.left))
        size = min(transfer.length - len(header), picture.payload_left)
        piece, picture.left = picture.left[:size], picture.left[size:]
        picture.payload_left -= size
        if picture.payload_left == 0:
            exactly = len(header) + size == transfer.length
            picture.end_packet = exactly and not picture.payload_full
        self.finish(transfer, header + piece)
        self._end_if_done(picture)

    def _end_if_done(self, picture: _Picture) -> None:
        if not len(picture.left) and not picture.end_packet:
            self._picture = None
            self._toggle ^= _TOGGLE

    def _header(self, *, last: bool) -> bytes:
        flags = _EOH | self._toggle | (_END if last else 0) | (_ERROR if self.stalled == "error" else 0)
        return bytes((2, flags))
