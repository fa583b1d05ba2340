# SPDX-License-Identifier: GPL-3.0-or-later
"""H.264 encoders of hardware inside FFmpeg: V4L2 memory-to-memory, NVIDIA, Intel, AMD.

Sources: FFmpeg's libavcodec/v4l2_m2m_enc.c, nvenc.c, qsvenc.c, amfenc.c and `ffmpeg -h encoder=NAME`; the
kernel's Documentation/userspace-api/media/v4l/dev-encoder.rst.
"""

from collections.abc import Sequence
from typing import Any

import av
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import VideoReformatter

from callagent.media.encoders.base import EncodedPayload, EncoderError
from callagent.media.encoders.ffmpeg import NEARLY_FULL, FfmpegVideoEncoder
from callagent.media.h264 import BitstreamError, ParameterSets, opening
from callagent.ports import Codec

_CONSTRAINED_BASELINE = "578"
"""AV_PROFILE_H264_CONSTRAINED_BASELINE; not every encoder knows it by name."""


class FfmpegHardwareEncoder(FfmpegVideoEncoder):
    """What they share: any raw format the driver takes, packets that are copied, repeated parameter sets.

    A packet may lie in the driver's own buffer; one that is kept stops V4L2 encoders for ever.
    """

    codec = Codec.H264
    hardware = True
    delay_pictures = 2
    pixel_formats: tuple[str, ...] = ("yuv420p", "nv12")
    """To be tried in this order."""

    def _open(self) -> VideoCodecContext:
        self._sets = ParameterSets()
        self._reformatter = VideoReformatter()
        # The device is given back before it is taken again: some encode one stream at a time.
        self._context = None
        refused: EncoderError | None = None
        for name in self.pixel_formats:
            self.pixel_format = name
            try:
                return super()._open()
            except EncoderError as error:
                refused = refused or error
        assert refused is not None
        raise refused

    def encode(self, frame: av.VideoFrame, force_key: bool = False) -> list[EncodedPayload]:
        if frame.format.name != self.pixel_format:
            pts = frame.pts
            frame = self._reformatter.reformat(frame, format=self.pixel_format, threads=1)
            frame.pts = pts
        return super().encode(frame, force_key)

    def _payloads(self, packets: Sequence[Any]) -> list[EncodedPayload]:
        payloads = []
        for packet in packets:
            data = bytes(packet)
            try:
                seen = opening(data)
            except BitstreamError as error:
                raise EncoderError(f"{self.library} gives no H.264: {error}") from error
            whole = self._sets.complete(data, seen)
            if whole is not None:
                payloads.append(EncodedPayload(seen.key, memoryview(whole), packet.pts or 0))
        return payloads

    def _opening_bps(self) -> int:
        """At first all of the rate if it is nearly there: it soon will be; an opening costs a key frame."""
        full_bps = self._settings.bitrate_bps
        nearly_full = self._opened == 0 and self._target_bps >= NEARLY_FULL * full_bps
        return full_bps if self.rate_in_place or nearly_full else self._target_bps

    def _must_reopen(self) -> bool:
        if self.rate_in_place:
            return False
        return not self._opened_bps * 0.8 <= self._target_bps <= self._opened_bps * 1.25

    def _adapt(self, context: VideoCodecContext) -> None:
        if self.rate_in_place and context.bit_rate != self._target_bps:
            context.bit_rate = self._target_bps


class V4l2M2mEncoder(FfmpegHardwareEncoder):
    """The encoder block of many boards, behind the kernel's stateful encoder interface.

    Run on the laboratory's virtual encoder; on boards: untested. FFmpeg sets the rate when it
    opens the device, so another rate opens it anew.
    """

    library = "h264_v4l2m2m"

    def _options(self, bitrate_bps: int) -> dict[str, str]:
        # By number: the name is refused (aiortc#366). A driver that has no such control ignores it.
        return {"profile": _CONSTRAINED_BASELINE, "num_capture_buffers": "8"}


class NvencEncoder(FfmpegHardwareEncoder):
    """NVIDIA's cards. Untested: no such card has run it."""

    library = "h264_nvenc"
    rate_in_place = True

    def _options(self, bitrate_bps: int) -> dict[str, str]:
        return {
            "preset": "p3",
            "tune": "ull",
            "profile": "baseline",
            "rc": "cbr",
            "zerolatency": "1",
            "delay": "0",
            "forced-idr": "1",
            "no-scenecut": "1",
            "maxrate": str(bitrate_bps),
            "bufsize": str(bitrate_bps // 2),
        }


class QsvEncoder(FfmpegHardwareEncoder):
    """Intel's Quick Sync Video through libvpl. Untested: no such processor has run it."""

    library = "h264_qsv"
    rate_in_place = True
    pixel_formats = ("nv12",)

    def _options(self, bitrate_bps: int) -> dict[str, str]:
        return {
            "preset": "veryfast",
            "profile": "baseline",
            "async_depth": "1",
            "forced_idr": "1",
            "look_ahead": "0",
            "maxrate": str(bitrate_bps),
            "bufsize": str(bitrate_bps // 2),
        }


class AmfEncoder(FfmpegHardwareEncoder):
    """AMD's cards with the proprietary runtime. Untested: no such card has run it."""

    library = "h264_amf"
    pixel_formats = ("nv12", "yuv420p")

    def _options(self, bitrate_bps: int) -> dict[str, str]:
        return {
            "usage": "ultralowlatency",
            "quality": "speed",
            "profile": "constrained_baseline",
            "rc": "cbr",
            "forced_idr": "1",
            "maxrate": str(bitrate_bps),
            "bufsize": str(bitrate_bps // 2),
        }
