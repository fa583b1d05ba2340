# SPDX-License-Identifier: GPL-3.0-or-later
"""Fan-out of frames to whoever asked for them."""

import logging
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

log = logging.getLogger(__name__)

FrameT_contra = TypeVar("FrameT_contra", contravariant=True)
FrameT = TypeVar("FrameT")


class Sink(Protocol[FrameT_contra]):
    def put(self, frame: FrameT_contra, /) -> None: ...


class Subscribers(Generic[FrameT]):
    """A list of sinks that is replaced, never changed, so that it can be walked without a lock."""

    def __init__(self) -> None:
        self._sinks: tuple[Sink[FrameT], ...] = ()

    def add(self, sink: Sink[FrameT]) -> Callable[[], None]:
        """Add a sink; returns the way out, which may be called more than once. Not itself locked."""
        entry = _Entry(sink)
        self._sinks = (*self._sinks, entry)

        def leave() -> None:
            self._sinks = tuple(each for each in self._sinks if each is not entry)

        return leave

    def put(self, frame: FrameT) -> None:
        for sink in self._sinks:
            try:
                sink.put(frame)
            except Exception:
                # A sink must not raise; one that does may not take the others with it.
                log.exception("a subscriber failed")


class _Entry(Generic[FrameT]):
    """Tells two subscriptions of the same sink apart."""

    def __init__(self, sink: Sink[FrameT]) -> None:
        self.put = sink.put
