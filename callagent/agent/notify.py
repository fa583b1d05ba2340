# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells systemd how the agent is (sd_notify(3)); does nothing where no service manager listens."""

import os
import socket


def notify(*assignments: str) -> None:
    """Send lines such as `READY=1` or `STATUS=...`; never raises, never blocks."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.setblocking(False)
        try:
            channel.sendto("\n".join(assignments).encode(), address)
        except OSError:
            # The manager is gone or its buffer is full: the agent's work matters more than its report.
            return
