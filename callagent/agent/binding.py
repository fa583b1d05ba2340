# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a device behind a slot: picks one by the configuration, and picks again when there is none.

A device that is there but fails is the slot's own business: it tries that one again.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from callagent.ports import SourceError, SourceState

logger = logging.getLogger(__name__)

Device = TypeVar("Device", contravariant=True)
Chosen = TypeVar("Chosen")

RETRY_FIRST_S = 1.0
RETRY_MOST_S = 15.0


class Slot(Protocol[Device]):
    """What a binding needs of a camera, microphone or speaker slot."""

    @property
    def state(self) -> SourceState: ...

    @property
    def reason(self) -> str: ...

    def set_source(self, source: Device | None, reason: str = "") -> None: ...


class Binding(Generic[Chosen]):
    """One slot and the way to a device for it.

    `choose` runs on a worker thread (it looks at the machine's devices) and
    raises SourceError when there is none. A slot whose device is absent gets a
    fresh choice after 1 s, then 2, 4 ... 15 s.
    """

    def __init__(self, name: str, slot: Slot[Chosen], choose: Callable[[], Chosen]) -> None:
        self._name = name
        self._slot = slot
        self._choose = choose
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.chosen: Chosen | None = None
        """The device behind the slot; none while none is present."""

    async def start(self) -> None:
        """Make the first choice, then keep watch until `close`."""
        self._loop = asyncio.get_running_loop()
        await self._bind()
        self._task = asyncio.create_task(self._watch(), name=f"binding-{self._name}")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def slot_changed(self) -> None:
        """The slot's state may have changed; callable from any thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the agent has ended
                self._loop.call_soon_threadsafe(self._changed.set)

    async def _watch(self) -> None:
        delay_s = RETRY_FIRST_S
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._slot.state is SourceState.LIVE:
                delay_s = RETRY_FIRST_S
            if self._slot.state is not SourceState.ABSENT:
                continue
            logger.debug("%s: %s; next look in %.0f s", self._name, self._slot.reason, delay_s)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, RETRY_MOST_S)
            await self._bind()

    async def _bind(self) -> None:
        try:
            device = await asyncio.to_thread(self._choose)
        except SourceError as error:
            self.chosen = None
            self._slot.set_source(None, str(error))
        else:
            self.chosen = device
            self._slot.set_source(device)
