# SPDX-License-Identifier: GPL-3.0-or-later
"""H.264 encoders of GStreamer, in this process: appsrc ! ENCODER ! h264parse config-interval=-1 ! appsink.

Of the elements only x264enc has been run; what the others are told is from their documentation
(`gst_elements`).
"""

import time
from collections.abc import Mapping
from typing import Any

import av
import numpy as np

from callagent.media.encoders.base import (
    CLOCK_RATE,
    EncodedPayload,
    EncoderError,
    EncoderSettings,
    EncoderTraits,
)
from callagent.media.encoders.ffmpeg import NO_OPTIONS
from callagent.media.encoders.gi_access import GStreamer, GStreamerMissing, gstreamer
from callagent.media.encoders.gst_elements import ELEMENTS
from callagent.media.h264 import BitstreamError, opening
from callagent.ports import Codec

_SOFTWARE_S = 1.5
"""What encodes on a processor that is busy is only late."""
_BEHIND = 2
"""Pictures a pipeline of hardware may be behind."""


def missing(name: str) -> str:
    """Why an element cannot be used here, in one sentence; empty when it is there. May take 0.1 s."""
    try:
        gst = gstreamer().Gst
    except GStreamerMissing as error:
        return str(error)
    element = ELEMENTS[name]
    needed = [name, "h264parse", *([element.before] if element.before else [])]
    packages = {"h264parse": "gstreamer1.0-plugins-bad", name: element.package}
    for each in needed:
        if gst.ElementFactory.find(each) is None:
            where = f": its package ({packages[each]}) or its device is missing" if each in packages else ""
            return f"GStreamer has no {each} here{where}"
    return ""


class GstEncoder:
    """A `VideoEncoder` on one GStreamer element. Waits for each picture, two pictures' time at most.

    An element that is more than `_BEHIND` pictures behind, or posts an error, has failed. Waiting has a
    deadline everywhere: only a driver that hangs when it is started or stopped can block.
    """

    codec = Codec.H264

    def __init__(self, name: str, settings: EncoderSettings, options: Mapping[str, str] = NO_OPTIONS) -> None:
        """`options` are properties of the element, over those of the table. Raises EncoderError."""
        self._element = ELEMENTS[name]
        self._settings = settings
        self._target_bps = self._set_bps = settings.first_target_bps
        self._behind = 0
        self._keys = 0
        self._first_pts: int | None = None
        self._offset: int | None = None
        self._pipeline: Any = None
        why_not = missing(name)
        if why_not:
            raise EncoderError(why_not)
        self._gi: GStreamer = gstreamer()
        try:
            self._start(options)
        except Exception as error:
            self.close()
            if isinstance(error, EncoderError):
                raise
            # GLib.Error is not known before it is imported.
            raise EncoderError(f"{name} cannot be opened: {error}") from error

    @property
    def traits(self) -> EncoderTraits:
        hardware = self._element.hardware
        return EncoderTraits(self._element.name, hardware, True, _BEHIND if hardware else 0)

    @property
    def settings(self) -> EncoderSettings:
        return self._settings

    @property
    def target_bps(self) -> int:
        return self._target_bps

    @target_bps.setter
    def target_bps(self, bitrate_bps: int) -> None:
        self._target_bps = self._settings.within_limits(bitrate_bps)

    def encode(self, frame: av.VideoFrame, force_key: bool = False) -> list[EncodedPayload]:
        if self._pipeline is None:
            raise EncoderError(f"{self._element.name} is closed")
        self._follow_target()
        gst = self._gi.Gst
        if force_key:
            self._keys += 1
            event = self._gi.GstVideo.video_event_new_upstream_force_key_unit(
                gst.CLOCK_TIME_NONE, True, self._keys
            )
            self._encoder.get_static_pad("src").send_event(event)
        buffer = gst.Buffer.new_wrapped(_packed(frame))
        buffer.pts = (frame.pts or 0) * gst.SECOND // CLOCK_RATE
        buffer.duration = gst.SECOND // self._settings.fps
        if self._source.push_buffer(buffer) != gst.FlowReturn.OK:
            raise self._failure("takes no picture")
        self._behind += 1
        self._first_pts = frame.pts or 0 if self._first_pts is None else self._first_pts
        payloads = self._pull(max(0.2, 2 / self._settings.fps) if self._element.hardware else _SOFTWARE_S)
        if not payloads and self._behind > self.traits.delay_pictures:
            raise self._failure("gives no pictures")
        return payloads

    def close(self) -> None:
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.set_state(self._gi.Gst.State.NULL)

    def _start(self, options: Mapping[str, str]) -> None:
        gst, settings, element = self._gi.Gst, self._settings, self._element
        size = f"width={settings.width},height={settings.height},framerate={settings.fps}/1"
        before = f"! {element.before} " if element.before else ""
        profile = f"! video/x-h264,profile={element.profile} " if element.profile else ""
        self._pipeline = gst.parse_launch(
            f"appsrc name=source is-live=true format=time caps=video/x-raw,format=I420,{size} "
            f"{before}! {element.raw},{size} ! {element.name} name=encoder {profile}"
            "! h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au "
            "! appsink name=sink sync=false max-buffers=16"
        )
        self._source, self._encoder, self._sink = (
            self._pipeline.get_by_name(name) for name in ("source", "encoder", "sink")
        )
        for name, value in {**element.properties, **options}.items():
            # Properties come and go with versions: what an element lacks it is not told.
            if self._encoder.find_property(name) is not None:
                gst.util_set_object_arg(self._encoder, name, value)
        self._set_rate(self._target_bps)
        if self._pipeline.set_state(gst.State.PLAYING) == gst.StateChangeReturn.FAILURE:
            raise self._failure("does not start")

    def _follow_target(self) -> None:
        if abs(self._target_bps - self._set_bps) > 0.05 * self._set_bps:
            self._set_rate(self._target_bps)

    def _set_rate(self, bps: int) -> None:
        element = self._element
        value = (
            element.rate_controls.format(bps=bps)
            if element.rate_controls
            else str(bps // element.rate_unit_bps)
        )
        self._gi.Gst.util_set_object_arg(self._encoder, element.rate, value)
        self._set_bps = bps

    def _pull(self, timeout_s: float) -> list[EncodedPayload]:
        """All that is there; waits for the first, and looks for errors meanwhile."""
        gst = self._gi.Gst
        payloads: list[EncodedPayload] = []
        deadline = time.monotonic() + timeout_s
        while True:
            self._raise_error()
            left = 0.0 if payloads else deadline - time.monotonic()
            sample = self._sink.try_pull_sample(int(max(0.0, min(left, 0.05)) * gst.SECOND))
            if sample is not None:
                payloads.append(self._payload(sample.get_buffer()))
            elif payloads or time.monotonic() >= deadline:
                return payloads

    def _payload(self, buffer: Any) -> EncodedPayload:
        data = buffer.extract_dup(0, buffer.get_size())
        self._behind = max(0, self._behind - 1)
        try:
            key = opening(data).key
        except BitstreamError as error:
            raise EncoderError(f"{self._element.name} gives no H.264: {error}") from error
        pts = round(buffer.pts * CLOCK_RATE / self._gi.Gst.SECOND)
        if self._offset is None:
            # Some elements begin an hour, or a thousand, later, to have room for decoding times before it.
            self._offset = pts - (self._first_pts or 0)
        return EncodedPayload(key, memoryview(data), pts - self._offset)

    def _raise_error(self) -> None:
        message = self._pipeline.get_bus().pop_filtered(self._gi.Gst.MessageType.ERROR)
        if message is not None:
            error, _ = message.parse_error()
            raise EncoderError(f"{self._element.name} failed: {error.message}")

    def _failure(self, what: str) -> EncoderError:
        message = self._pipeline.get_bus().pop_filtered(self._gi.Gst.MessageType.ERROR)
        text = f": {message.parse_error()[0].message}" if message is not None else ""
        return EncoderError(f"{self._element.name} {what}{text}")


def _packed(frame: av.VideoFrame) -> bytes:
    """An I420 picture in GStreamer's own layout: rows of a multiple of four bytes, plane after plane."""
    chroma = (frame.width // 2, frame.height // 2)
    sizes = ((frame.width, frame.height), chroma, chroma)
    strides = [(width + 3) // 4 * 4 for width, _ in sizes]
    packed = np.empty(sum(s * rows for s, (_, rows) in zip(strides, sizes, strict=True)), np.uint8)
    start = 0
    for plane, stride, (width, rows) in zip(frame.planes, strides, sizes, strict=True):
        given = np.frombuffer(memoryview(plane), np.uint8)[: plane.line_size * rows].reshape(rows, -1)
        packed[start : start + stride * rows].reshape(rows, stride)[:, :width] = given[:, :width]
        start += stride * rows
    return packed.tobytes()
