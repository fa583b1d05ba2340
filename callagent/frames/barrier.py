# SPDX-License-Identifier: Apache-2.0
"""A memory barrier for Python.

The sequence lock needs the processor's stores (writer) and loads (reader) on both sides of it to stay in
order. x86-64 keeps them so by itself; arm64 does not. CPython has no barrier, but its lock has: releasing one
is a store with release order, acquiring it a load with acquire order, and arm64 keeps a release before a
following acquire (RCsc: STLR before LDAR). So everything before release-then-acquire is seen before
everything after it. The other way round, acquire-then-release, would let both sides slip in between.
"""

import threading


class Barrier:
    """For one thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def __call__(self) -> None:
        self._lock.release()
        self._lock.acquire()
