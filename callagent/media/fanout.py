# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets a stream's encoded frames, and from which frame on."""

import logging
from collections.abc import Callable

from callagent.ports import EncodedFrame, EncodedSink

log = logging.getLogger(__name__)

KEY_INTERVAL_S = 0.3
SHARED_INTERVAL_S = 1.0
MERGE_S = 0.08
"""Who asks so soon after a key frame was made has not seen that one yet."""


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
    """Merges the peers' wishes for a key frame; none is forgotten. Pure.

    One that is made serves everybody who waits. A peer that is alone may have one every 300 ms. Among
    several each gets its own at once, but no more than one a second: its losses are not to cost the
    others their picture.
    """

    def __init__(self) -> None:
        self._waiting: set[str] = set()
        self._served: dict[str, float] = {}
        """When each peer last got what it had asked for."""
        self._last = self._asked = float("-inf")

    @property
    def wanted(self) -> bool:
        """Somebody waits for one."""
        return bool(self._waiting)

    def join(self, peer: str) -> None:
        """A new peer can begin with nothing else."""
        self._served.pop(peer, None)
        self._waiting.add(peer)

    def leave(self, peer: str) -> None:
        """Idempotent."""
        self._waiting.discard(peer)
        self._served.pop(peer, None)

    def request(self, peer: str) -> None:
        self._waiting.add(peer)

    def due(self, now: float, peers: int) -> bool:
        """Whether the next frame has to be a key frame; `peers`: how many get it."""
        alone = peers <= 1
        if not self._waiting or now - max(self._last, self._asked) < (KEY_INTERVAL_S if alone else MERGE_S):
            return False
        return alone or any(
            now - self._served.get(peer, float("-inf")) >= SHARED_INTERVAL_S for peer in self._waiting
        )

    def asked(self, now: float) -> None:
        """The encoder, or the camera, was told; it may take a picture or two."""
        self._asked = now

    def made(self, now: float) -> None:
        """A key frame was encoded, asked for or not: it serves everybody."""
        self._served |= dict.fromkeys(self._waiting, now)
        self._waiting.clear()
        self._last = now


Leave = Callable[[], None]
