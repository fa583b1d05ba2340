# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets a stream's encoded frames, and from which frame on."""

import logging
from collections.abc import Callable

from callagent.ports import EncodedFrame, EncodedSink

log = logging.getLogger(__name__)

KEY_INTERVAL_S = 0.3


class Subscription:
    """One peer's place at a stream: frames reach it from its first key frame on."""

    def __init__(self, peer: str, sink: EncodedSink) -> None:
        self.peer = peer
        self._sink = sink
        self._started = False
        self.active = True

    def give(self, frame: EncodedFrame) -> None:
        self._started = self._started or frame.key
        if not self._started or not self.active:
            return
        try:
            self._sink.put(frame)
        except Exception:
            # A sink must not raise; one that does may not take the other peers with it.
            log.exception("the sink of peer %s failed", self.peer)


class Fanout:
    """The subscriptions of one stream. Changed under the stream's lock, walked without."""

    def __init__(self) -> None:
        self._all: tuple[Subscription, ...] = ()

    def __len__(self) -> int:
        return len(self._all)

    def add(self, subscription: Subscription) -> None:
        self._all = (*self._all, subscription)

    def remove(self, subscription: Subscription) -> bool:
        """False when it had left before."""
        was_active, subscription.active = subscription.active, False
        self._all = tuple(each for each in self._all if each is not subscription)
        return was_active

    def has(self, peer: str) -> bool:
        return any(each.peer == peer for each in self._all)

    def give(self, frame: EncodedFrame) -> None:
        for subscription in self._all:
            subscription.give(frame)


class KeyRequests:
    """Merges the peers' wishes for a key frame: one per 300 ms at most, none forgotten. Pure."""

    def __init__(self) -> None:
        self._wanted = False
        self._last = float("-inf")

    def request(self) -> None:
        self._wanted = True

    def due(self, now: float) -> bool:
        """Whether the next frame has to be a key frame."""
        return self._wanted and now - self._last >= KEY_INTERVAL_S

    def made(self, now: float) -> None:
        """A key frame was encoded, asked for or not: it serves everybody."""
        self._wanted, self._last = False, now


Leave = Callable[[], None]
