# SPDX-License-Identifier: GPL-3.0-or-later
"""What an open V4L2 device says it can do."""

from collections.abc import Iterator

from linuxpy.video.device import Device, FrameSizeType, VideoCapture
from linuxpy.video.device import PixelFormat as FourCC

from callagent.devices.camera_frames import FORMATS
from callagent.devices.camera_modes import CameraMode
from callagent.ports import PixelFormat, VideoMode


def fourcc_of(device: Device, pixel_format: PixelFormat) -> FourCC:
    """The device's own word for a format it offers: JPEG is MJPG or JPEG."""
    return next(code for code in FORMATS if FORMATS[code] is pixel_format and _offers(device, code))


def _offers(device: Device, fourcc: FourCC) -> bool:
    return any(each.pixel_format == fourcc for each in device.info.formats)


def current_fps(capture: VideoCapture, wish: int) -> int:
    try:
        return max(1, round(float(capture.get_fps())))
    except (OSError, ZeroDivisionError):
        return wish


def offered_modes(device: Device, wish: VideoMode) -> Iterator[CameraMode]:
    """What the open device offers in the formats known here; of a range of sizes, the nearest."""
    for image_format in device.info.formats:
        pixel_format = FORMATS.get(image_format.pixel_format)
        if pixel_format is None:
            continue
        for size in device.info.format_frame_sizes(image_format.pixel_format):
            if size.type == FrameSizeType.DISCRETE:
                width, height = size.info.width, size.info.height
            else:
                step = size.info
                width = nearest_step(wish.width, step.min_width, step.max_width, step.step_width)
                height = nearest_step(wish.height, step.min_height, step.max_height, step.step_height)
            intervals = device.info.fps_intervals(image_format.pixel_format, width, height)
            # linuxpy names stepwise limits after the intervals: its min_fps is the larger one there.
            max_fps = max((float(max(each.min_fps, each.max_fps)) for each in intervals), default=0.0)
            yield CameraMode(pixel_format, width, height, max_fps)


def nearest_step(wish: int, low: int, high: int, step: int) -> int:
    """The value of low, low + step, ... high that is next to the wish."""
    clamped = max(low, min(wish, high))
    return clamped if step <= 1 else min(high, low + round((clamped - low) / step) * step)
