# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes threads of this program are at: a hung driver keeps one long after everybody gave it up."""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator

_paths: Counter[str] = Counter()
_lock = threading.Lock()


@contextlib.contextmanager
def occupied(path: str) -> Iterator[None]:
    """While a thread has this node open."""
    with _lock:
        _paths[path] += 1
    try:
        yield
    finally:
        with _lock:
            _paths[path] -= 1


def is_occupied(path: str) -> bool:
    """Whether a thread of ours still has it: the kernel's EBUSY would name nobody."""
    return _paths[path] > 0
