# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a program that a test started to listen."""

import socket
import subprocess
import time
from pathlib import Path

START_S = 30.0


def wait_listening(port: int, process: subprocess.Popen[bytes], log: Path | None = None) -> None:
    """Blocks until somebody listens at 127.0.0.1. Raises AssertionError when the process ended, or late."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            said = log.read_text(errors="replace") if log is not None and log.exists() else ""
            assert process.poll() is None, f"ended with {process.returncode}: {said}"
            assert time.monotonic() < deadline, f"does not listen at {port}: {said}"
            time.sleep(0.02)
        else:
            return
