# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of a USB port a camera's mode takes. Pure, but for reading the port's speed.

A camera sends isochronously; the host reserves the bandwidth when the stream starts and says ENOSPC
when there is not enough left (USB 2.0 specification 5.6; kernel: drivers/media/usb/uvc/uvc_video.c).
"""

from pathlib import Path

from callagent.ports import PixelFormat

_BYTES_PER_PIXEL = {
    PixelFormat.YUYV: 2.0,
    PixelFormat.NV12: 1.5,
    PixelFormat.I420: 1.5,
    # A webcam's usual quality; noise in the dark may double it.
    PixelFormat.MJPEG: 0.3,
    PixelFormat.H264: 0.03,
}
_CARRIES = {1.5: 0.15e6, 12.0: 1.0e6, 480.0: 24.5e6, 5000.0: 390e6, 10000.0: 780e6, 20000.0: 1.5e9}
"""Bytes per second one device gets, by the port's speed in Mbit/s: high speed is 3 x 1024 bytes each
microframe."""


def bytes_per_second(pixel_format: PixelFormat, width: int, height: int, fps: float) -> float:
    """An estimate for compressed formats, exact for raw ones."""
    return _BYTES_PER_PIXEL[pixel_format] * width * height * fps


def port_carries(speed_mbps: float | None) -> float | None:
    """Bytes per second one camera can have in a port of that speed; None when the speed is unknown."""
    return None if speed_mbps is None else _CARRIES.get(speed_mbps)


def port_speed_mbps(node: str, sys: Path = Path("/sys")) -> float | None:
    """Of the port the video node's camera is in; None for a camera that is not on USB."""
    name = Path(node).resolve().name
    try:
        # The node's device is the USB interface, its parent the USB device.
        interface = (sys / "class/video4linux" / name / "device").resolve(strict=True)
        return float((interface.parent / "speed").read_text())
    except (OSError, ValueError):
        return None
