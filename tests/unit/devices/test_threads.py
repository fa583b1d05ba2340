# SPDX-License-Identifier: GPL-3.0-or-later
"""What the system knows of a thread."""

import threading
from pathlib import Path

from callagent.devices.threads import label_thread


def test_a_thread_has_its_name() -> None:
    found: list[str] = []

    def run() -> None:
        label_thread()
        found.append(Path(f"/proc/self/task/{threading.get_native_id()}/comm").read_text())

    thread = threading.Thread(target=run, name="encoder:VP8:high")
    thread.start()
    thread.join()
    assert found == ["encoder:VP8:hig\n"]
