# SPDX-License-Identifier: GPL-3.0-or-later
"""What the system knows of a thread: its name.

Not its niceness: whoever waits for the interpreter's lock waits for the thread that holds it, and one that
makes way for others does not let go of it.
"""

import threading
from contextlib import suppress
from pathlib import Path

_NAME_BYTES = 15


def label_thread() -> None:
    """Give the calling thread its Python name for `top -H`. Never fails."""
    thread = threading.current_thread()
    with suppress(OSError):
        comm = Path(f"/proc/self/task/{threading.get_native_id()}/comm")
        comm.write_bytes(thread.name.encode()[:_NAME_BYTES])
