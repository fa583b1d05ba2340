# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers of ioctl requests, as the kernel composes them (include/uapi/asm-generic/ioctl.h)."""

_WRITE, _READ = 1, 2


def iow(kind: str, number: int, size: int) -> int:
    """The kernel reads `size` bytes; `kind`: the letter of the interface."""
    return _number(_WRITE, kind, number, size)


def ior(kind: str, number: int, size: int) -> int:
    """The kernel fills `size` bytes."""
    return _number(_READ, kind, number, size)


def iowr(kind: str, number: int, size: int) -> int:
    """The kernel reads `size` bytes and fills them."""
    return _number(_WRITE | _READ, kind, number, size)


def _number(way: int, kind: str, number: int, size: int) -> int:
    return way << 30 | size << 16 | ord(kind) << 8 | number
