# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is at the other end of a Unix socket (SO_PEERCRED, unix(7))."""

import socket
import struct

_FORMAT = struct.Struct("3i")


def peer_of(connection: socket.socket) -> tuple[int, int]:
    """Process and user id. Raises OSError."""
    pid, uid, _ = _FORMAT.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _FORMAT.size))
    return pid, uid
