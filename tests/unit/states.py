# SPDX-License-Identifier: GPL-3.0-or-later
"""A device's or slot's state, asked anew each time: a type checker takes a property's value for settled."""

from typing import Protocol

from callagent.ports import SourceState


class HasState(Protocol):
    @property
    def state(self) -> SourceState: ...


def state_of(thing: HasState) -> SourceState:
    return thing.state
