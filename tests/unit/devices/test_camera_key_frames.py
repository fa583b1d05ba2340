# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a camera for a key frame: by the control, or by the extension unit of USB cameras."""

import ctypes
import errno
import os
import struct
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.devices import camera_key_frames
from callagent.devices.camera_key_frames import CTRL_QUERY, extension_unit, request_key_frame
from callagent.devices.video4linux import V4l2Camera

GUID = bytes.fromhex("41769ea204dee3478b2bf4341aff003b")


def unit(number: int, guid: bytes) -> bytes:
    """UVC 1.1, table 3-7: an extension unit with one input and one byte of controls."""
    return bytes([27, 0x24, 0x06, number]) + guid + bytes([11, 1, 3, 2, 0xFF, 0x07, 0])


DEVICE = bytes([18, 1]) + bytes(16) + bytes([9, 2]) + bytes(7)


@pytest.fixture
def camera(tmp_path: Path) -> tuple[int, str, Path]:
    """A node without controls, and its USB device in a sysfs of its own."""
    device = tmp_path / "devices/usb1/1-1"
    (device / "1-1:1.0").mkdir(parents=True)
    (tmp_path / "class/video4linux/video9").mkdir(parents=True)
    (tmp_path / "class/video4linux/video9/device").symlink_to(device / "1-1:1.0")
    (device / "descriptors").write_bytes(DEVICE + unit(4, bytes(16)) + unit(12, GUID))
    node = os.open("/dev/null", os.O_RDWR)
    return node, "/dev/video9", tmp_path


def test_the_extension_unit_is_told_what_the_specification_says(camera: tuple[int, str, Path]) -> None:
    node, path, sys = camera
    told: list[tuple[int, int, int, bytes]] = []

    def ioctl(descriptor: int, request: int, query: Any) -> int:
        assert (descriptor, request) == (node, CTRL_QUERY)
        data = ctypes.string_at(query.data, query.size)
        told.append((query.unit, query.selector, query.query, data))
        return 0

    assert request_key_frame(node, path, sys, ioctl)
    # UVCX_PICTURE_TYPE_CONTROL, SET_CUR, layer 0, an IDR picture with parameter sets.
    assert told == [(12, 0x09, 0x01, struct.pack("<HH", 0, 2))]
    # _IOWR('u', 0x21, struct uvc_xu_control_query), 16 bytes where pointers have 8.
    assert CTRL_QUERY == 0xC0107521 or ctypes.sizeof(ctypes.c_void_p) == 4

    def refuses(descriptor: int, request: int, query: Any) -> int:
        raise OSError(errno.EIO, "no")

    assert not request_key_frame(node, path, sys, refuses)
    os.close(node)


def test_a_camera_with_neither_says_so(camera: tuple[int, str, Path]) -> None:
    node, _, sys = camera
    assert not request_key_frame(node, "/dev/video7", sys)
    (sys / "devices/usb1/1-1/descriptors").write_bytes(DEVICE + unit(4, bytes(16)))
    assert not request_key_frame(node, "/dev/video9", sys)
    os.close(node)


def test_the_control_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int, int]] = []
    monkeypatch.setattr(camera_key_frames, "set_control", lambda *told_: told.append(told_))
    assert request_key_frame(7, "/dev/video0", Path("/nonexistent"))
    # V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME: V4L2_CID_CODEC_BASE + 229.
    assert told == [(7, 0x990900 + 229, 1)]


@given(st.binary(max_size=120))
def test_any_descriptors_are_read(data: bytes) -> None:
    found = extension_unit(data)
    assert found is None or GUID in data


def test_a_camera_is_asked_in_the_background_and_one_that_cannot_be_asked_says_so() -> None:
    camera = V4l2Camera("/dev/null")
    assert camera.request_key_frame(), "not known yet"
    deadline = time.monotonic() + 5
    while camera.request_key_frame():
        assert time.monotonic() < deadline
    assert not any(thread.name == "camera-key-frame:/dev/null" for thread in threading.enumerate())
