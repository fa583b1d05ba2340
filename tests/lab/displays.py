# SPDX-License-Identifier: GPL-3.0-or-later
"""A display of another size plugged into the guest, or none.

QEMU's monitor has no command for it; its VNC server hands a client's SetDesktopSize to virtio-gpu, which
raises a real hot-plug interrupt in the guest. Protocol: RFC 6143 and the ExtendedDesktopSize extension of
the RFB community's specification.
"""

import socket
import struct
import time
from pathlib import Path

_RAW, _EXTENDED_DESKTOP_SIZE = 0, -308
_DELIVERED_S = 0.3


def plug(vnc: Path, width: int, height: int) -> None:
    """0x0 pulls it out. `vnc`: the socket of the head's VNC server."""
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(10)
        channel.connect(str(vnc))
        stream = channel.makefile("rb")
        channel.sendall(stream.read(12))  # the protocol's version
        stream.read(stream.read(1)[0])  # security types
        channel.sendall(b"\1")  # none
        stream.read(4)
        channel.sendall(b"\1")  # shared
        now_width, now_height, name_length = struct.unpack("!HH16xI", stream.read(24))
        stream.read(name_length)
        channel.sendall(struct.pack("!BBHii", 2, 0, 2, _RAW, _EXTENDED_DESKTOP_SIZE))
        # QEMU ignores what it believes to be so already, at first 0x0: the present size is said before it.
        channel.sendall(_set_size(now_width, now_height) + _set_size(width, height))
        # It is acted on while the connection lasts, and not answered.
        time.sleep(_DELIVERED_S)


def _set_size(width: int, height: int) -> bytes:
    return struct.pack("!BBHHBBIHHHHI", 251, 0, width, height, 1, 0, 0, 0, 0, width, height, 0)
