# SPDX-License-Identifier: GPL-3.0-or-later
"""The sockets the service listens at."""

import socket

from callagent.server.serve import _bind


def test_small_messages_do_not_wait_for_acknowledgements() -> None:
    """Nagle's algorithm and delayed acknowledgements together cost each call's offer 40 ms."""
    with (
        _bind("http", "127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
