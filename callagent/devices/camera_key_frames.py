# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a camera that encodes by itself for a key frame.

Two ways: the control V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME of drivers that have one (kernel:
Documentation/userspace-api/media/v4l/ext-ctrls-codec.rst), and for USB cameras the extension unit of the USB
Video Class' H.264 payload 1.0 (UVCX_PICTURE_TYPE_CONTROL) through UVCIOC_CTRL_QUERY (kernel:
Documentation/userspace-api/media/drivers/uvcvideo.rst). No camera with that extension unit has run it yet:
untested but for the bytes.
"""

import ctypes
import fcntl
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from linuxpy.video import raw
from linuxpy.video.device import set_control

from callagent.devices.ioctl import iowr

_UNIT_GUID = bytes.fromhex("41769ea204dee3478b2bf4341aff003b")
"""{A29E7641-DE04-47E3-8B2B-F4341AFF003B} in the order of the descriptor."""
_PICTURE_TYPE, _SET_CUR = 0x09, 0x01
_IDR_WITH_PARAMETER_SETS = 2
_CLASS_INTERFACE, _EXTENSION_UNIT = 0x24, 0x06


class _Query(ctypes.Structure):
    """struct uvc_xu_control_query of linux/uvcvideo.h."""

    _fields_ = (
        ("unit", ctypes.c_uint8),
        ("selector", ctypes.c_uint8),
        ("query", ctypes.c_uint8),
        ("size", ctypes.c_uint16),
        ("data", ctypes.c_void_p),
    )


CTRL_QUERY = iowr("u", 0x21, ctypes.sizeof(_Query))


def request_key_frame(
    node: int, path: str, sys: Path = Path("/sys"), ioctl: Callable[[int, int, Any], Any] = fcntl.ioctl
) -> bool:
    """Of the open node of the camera `path`; False when it has no way of being asked. Blocks, 5 s at most."""
    try:
        set_control(node, raw.ControlID.MPEG_VIDEO_FORCE_KEY_FRAME, 1)
    except OSError:
        unit = extension_unit(usb_descriptors(path, sys))
        return unit is not None and _ask_unit(node, unit, ioctl)
    return True


def _ask_unit(node: int, unit: int, ioctl: Callable[[int, int, Any], Any]) -> bool:
    data = ctypes.create_string_buffer(struct.pack("<HH", 0, _IDR_WITH_PARAMETER_SETS), 4)
    query = _Query(unit, _PICTURE_TYPE, _SET_CUR, len(data), ctypes.addressof(data))
    try:
        ioctl(node, CTRL_QUERY, query)
    except OSError:
        return False
    return True


def usb_descriptors(path: str, sys: Path = Path("/sys")) -> bytes:
    """Of the USB device a video node belongs to; empty for one that is not on USB."""
    try:
        interface = (sys / "class/video4linux" / Path(path).resolve().name / "device").resolve(strict=True)
        return (interface.parent / "descriptors").read_bytes()
    except OSError:
        return b""


def extension_unit(descriptors: bytes) -> int | None:
    """The id of the H.264 extension unit among a device's descriptors (UVC 1.1, 3.7.2.6). Pure."""
    at = 0
    while at + 3 <= len(descriptors):
        length, kind, subtype = descriptors[at : at + 3]
        if length < 2:
            return None
        guid = descriptors[at + 4 : at + 20]
        if kind == _CLASS_INTERFACE and subtype == _EXTENSION_UNIT and guid == _UNIT_GUID and length >= 20:
            return descriptors[at + 3]
        at += length
    return None
