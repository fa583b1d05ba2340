# SPDX-License-Identifier: GPL-3.0-or-later
"""FFmpeg's frames on the frame channel's memory, without a copy, whole or a part of the picture.

PyAV takes planes that lie anywhere only as DLPack tensors (dlpack.h, version 0), and numpy gives none of
memory that may only be read, as the channel's; so the tensors are made here. FFmpeg must only read such a
frame: to write would be a segmentation fault.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import av

from callagent.frames import Picture
from callagent.screen.placement import Crop

_CPU = 1
_UNSIGNED = 1
_NAME = b"dltensor"


class _Tensor(ctypes.Structure):
    """DLManagedTensor with the DLTensor in it."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("byte_offset", ctypes.c_uint64),
        ("manager_ctx", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
    )


class _Buffer(ctypes.Structure):
    """Py_buffer (PEP 3118)."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_void_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


_alive: dict[int, tuple[object, ...]] = {}
"""What a tensor needs, by its address, until FFmpeg lets go of it."""


def _let_go(address: int) -> None:
    _alive.pop(address, None)


_DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_let_go)
_DELETER_ADDRESS = ctypes.cast(_DELETER, ctypes.c_void_p).value
_new_capsule: Callable[[int, bytes, None], Any] = ctypes.pythonapi.PyCapsule_New
ctypes.pythonapi.PyCapsule_New.restype = ctypes.py_object
ctypes.pythonapi.PyCapsule_New.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
ctypes.pythonapi.PyObject_GetBuffer.argtypes = (ctypes.py_object, ctypes.POINTER(_Buffer), ctypes.c_int)
ctypes.pythonapi.PyBuffer_Release.argtypes = (ctypes.POINTER(_Buffer),)
ctypes.pythonapi.PyBuffer_Release.restype = None


def mapped_frame(picture: Picture, crop: Crop) -> av.VideoFrame:
    """This part of the picture, format yuv420p; to be let go of before `RingReader.read` ends."""
    planes = []
    for plane, stride, scale in zip(picture.planes, picture.header.strides, (1, 2, 2), strict=True):
        begin = crop.y // scale * stride + crop.x // scale
        planes.append(_capsule(plane, begin, crop.height // scale, crop.width // scale, stride))
    return av.VideoFrame.from_dlpack(tuple(planes), format="yuv420p", width=crop.width, height=crop.height)


def _capsule(plane: memoryview, begin: int, rows: int, columns: int, stride: int) -> object:
    shape = (ctypes.c_int64 * 2)(rows, columns)
    strides = (ctypes.c_int64 * 2)(stride, 1)
    tensor = _Tensor(
        data=_address(plane),
        device_type=_CPU,
        device_id=0,
        ndim=2,
        code=_UNSIGNED,
        bits=8,
        lanes=1,
        shape=ctypes.addressof(shape),
        strides=ctypes.addressof(strides),
        byte_offset=begin,
        manager_ctx=None,
        deleter=_DELETER_ADDRESS,
    )
    address = ctypes.addressof(tensor)
    _alive[address] = (tensor, shape, strides, plane)
    return _new_capsule(address, _NAME, None)


def _address(plane: memoryview) -> int:
    """Of its first byte: good as long as the view is there. numpy would tell, but takes 30 MB and threads."""
    buffer = _Buffer()
    ctypes.pythonapi.PyObject_GetBuffer(plane, buffer, 0)
    address: int = buffer.buf
    ctypes.pythonapi.PyBuffer_Release(buffer)
    return address
