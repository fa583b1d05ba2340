# SPDX-License-Identifier: GPL-3.0-or-later
"""Notices displays that come, go, or fall asleep at the HDMI outputs of sound cards.

By the control events of the cards: they come at once and from every driver, also where the graphics driver
tells the sound driver without a hot-plug of the display (a screen that is switched off). udev knows no jacks.
"""

import contextlib
import logging
import select
import threading
from collections.abc import Callable
from dataclasses import dataclass

from callagent.devices.alsa_control import EVENT_ADD, EVENT_REMOVE, ControlNode, open_control
from callagent.devices.hdmi_sound import Output, has_sink, outputs_of

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Card:
    node: ControlNode
    outputs: dict[int, Output]

    @property
    def numids(self) -> set[int]:
        found = (element for output in self.outputs.values() for element in (output.jack, output.eld))
        return {element.numid for element in found if element is not None}


class SinkWatch:
    """Thread-safe. Holds the control nodes of cards with HDMI outputs open, and only theirs."""

    def __init__(self, open_node: Callable[[int], ControlNode] = open_control) -> None:
        self._open_node = open_node
        self._lock = threading.Lock()
        self._cards: dict[int, _Card] = {}
        self._epoll: select.epoll | None = None

    def open(self) -> int:
        """Begin; returns a descriptor that is readable when `changed` has something to tell."""
        self.close()
        with self._lock:
            self._epoll = select.epoll()
            return self._epoll.fileno()

    def close(self) -> None:
        """Idempotent."""
        with self._lock:
            for card in self._cards.values():
                card.node.close()
            self._cards.clear()
            if self._epoll is not None:
                self._epoll.close()
                self._epoll = None

    def look(self, number: int) -> dict[int, bool]:
        """For each HDMI output of a card, by PCM number, whether its display takes sound; watched then.

        Empty for a card without, or one that cannot be read.
        """
        with self._lock:
            if self._epoll is None:
                return {}
            # A card that was pulled and came back has its old number, and a new node.
            for _ in range(2):
                try:
                    card = self._cards.get(number) or self._begin(number)
                    return {pcm: has_sink(output, card.node) for pcm, output in card.outputs.items()}
                except OSError as error:
                    log.debug("the controls of sound card %d: %s", number, error)
                    if number not in self._cards:
                        return {}
                    self._drop(number)
            return {}

    def changed(self) -> set[int]:
        """Cards to look at again; never blocks."""
        with self._lock:
            if self._epoll is None:
                return set()
            ready = {descriptor for descriptor, _ in self._epoll.poll(0)}
            found = [number for number, card in self._cards.items() if card.node.fileno() in ready]
            return {number for number in found if self._has_changed(number)}

    def _begin(self, number: int) -> _Card:
        """Raises OSError. Lock held."""
        node = self._open_node(number)
        try:
            # First: what changes while it is read is told afterwards.
            node.subscribe()
            card = _Card(node, outputs_of(node.elements()))
        except OSError:
            node.close()
            raise
        assert self._epoll is not None
        if card.outputs:
            self._epoll.register(node.fileno(), select.EPOLLIN)
            self._cards[number] = card
        else:
            node.close()
        return card

    def _has_changed(self, number: int) -> bool:
        card = self._cards[number]
        try:
            events = card.node.changed()
        except OSError as error:
            log.debug("the controls of sound card %d: %s", number, error)
            self._drop(number)
            return False
        numids = card.numids
        if any(mask == EVENT_REMOVE or mask & EVENT_ADD for _, mask in events):
            # Controls came or went, such as those of a DisplayPort hub: they are listed anew.
            self._drop(number)
            return True
        return any(numid in numids for numid, _ in events)

    def _drop(self, number: int) -> None:
        card = self._cards.pop(number)
        if self._epoll is not None:
            with contextlib.suppress(OSError):
                self._epoll.unregister(card.node.fileno())
        card.node.close()
